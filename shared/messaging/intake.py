"""What a consumer has fetched and not yet applied, and how far each partition has had its effect.

Records leave in the order in which they came and without a gap, so that a later one of a key never passes
an earlier one. Offsets are committed behind their effects, by number, off the way of the records.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from structlog.typing import FilteringBoundLogger

from shared.messaging.cloudevents import Received

OFFSETS_EVERY_SECONDS = 0.1
"""What a kill leaves to be read again: the inbox knows it, so that only work is lost."""

BYTES = 16 * 1024 * 1024
"""Values waiting beyond this keep the next fetch out, whatever their number."""

Ends = Mapping[TopicPartition, int]
"""For each partition of some records the offset behind the last of them."""


class Intake(ConsumerRebalanceListener):  # type: ignore[misc]
    """Between one Kafka client and the loop that applies its records; belongs to one session of both.

    While a batch is applied the next ones are fetched and read, up to `limit` records or `BYTES` ahead.
    A partition that is taken away leaves its waiting records in their place: the inbox sees to it that they
    and the same records at their new owner have one effect, and leaving some out would open a gap.
    """

    def __init__(self, limit: int, log: FilteringBoundLogger) -> None:
        self.client: Any = None
        self._limit = limit
        self._log = log
        self._waiting: deque[tuple[Sequence[Received], Ends]] = deque()
        self._count = self._bytes = self._under_way = 0
        self._ends: dict[TopicPartition, int] = {}
        self._changed = asyncio.Condition()
        self._closed = False

    @property
    def held(self) -> int:
        """Records that wait or are being applied."""
        return self._count + self._under_way

    async def put(self, items: Sequence[Received], ends: Ends) -> None:
        """Takes records in, when there is room. Once closed it takes nothing: what it refuses is read again."""
        async with self._changed:
            while not self._closed and (self._count >= self._limit or self._bytes >= BYTES):
                await self._changed.wait()
            if self._closed:
                return
            self._waiting.append((items, ends))
            self._count += len(items)
            self._bytes += _size(items)
            self._changed.notify_all()

    async def take(self) -> tuple[list[Received], Ends] | None:
        """The next records in order, at most about `limit`, with their ends. None when closed."""
        async with self._changed:
            while not self._closed and not self._waiting:
                await self._changed.wait()
            if self._closed:
                return None
            items: list[Received] = []
            ends: dict[TopicPartition, int] = {}
            while self._waiting and (not items or len(items) + len(self._waiting[0][0]) <= self._limit):
                some, behind = self._waiting.popleft()
                items += some
                ends.update(behind)
                self._bytes -= _size(some)
            self._count -= len(items)
            self._under_way = len(items)
            self._changed.notify_all()
            return items, ends

    async def settled(self, ends: Ends) -> None:
        """Says that what was taken last has had its effect."""
        async with self._changed:
            self._ends.update(ends)
            self._under_way = 0
            self._changed.notify_all()

    async def close(self) -> None:
        """Lets nothing in or out any more."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    # --- offsets -----------------------------------------------------------------------------------

    async def keep_offsets(self) -> None:
        """Commits what has had its effect, a few times a second; returns after the last, when closed."""
        while not self._closed:
            async with self._changed:
                while not self._ends and not self._closed:
                    await self._changed.wait()
            await self.commit()
            await asyncio.sleep(OFFSETS_EVERY_SECONDS)

    async def commit(self) -> None:
        """Commits the offsets of partitions that are ours. What fails is tried again with the next."""
        ends, self._ends = self._ends, {}
        assigned = self.client.assignment()
        ours = {place: end for place, end in ends.items() if place in assigned}
        if not ours:
            return
        try:
            async with asyncio.timeout(5):
                await self.client.commit(ours)
        except (KafkaError, TimeoutError) as error:
            self._ends = ours | self._ends
            self._log.warning("consumer.offsets_not_committed", error=repr(error)[:200])

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Before partitions go: the batch under way may end, so that their next owner begins behind it."""
        if not revoked:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2), self._changed:
                await self._changed.wait_for(lambda: not self._under_way or self._closed)
        await self.commit()
        self._ends.clear()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Nothing is to be done: they are read from their committed offsets."""


def _size(items: Sequence[Received]) -> int:
    return sum([len(item.value) for item in items if item.value is not None])
