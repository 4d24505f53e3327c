"""The data folder of the local stack: one user at a time, a format number, secrets made once, the status file.

    version  secrets.json  lock  status.json  demo.json  postgres/  mail/  logs/

Whoever kills the stack at any moment leaves a folder from which the next start works.
"""

import contextlib
import fcntl
import json
import os
import secrets as randomness
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local.child import NotStarted
from shared.postgres.migrations import OWNER
from shared.runtime.local import DATABASE, SUPERUSER, read_secrets
from shared.runtime.settings import SERVICES, Settings

FORMAT = 1
"""Raised when an older version of the program could not use the folder any more."""

_LOG_BYTES = 10 * 1024 * 1024
_SECRETS = (SUPERUSER, OWNER, *(f"cumulo_{service}" for service in SERVICES), "token")


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[dict[str, str]]:
    """Makes the folder what it must be and holds it; gives the secrets. Raises `NotStarted`, `SecretsUnreadable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise NotStarted(f"the data folder {folder} cannot be used: {error.strerror}") from None
    with lock:
        _take(lock.fileno(), folder)
        _check_format(folder)
        # the unprivileged account of PostgreSQL passes through; what is private is so by itself
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for name in ("mail", "logs"):
            (folder / name).mkdir(exist_ok=True, mode=0o700)
        for log in (folder / "logs").glob("*.log"):
            if log.stat().st_size > _LOG_BYTES:
                log.replace(log.with_suffix(".log.1"))
        forget_status(folder)
        try:
            yield _secrets(folder)
        finally:
            forget_status(folder)


def status_of(
    folder: Path,
    secrets: dict[str, str],
    *,
    http: int,
    postgres: int,
    kafka: str,
    kafka_embedded: bool,
    demo: bool = False,
) -> dict[str, Any]:
    """The status of a stack on these ports of 127.0.0.1, not ready; `kafka` are bootstrap servers."""
    return {
        "pid": os.getpid(),
        "ready": False,
        "data": str(folder),
        "http": f"http://127.0.0.1:{http}",
        "kafka": kafka,
        "kafka_embedded": kafka_embedded,
        "topic_prefix": Settings().topic_prefix,
        "postgres": f"postgresql://{SUPERUSER}@127.0.0.1:{postgres}/{DATABASE}",
        "mail": str(folder / "mail"),
        "token": secrets["token"],
        "demo": demo,
    }


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Replaces status.json as a whole; only its owner reads it."""
    _write_private(folder / "status.json", json.dumps(status, indent=1))


def forget_status(folder: Path) -> None:
    """Said at the begin of an orderly end: the stack does not answer any more."""
    (folder / "status.json").unlink(missing_ok=True)


def demo_made(folder: Path) -> dict[str, Any]:
    """What is made of the demo; empty in a folder that has none."""
    file = folder / "demo.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return found


def mark_demo(folder: Path, made: dict[str, Any]) -> None:
    """Keeps what is made of the demo."""
    _write_private(folder / "demo.json", json.dumps(made))


def empty(folder: Path) -> None:
    """Removes everything from the data folder of a demo. Raises `NotStarted` where it is in use or holds no demo."""
    if not (folder / "version").exists() or not (folder / "demo.json").exists():
        raise NotStarted(f"{folder} holds no demo; nothing was removed")
    with (folder / "lock").open("a") as lock:
        _take(lock.fileno(), folder)
        for entry in folder.iterdir():
            if entry.name == "lock":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _take(descriptor: int, folder: Path) -> None:
    # `cumulo status` holds the lock for an instant while it looks; one that ends right now is waited for
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            patience = 1.0 if (folder / "status.json").exists() else 6.0
            if time.monotonic() > began + patience:
                raise NotStarted(
                    f"the data folder {folder} is in use by another `cumulo up`; stop it, or name another with --data"
                ) from None
            time.sleep(0.02)


def _check_format(folder: Path) -> None:
    file = folder / "version"
    text = file.read_text("utf-8").strip() if file.exists() else ""
    if not text:
        strangers = {entry.name for entry in folder.iterdir()} - {"lock", "version"}
        if strangers:
            raise NotStarted(f"{folder} is not empty and is no data folder of Cumulo; name another with --data")
        _write_private(file, f"{FORMAT}\n")
        return
    if not text.isdecimal():
        raise NotStarted(f"{file} holds {text[:20]!r}, not the number of a data format")
    if int(text) > FORMAT:
        raise NotStarted(
            f"the data folder {folder} is of a newer version of Cumulo (format {text}, this one knows {FORMAT});"
            " update the program, or name another folder with --data"
        )


def _secrets(folder: Path) -> dict[str, str]:
    file = folder / "secrets.json"
    found = read_secrets(folder) if file.exists() else {}
    if missing := [name for name in _SECRETS if name not in found]:
        found |= {name: randomness.token_urlsafe(24) for name in missing}
        _write_private(file, json.dumps(found, indent=1))
    return found


def _write_private(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    partial.replace(file)
