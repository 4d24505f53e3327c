"""Programs that run beside us and never outlive us: on loopback, unprivileged where that is asked, with a log file.

On Linux the kernel ends a child with the thread that started it, so start children from the main thread;
elsewhere a small guard waits for our end of a pipe to close. Neither needs an orderly end of ours.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


class NotStarted(Exception):
    """A program did not come up; the text says which, why, and where its log is."""


class GivenUp(Exception):
    """We were asked to stop while a program was starting."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a program runs as when we are root."""

    name: str
    uid: int
    gid: int


def unprivileged() -> Account | None:
    """The account for programs that refuse to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise NotStarted("PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as")


def free_port() -> int:
    """A TCP port on loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def program_name(pid: int) -> str:
    """The name of a running program on Linux, empty elsewhere and when there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    except OSError:
        return ""


def start(
    arguments: Sequence[str],
    *,
    log: Path,
    death: signal.Signals,
    account: Account | None = None,
    pass_fds: Sequence[int] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own (Ctrl-C reaches only us); `death` is what it gets when we die."""
    more: dict[str, Any] = {}
    if account is not None:
        more = {"user": account.uid, "group": account.gid, "extra_groups": []}
    if sys.platform == "linux":
        more["preexec_fn"] = _dies_with_parent(death)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            pass_fds=pass_fds,
            env=environment,
            **more,
        )
    if sys.platform != "linux":
        _guards[process.pid] = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", f"read _; kill -{death.value} {process.pid}"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    return process


def stop(process: subprocess.Popen[bytes], first: signal.Signals, *, seconds: float = 10.0) -> None:
    """Ends a program orderly, by force after `seconds`."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if guard := _guards.pop(process.pid, None):
        guard.kill()
        guard.wait()


def wait_until(
    ready: Callable[[], bool],
    process: subprocess.Popen[bytes],
    *,
    name: str,
    log: Path,
    seconds: float = 60.0,
    give_up: Callable[[], bool] = lambda: False,
) -> None:
    """Waits until `ready`. Raises `NotStarted` when the program ends before, or takes longer; `GivenUp`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if give_up():
            raise GivenUp
        if process.poll() is not None:
            raise NotStarted(f"{name} ended at its start: {last_line(log)} (log: {log})")
        if time.monotonic() > deadline:
            raise NotStarted(f"{name} did not answer within {seconds:.0f} s (log: {log})")
        time.sleep(0.02)


def runs_as(account: Account | None, program: Path) -> bool:
    """Whether the account can execute a program where it lies."""
    if account is None:
        return True
    try:
        done = subprocess.run(  # noqa: S603
            [str(program), "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            timeout=20,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def copied(folders: Sequence[Path], target: Path) -> Path:
    """A folder `target` with copies of these folders, whole or not at all; one that is there is kept."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        for folder in folders:
            shutil.copytree(folder, partial / folder.name)
        try:
            partial.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(partial, ignore_errors=True)
    return target


def last_line(log: Path) -> str:
    """What a program said about its end."""
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or "rror" in line]
    return (fatal or lines or ["it wrote nothing"])[-1].strip()


_guards: dict[int, subprocess.Popen[bytes]] = {}


def _dies_with_parent(death: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask
