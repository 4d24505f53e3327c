"""One test run: its folder, the lock that keeps its servers alive, and what the environment demands.

`pytest` without workers is a run of one; with xdist the controller makes the folder and tells the workers.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]


def required() -> frozenset[str]:
    """Parts whose absence is a failure, from `CUMULO_TEST_REQUIRE=kafka,chromium`."""
    return frozenset(part for part in os.environ.get("CUMULO_TEST_REQUIRE", "").replace(" ", "").split(",") if part)


@dataclass(slots=True)
class Run:
    """The run's folder, held open by a shared lock. `worker` is xdist's name (`gw0`) or `solo`."""

    folder: Path
    worker: str
    _lock: IO[str] = field(init=False)

    @classmethod
    def begin(cls) -> "Run":
        """A new run; the folder may be passed through, so that an unprivileged server reaches its part."""
        folder = Path(tempfile.mkdtemp(prefix="cumulo-test-"))
        folder.chmod(0o711)
        (folder / "run.lock").touch()
        return cls(folder, "solo")

    def __post_init__(self) -> None:
        self._lock = (self.folder / "run.lock").open()
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    @property
    def name(self) -> str:
        """Part of topics and databases that no other run or worker has."""
        return f"{self.folder.name.removeprefix('cumulo-test-')}_{self.worker}".lower()

    def server(self, part: str) -> dict[str, Any]:
        """The address of the run's `postgres` or `kafka`; whoever asks first starts it."""
        address = self.folder / f"{part}.json"
        with (self.folder / f"{part}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not address.exists():
                self._start(part, address)
        found: dict[str, Any] = json.loads(address.read_text())
        return found

    def _start(self, part: str, address: Path) -> None:
        log = self.folder / f"{part}-keeper.log"
        with log.open("ab") as output:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.stack.keeper", part, str(self.folder)],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        deadline = time.monotonic() + 180
        while not address.exists():
            if keeper.poll() is not None or time.monotonic() > deadline:
                keeper.kill()
                raise RuntimeError(f"the run's {part} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def end(self) -> None:
        """Lets the servers go. The controller also waits for their end and removes the folder."""
        self._lock.close()
        if self.worker.startswith("gw"):
            return
        deadline = time.monotonic() + 20
        while list(self.folder.glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)
