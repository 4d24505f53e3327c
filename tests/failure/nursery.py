"""Starts processes of the failure tests quickly: imports their module once, then forks one process per order.

`python -m tests.failure.nursery MODULE` reads orders as JSON lines (folder, name, arguments) and answers
with a pid; the child calls MODULE's `main`. Its output goes to NAME.log, its exit status to NAME.ended.
When the input closes, all children are killed.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any


def _child(module: Any, folder: Path, name: str, arguments: list[str]) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        code = module.main(arguments)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
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
    module = importlib.import_module(sys.argv[1])
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
            order = json.loads(line)
            folder = Path(order["folder"])
            pid = os.fork()
            if pid == 0:
                _child(module, folder, order["name"], order["arguments"])
            alive[pid] = folder / f"{order['name']}.ended"
            print(pid, flush=True)
    for pid in alive:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
