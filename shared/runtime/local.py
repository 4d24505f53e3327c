"""Where the local stack keeps its things and whether it runs, for commands that want to reach it.

The environment comes first (`CUMULO_POSTGRES_HOST`, `CUMULO_KAFKA`); without it a command talks to the
running stack of the data folder, whose files (status.json, secrets.json) only its owner reads.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.postgres.pool import connected
from shared.runtime.settings import SERVICES, ServiceName, Settings

if TYPE_CHECKING:
    from shared.postgres.pool import Connection

SUPERUSER = "postgres"
DATABASE = "cumulo"


named_folder: ContextVar[Path | None] = ContextVar("named_folder", default=None)
"""The data folder that the command line names with `--data`; goes before everything in the environment."""


class NothingRuns(Exception):
    """No environment names the servers, and no local stack runs in the data folder."""


class SecretsUnreadable(Exception):
    """The data folder's secrets.json is damaged."""


def data_folder() -> Path:
    """The data folder: `--data`, else `CUMULO_DATA`, else the user's own (for root /var/lib/cumulo)."""
    if named := named_folder.get() or os.environ.get("CUMULO_DATA"):
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/cumulo")
    share = os.environ.get("XDG_DATA_HOME")
    return (Path(share) if share else Path.home() / ".local/share") / "cumulo"


def is_in_use(folder: Path) -> bool:
    """Whether a process holds the folder's lock. A lock file alone says nothing: a killed process leaves one."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_status(folder: Path) -> dict[str, Any] | None:
    """What status.json says while the stack runs, else None. Raises `PermissionError` for another's folder.

    Keys: pid, ready, data, http, kafka (bootstrap), kafka_embedded, topic_prefix, postgres (DSN without a
    password), mail (folder), token.
    """
    if not is_in_use(folder):
        return None
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        found: dict[str, Any] = json.loads((folder / "status.json").read_text("utf-8"))
        return found
    return None


def read_secrets(folder: Path) -> dict[str, str]:
    """The generated passwords by role (`postgres` is the superuser) and the `token`. Raises `SecretsUnreadable`."""
    file = folder / "secrets.json"
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError as error:  # also what is not UTF-8
        raise SecretsUnreadable(_unreadable(file, str(error))) from None
    if not isinstance(found, dict) or not all(isinstance(secret, str) for secret in found.values()):
        raise SecretsUnreadable(_unreadable(file, "it is no object of texts"))
    return found


def _unreadable(file: Path, why: str) -> str:
    return (
        f"{file} cannot be read: {why}. It holds the passwords of this data folder:"
        " bring it back from a copy, or name another folder with --data or CUMULO_DATA"
    )


def local_settings(service: str, status: dict[str, Any], secrets: dict[str, str]) -> Settings:
    """Settings of one service of the local stack that has this status."""
    dsn = urlsplit(status["postgres"])
    return Settings(
        environment="local",
        replica="local",
        http_host="127.0.0.1",
        http_port=urlsplit(status["http"]).port or 8000,
        public_url=status["http"],
        service_token=secrets["token"],
        urls=dict.fromkeys(SERVICES, status["http"]),
        postgres_host=dsn.hostname or "127.0.0.1",
        postgres_port=dsn.port or 5432,
        postgres_database=dsn.path.lstrip("/"),
        postgres_user=f"cumulo_{service}",
        postgres_password=secrets[f"cumulo_{service}"],
        kafka=status["kafka"],
        kafka_embedded=status["kafka_embedded"],
        kafka_idempotent=not status["kafka_embedded"],
        topic_prefix=status["topic_prefix"],
        mail_folder=Path(status["mail"]),
        files=str(Path(status["data"]) / "files"),
        demo=status.get("demo", False),
    )


def settings_for(service: ServiceName | str) -> Settings:
    """One service's settings for a command: the environment's, else the running local stack's.

    Raises `NothingRuns`. A data folder that `--data` names goes before the environment.
    """
    if named_folder.get() is None and environment_names_servers():
        return Settings()
    folder = data_folder()
    return local_settings(service, running_status(folder), read_secrets(folder))


def admin_connect_options() -> dict[str, Any]:
    """Arguments for asyncpg.connect with all rights on the database, for migrations and for `cumulo refill`.

    From `CUMULO_POSTGRES_ADMIN_USER` and `CUMULO_POSTGRES_ADMIN_PASSWORD` (or `…_FILE`) with the address of
    the settings, else the running local stack's superuser. Raises `NothingRuns`.
    """
    if named_folder.get() is None:
        if user := os.environ.get("CUMULO_POSTGRES_ADMIN_USER"):
            settings = Settings()
            return {
                "host": settings.postgres_host,
                "port": settings.postgres_port,
                "user": user,
                "password": secret_from_environment("CUMULO_POSTGRES_ADMIN_PASSWORD"),
                "database": settings.postgres_database,
            }
        if environment_names_servers():
            raise NothingRuns(
                "CUMULO_POSTGRES_ADMIN_USER and CUMULO_POSTGRES_ADMIN_PASSWORD are needed for this with the servers"
                " of the environment; a data folder is named with --data"
            )
    folder = data_folder()
    return administrator(running_status(folder), read_secrets(folder))


def administrator(status: dict[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """Arguments for asyncpg.connect as the superuser of the local stack that has this status."""
    dsn = urlsplit(status["postgres"])
    return {
        "host": dsn.hostname,
        "port": dsn.port,
        "user": SUPERUSER,
        "password": secrets[SUPERUSER],
        "database": dsn.path.lstrip("/"),
    }


@contextlib.asynccontextmanager
async def owner_connection(options: dict[str, Any] | None = None) -> "AsyncIterator[Connection]":
    """A connection that may read every schema, closed at the end of the block. Raises `NothingRuns`.

    `options` are arguments for asyncpg.connect that are known already.
    """
    connection = await connected(options or admin_connect_options(), server_settings={"timezone": "UTC"})
    try:
        yield connection
    finally:
        await connection.close()


def secret_from_environment(name: str) -> str | None:
    """The variable's value, or the text of the file that `<name>_FILE` names."""
    if value := os.environ.get(name):
        return value
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text("utf-8").strip() if file else None


def environment_names_servers() -> bool:
    """Whether the environment says where PostgreSQL or Kafka is."""
    return any(os.environ.get(name) for name in ("CUMULO_POSTGRES_HOST", "CUMULO_POSTGRES_PORT", "CUMULO_KAFKA"))


def running_status(folder: Path) -> dict[str, Any]:
    """The status of the stack that runs there. Raises `NothingRuns`."""
    status = read_status(folder)
    if status is not None:
        return status
    if is_in_use(folder):
        raise NothingRuns(f"the stack of {folder} is starting or stopping")
    raise NothingRuns(
        f"nothing runs in {folder}; start it with `cumulo up`, name another folder with --data or CUMULO_DATA,"
        " or name servers in the environment"
    )
