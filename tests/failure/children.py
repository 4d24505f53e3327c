"""Processes as a test sees them: started through a nursery, signalled, awaited by what they leave behind.

Every wait is for a condition with a deadline; what a process said stands in the message when it is missed.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson

from tests.failure.process import Plan
from tests.stack.run import ROOT

PATIENCE = 40.0


class Nursery:
    """The process that forks those of one module; see nursery.py."""

    def __init__(self, module: str, log: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CUMULO_")}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.failure.nursery", module], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, env=environment, start_new_session=True,
            )  # fmt: skip
        self._heard()

    def start(self, folder: Path, name: str, *arguments: str) -> int:
        """Starts a process; its pid."""
        assert self._process.stdin is not None
        (folder / f"{name}.ended").unlink(missing_ok=True)
        order = {"folder": str(folder), "name": name, "arguments": arguments}
        self._process.stdin.write(orjson.dumps(order, option=orjson.OPT_APPEND_NEWLINE))
        self._process.stdin.flush()
        return int(self._heard())

    def close(self) -> None:
        """Ends it and everything it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _heard(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode().strip()
        assert line, "the nursery ended"
        return line


@dataclass(slots=True)
class Child:
    """One process of a world."""

    plan: Plan
    pid: int

    @property
    def ended(self) -> bool:
        """Whether it is no more."""
        return self.plan.file("ended").exists()

    @property
    def said(self) -> str:
        """The end of its log."""
        log = self.plan.file("log")
        return log.read_text("utf-8", "replace")[-3000:] if log.exists() else ""

    def signal(self, which: signal.Signals) -> None:
        """Sends a signal."""
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, which)

    async def gone(self, *, seconds: float = PATIENCE) -> int:
        """Waits for its end; its exit status."""
        await until(lambda: self.ended, what=f"end of {self.plan.name}", told=lambda: self.said, seconds=seconds)
        return int(self.plan.file("ended").read_text())

    async def killed(self) -> None:
        """kill -9, and its end."""
        self.signal(signal.SIGKILL)
        await self.gone()

    async def stopped(self) -> int:
        """SIGTERM, and its exit status."""
        self.signal(signal.SIGTERM)
        return await self.gone()

    async def reached(self, kind: str = "mark", *, seconds: float = PATIENCE) -> None:
        """Waits for one of its files: `mark`, `written`, `found`."""
        await until(
            self.plan.file(kind).exists, what=f"{kind} of {self.plan.name}", told=lambda: self.said, seconds=seconds
        )


async def until(
    condition: Callable[[], bool | Awaitable[bool]],
    *,
    what: str,
    told: Callable[[], str] = lambda: "",
    seconds: float = PATIENCE,
) -> None:
    """Waits for a condition. Fails with what was awaited when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
        assert time.monotonic() < deadline, f"no {what} within {seconds} s\n{told()}"
        await asyncio.sleep(0.03)
