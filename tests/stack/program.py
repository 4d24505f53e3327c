"""The `cumulo` command as a process of its own: start it, wait for what it says, end it in every way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.stack.run import ROOT

COMMAND = (sys.executable, "-m", "services.cli")


def finished(*arguments: str, environment: dict[str, str] | None = None, seconds: float = 60) -> tuple[int, str, str]:
    """Runs a command to its end: exit code, output, errors."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=seconds, env=_environment(environment)
    )
    return done.returncode, done.stdout, done.stderr


class Program:
    """A running `cumulo …`; its output goes to a file beside the test."""

    def __init__(self, *arguments: str, log: Path, environment: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=_environment(environment), start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text("utf-8")

    def wait_for(self, text: str, *, seconds: float = 60) -> None:
        """Until its output holds `text`; fails when it ends before."""
        self.wait_until(lambda: text in self.output, what=f"{text!r} in its output", seconds=seconds)

    def wait_until(self, condition: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
        """Until the condition holds; fails when the program ends before or it takes too long."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < deadline, f"no {what} within {seconds} s:\n{self.output}"
            time.sleep(0.02)

    def end(self, how: signal.Signals, *, seconds: float = 30) -> int:
        """Sends a signal and waits for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(seconds)


def _environment(more: dict[str, str] | None) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CUMULO_")}
    return plain | {"PYTHONUNBUFFERED": "1"} | (more or {})
