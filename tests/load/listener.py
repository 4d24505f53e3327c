"""A consumer in a process of its own for the latency benchmark: `python -m tests.load.listener SETTINGS NAME FILE`.

Reads until its standard input closes, then writes {key: [received, effect committed]} in seconds of the
machine's monotonic clock, which all its processes share. Received: read, and in the hands of our loop.
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
from shared.messaging.events import Consumer, Event
from shared.messaging.intake import Ends, Intake
from shared.messaging.settling import Settling
from shared.postgres.pool import Unit
from shared.runtime import logging
from shared.runtime.service import Definition, running
from shared.runtime.settings import Settings


async def listen(settings: Settings, name: str) -> dict[str, tuple[float, float]]:
    """Consumes until standard input ends."""
    seen: dict[str, tuple[float, float]] = {}
    got: dict[str, float] = {}
    effect: set[str] = set()

    async def handle(unit: Unit, events: Sequence[Event]) -> None:
        effect.update(event.key for event in events)

    put, settle = Intake.put, Settling.settle

    async def received(self: Intake, items: Sequence[Received], ends: Ends) -> None:
        now = time.perf_counter()
        got.update((item.key, now) for item in items)
        await put(self, items, ends)

    async def settled(self: Settling, items: Sequence[Received]) -> None:
        await settle(self, items)
        now = time.perf_counter()
        seen.update((key, (got[key], now)) for key in effect)
        effect.clear()

    Intake.put = received  # type: ignore[method-assign]
    Settling.settle = settled  # type: ignore[method-assign]
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
