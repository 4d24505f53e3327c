"""Benchmarks, run by hand: `CUMULO_TEST_KAFKA=127.0.0.1:9092 uv run python -m tests.load [NAME …]`.

They print how they were run, their raw baseline and the ratio; they are not part of the test command.
"""

import sys

from shared.runtime import logging
from shared.runtime.loop import run
from tests.load import bus, directory, whole
from tests.load.ground import ground, machine

ALL = {
    "drain": bus.drain,
    "latency": bus.latency,
    "consume": bus.consume,
    "import": whole.imports,
    "memory": whole.memory,
    "directory": directory.directory,
}


async def main(names: list[str]) -> None:
    """Runs the named benchmarks, each on fresh ground."""
    print(machine(), flush=True)
    for name in names:
        async with ground() as at:
            await ALL[name](at, lambda line: print(line, flush=True))


if __name__ == "__main__":
    logging.configure(level="error")
    chosen = sys.argv[1:] or list(ALL)
    if unknown := [name for name in chosen if name not in ALL]:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(ALL)}")
    run(main(chosen))
