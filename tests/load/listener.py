"""A consumer in a process of its own for the latency benchmark: `python -m tests.load.listener SETTINGS NAME FILE`.

Reads until its standard input closes, then writes {key: [received, effect committed]} in seconds of the
machine's monotonic clock, which all its processes share.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import uvloop

from shared.contracts.membership import MembershipActivated
from shared.messaging.cloudevents import Received
from shared.messaging.consumer import ConsumerLoop
from shared.messaging.events import Consumer, Event
from shared.postgres.pool import Unit
from shared.runtime import logging
from shared.runtime.service import Definition, running
from shared.runtime.settings import Settings


async def listen(settings: Settings, name: str) -> dict[str, tuple[float, float]]:
    """Consumes until standard input ends."""
    seen: dict[str, tuple[float, float]] = {}
    batch: dict[str, float] = {}

    async def handle(unit: Unit, events: Sequence[Event]) -> None:
        now = time.perf_counter()
        batch.update((event.key, now) for event in events)

    settle = ConsumerLoop._settle

    async def settled(self: ConsumerLoop, items: Sequence[Received]) -> None:
        await settle(self, items)
        now = time.perf_counter()
        seen.update((key, (received, now)) for key, received in batch.items())
        batch.clear()

    ConsumerLoop._settle = settled  # type: ignore[method-assign]
    definition = Definition("reporting", consumers=[Consumer(name, {MembershipActivated: handle})])
    async with running(definition, settings) as service:
        while service.consumers[0].not_ready() is not None:
            await asyncio.sleep(0.02)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    return seen


if __name__ == "__main__":
    logging.configure(level="error")
    given = Settings(**orjson.loads(sys.argv[1]))
    Path(sys.argv[3]).write_bytes(orjson.dumps(uvloop.run(listen(given, sys.argv[2]))))
