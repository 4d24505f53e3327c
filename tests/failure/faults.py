"""What is broken on purpose in a process of the failure tests: where it dies or freezes, and planted faults.

A crash is SIGKILL by the process itself at one exact step, so that no chance is needed. A planted fault
replaces a part of the bus by one that is wrong; the checker has to notice.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest

from shared.messaging import apply, consumer, relay, settling
from shared.messaging.apply import Applier, Outcome
from shared.messaging.cloudevents import Received
from shared.messaging.publisher import awake_clock
from shared.messaging.relay import Relay


def die() -> None:
    """kill -9 by one's own hand: nothing is flushed, closed or rolled back."""
    os.kill(os.getpid(), signal.SIGKILL)


class Moment:
    """An exact step in a process: at its `nth` passing it dies, freezes, fails or only notes that it was there; once.

    `mark` is a file that is made just before, so that the test knows.
    """

    def __init__(self, kind: str, nth: int, mark: Path) -> None:
        self._kind = kind
        self._left = nth
        self._mark = mark

    def pass_by(self) -> None:
        """To be called at the step."""
        self._left -= 1
        if self._left != 0 or self._mark.exists():
            return
        self._mark.touch()
        if self._kind == "die":
            die()
        elif self._kind == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self._kind == "fail":
            raise asyncpg.InternalClientError("as the driver fails when its server goes away")


def at_relay(step: str, moment: Moment) -> None:
    """Sets a moment in the relay: `read` (rows taken, nothing sent), `socket` (past its look at the clock), `sent`."""

    class Halting(Relay):
        async def _publish(self, rows: Sequence[asyncpg.Record]) -> None:
            if step == "read":
                moment.pass_by()
            await super()._publish(rows)

        async def _between_send_and_commit(self) -> None:
            if step == "sent":
                moment.pass_by()

    relay.Relay = Halting  # type: ignore[misc]
    if step == "socket":
        send = AIOKafkaClient.send

        async def frozen(self: Any, node: int, request: Any, **more: Any) -> Any:
            if isinstance(request, ProduceRequest):
                moment.pass_by()
            return await send(self, node, request, **more)

        AIOKafkaClient.send = frozen


def before_the_offset(moment: Moment) -> None:
    """Sets a moment in the consumer: the effect is committed, the offset is not."""
    settle = settling.Settling.settle

    async def settled(self: Any, items: Sequence[Received]) -> None:
        await settle(self, items)
        moment.pass_by()

    settling.Settling.settle = settled  # type: ignore[method-assign]


# --- planted faults ----------------------------------------------------------------------------------


def acknowledge_first(moment: Moment) -> None:
    """The offset is committed before the effect; the process dies between the two."""
    handle = consumer.ConsumerLoop._handle

    async def first(self: Any, intake: Any, records: Any) -> None:
        await self._subscriber.consumer.commit()
        if any(not record.topic.endswith(".state") for record in records):
            moment.pass_by()
        await handle(self, intake, records)

    consumer.ConsumerLoop._handle = first  # type: ignore[method-assign]


def acknowledge_always(moment: Moment) -> None:
    """The offset goes on behind what a handler failed on. The handlers fail until the service stops."""

    async def settled(self: Any, items: Sequence[Received]) -> None:
        with contextlib.suppress(TimeoutError):
            await self.applier.settle(self._unit, items)

    async def fails(self: Any, *_: Any, **__: Any) -> Outcome:
        moment.pass_by()
        raise TimeoutError("planted")

    settling.Settling.settle = settled  # type: ignore[method-assign]
    Applier.apply = fails  # type: ignore[method-assign]


def inbox_outside(moment: Moment) -> None:
    """The inbox is a transaction of its own, before that of the effect; the process dies between the two."""
    enter = Applier._enter

    async def settle(self: Applier, open_unit: Any, items: Sequence[Received]) -> list[Outcome]:
        mine = [item for item in items if self.concerns(item)]
        outcome = Outcome()
        async with open_unit(items) as unit:
            fresh, held = await enter(self, unit, mine, outcome)
        if any(not item.topic.endswith(".state") for item in fresh):
            moment.pass_by()
        async with open_unit(items) as unit:
            passing = await self._past_the_parked(unit, fresh, held, None, outcome)
            await self._hand_over(unit, await self._newer(unit, passing, outcome))
        return [outcome]

    Applier.settle = settle  # type: ignore[method-assign]


def no_inbox() -> None:
    """Every id counts as new, whatever the inbox says."""
    apply.ENTER = apply.ENTER.replace(
        "WHERE (SELECT count(*) FROM entered)", "WHERE false AND (SELECT count(*) FROM entered)"
    )


def delete_before_send(moment: Moment) -> None:
    """Rows leave the outbox in a commit before they are sent; the process dies between the two."""

    async def batch(self: Any, connection: Any) -> int:
        self._publisher.deadline = awake_clock() + self._settings.relay_deadline_seconds
        await connection.execute("BEGIN; SELECT pg_advisory_xact_lock(relay_lock())")
        rows = await connection.fetch(relay.OLDEST, self._process, self._settings.relay_batch, [])
        if not rows:
            await connection.execute("ROLLBACK")
            return 0
        await connection.execute("SELECT outbox_published($1)", [row[0] for row in rows])
        await connection.execute("COMMIT")
        moment.pass_by()
        await self._publish(rows)
        return len(rows)

    Relay._batch = batch  # type: ignore[method-assign]


def relay_unlocked(held: Path) -> None:
    """Every replica publishes, without lock and lease; what was read is not sent while the file `held` is there."""
    relay.OLDEST = relay.OLDEST.replace("WHERE (SELECT holder FROM relay_lease) = $1", "WHERE $1::uuid IS NOT NULL")

    async def lead(self: Any, connection: Any) -> bool:
        self._set_leads(True)
        return True

    async def batch(self: Any, connection: Any) -> int:
        self._publisher.deadline = awake_clock() + 60
        rows = await connection.fetch(relay.OLDEST, self._process, self._settings.relay_batch, [])
        if not rows:
            return 0
        if held.exists():
            held.with_suffix(".reached").touch()
            deadline = time.monotonic() + 30
            while held.exists() and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
        await self._publish(rows)
        await connection.execute("SELECT outbox_published($1)", [row[0] for row in rows])
        return len(rows)

    Relay._lead = lead  # type: ignore[method-assign]
    Relay._batch = batch  # type: ignore[method-assign]
