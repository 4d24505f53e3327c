"""Starts the processes of the failure tests quickly: imports everything once, then forks one process per plan.

`python -m tests.failure.nursery` reads a plan's path per line and answers with a pid. When a child has
ended, its exit status stands in NAME.ended. When its input closes, all children are killed.
"""

import asyncio
import contextlib
import os
import select
import signal
import sys
import traceback
from pathlib import Path

from shared.messaging import backfill, consumer, feed, inbox, parked, reconcile, relay  # noqa: F401 - loaded ahead
from tests.failure.process import Plan, run


def _child(path: Path) -> None:
    plan = Plan.read(path)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(plan.file("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 0
    try:
        asyncio.run(run(plan))
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _reap(alive: dict[int, Path]) -> None:
    while alive:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        ended = alive.pop(pid)
        ended.with_suffix(".partial").write_text(str(os.waitstatus_to_exitcode(status)))
        ended.with_suffix(".partial").rename(ended)


def main() -> None:
    """Forks on demand until the input closes."""
    alive: dict[int, Path] = {}
    print("ready", flush=True)
    pending = b""
    while True:
        _reap(alive)
        if not select.select([0], [], [], 0.02)[0]:
            continue
        more = os.read(0, 65536)
        if not more:
            break
        *lines, pending = (pending + more).split(b"\n")
        for line in lines:
            path = Path(line.decode())
            plan = Plan.read(path)
            plan.file("ended").unlink(missing_ok=True)
            pid = os.fork()
            if pid == 0:
                _child(path)
            alive[pid] = plan.file("ended")
            print(pid, flush=True)
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
