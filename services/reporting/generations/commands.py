"""Rebuilding the read model from the feeds, beside the one in use, and putting it in its place in one step.

The live consumer goes on all the while and writes into both. An interrupted rebuild leaves the model in
use as it was; nothing that the live model has applied is missing from the new one, nothing counts twice.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pydantic import ValidationError

from services.reporting.gatherings import commands as gatherings
from services.reporting.gatherings import store as gathering_tables
from services.reporting.generations import store
from services.reporting.indicators.commands import mark_everything
from services.reporting.notices import commands as notices
from services.reporting.notices import store as notice_tables
from services.reporting.profiles import commands as profiles
from services.reporting.profiles import store as profile_tables
from services.reporting.register import commands as members
from services.reporting.register import store as register
from services.reporting.register.commands import Apply, check
from shared.contracts.base import contract_of
from shared.messaging.cloudevents import Received
from shared.messaging.events import Event, EventRefused
from shared.messaging.feed import as_event
from shared.postgres.pool import Connection, Database
from shared.refusal import Conflict

PAGE = 2000
PATIENCE_SECONDS = 5.0
SETTLE_SECONDS = 10.0

_FOLDS = (members, profiles, gatherings, notices)
"""Each has `CONSUMER`, `APPLIED` (what a fact does to one generation) and `carry_over`."""
_APPLY: dict[str, tuple[Apply, str]] = {
    contract_of(model).type: (apply, fold.CONSUMER) for fold in _FOLDS for model, apply in fold.APPLIED.items()
}
_CONSUMER_OF = {
    table.name: consumer
    for consumer, tables in ((members.CONSUMER, register.FACT_TABLES),
                             (profiles.CONSUMER, profile_tables.FACT_TABLES),
                             (gatherings.CONSUMER, gathering_tables.FACT_TABLES),
                             (notices.CONSUMER, notice_tables.FACT_TABLES))
    for table in tables
}  # fmt: skip


class RebuildUnderWay(Conflict):
    """Another rebuild works on this model."""


class RebuildOvertaken(Conflict):
    """The generation that was being built is gone: somebody tidied it away."""


class Feed(Protocol):
    """What a rebuild reads: facts by sequence, current states, the barrier. `FeedClient` is one."""

    async def barrier(self) -> int: ...

    def facts(
        self, after: int = 0, *, until: int | None = None, limit: int = 2000
    ) -> AsyncIterator[list[tuple[int, Received]]]: ...

    def states(self, aggregate: str, *, limit: int = 2000) -> AsyncIterator[Sequence[Received]]: ...


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did. `refused` are facts that cannot be applied, `parked` those that were set aside.

    `carried` are facts that had come by the bus and were not in the feed yet; `strays` were in the old model
    and never came from anywhere.
    """

    generation: int = 0
    read: int = 0
    applied: int = 0
    refused: int = 0
    parked: int = 0
    carried: int = 0
    strays: int = 0
    seconds: float = 0.0


Progress = Callable[[int, int], None]
"""Called with the sequence that was reached and the one to reach."""


async def rebuild(
    database: Database,
    *feeds: Feed,
    progress: Progress = lambda reached, end: None,
    settle_seconds: float = SETTLE_SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> Rebuilt:
    """Reads the feeds, membership's first, into a new generation and swaps it in.

    Raises `RebuildUnderWay`, and what a feed raises.

    A fact that the live consumer applied may not be in the feed yet, when the relay has published and not
    committed: the feed is read again for `settle_seconds`, then what the inbox knows is carried over.
    """
    started = now()
    async with _alone(database):
        await _tidy(database)
        done = Rebuilt()
        async with database.unit(actor="cli", cause="rebuild") as unit:
            await register.locked_generations(unit.connection)
            done.generation = await store.begin(unit.connection)
        try:
            reached = [await _read(database, feed, done, 0, progress) for feed in feeds]
            await _names(database, feeds[0])
            deadline = now() + settle_seconds
            while not await _swapped(database, done, last_try=now() >= deadline):
                await asyncio.sleep(0.2)
                reached = [
                    await _read(database, feed, done, after, progress)
                    for feed, after in zip(feeds, reached, strict=True)
                ]
        finally:
            await _tidy(database)
    done.seconds = round(now() - started, 3)
    return done


async def tidy_up(database: Database) -> bool:
    """Removes what a killed rebuild left, unless one is at work. Returns whether there was something."""
    async with database.connection() as guard:
        if not await store.try_guard(guard):
            return False
        try:
            generations = await register.generations(guard)
            if generations.building is None and not await store.has_remains(guard, generations.current):
                return False
            await _tidy(database)
            return True
        finally:
            await store.let_go(guard)


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    async with database.connection() as guard:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await store.try_guard(guard):
            if time.monotonic() > deadline:
                raise RebuildUnderWay("another rebuild of reporting is under way; this one has changed nothing")
            await asyncio.sleep(0.1)
        try:
            yield
        finally:
            await store.let_go(guard)


async def _tidy(database: Database) -> None:
    """Nothing is being built, and no rows are left but those in use. The caller holds the guard."""
    async with database.unit(actor="cli", cause="rebuild") as unit:
        current = (await register.locked_generations(unit.connection)).current
        await store.abandon(unit.connection)
    async with database.connection() as connection:
        while await store.drop_remains(connection, current):
            pass


async def _read(database: Database, feed: Feed, done: Rebuilt, after: int, progress: Progress) -> int:
    """Applies the feed behind a sequence up to its present barrier. Returns where it got to."""
    end = await feed.barrier()
    async for page in feed.facts(after, until=end, limit=PAGE):
        async with database.unit(actor="cli", cause="rebuild") as unit:
            generations = await register.locked_generations(unit.connection)
            if generations.building != done.generation:
                raise RebuildOvertaken("the new model was tidied away before it was done; begin again")
            await _apply(unit.connection, done, [item for _, item in page])
        after = page[-1][0]
        done.read += len(page)
        progress(after, end)
    return after


async def _apply(connection: Connection, done: Rebuilt, items: Sequence[Received]) -> None:
    mine = [item for item in items if item.type in _APPLY]
    aside: set[UUID] = set()
    for consumer in {_APPLY[item.type][1] for item in mine}:
        its = [item.id for item in mine if _APPLY[item.type][1] == consumer]
        aside |= await store.parked_among(connection, consumer, its)
    done.parked += len(aside)
    events: defaultdict[Apply, list[Event]] = defaultdict(list)
    for item in mine:
        if item.id in aside:
            continue
        try:
            event = as_event(item) if item.problem is None else None
            if event is not None:
                check(event)
        except (ValidationError, EventRefused):
            event = None
        if event is None:
            done.refused += 1
        else:
            events[_APPLY[item.type][0]].append(event)
    for apply, some in events.items():
        try:
            await apply(connection, done.generation, some)
            done.applied += len(some)
        except EventRefused:  # which of them, only one after the other tells
            for event in some:
                try:
                    await apply(connection, done.generation, [event])
                    done.applied += 1
                except EventRefused:
                    done.refused += 1


async def _names(database: Database, feed: Feed) -> None:
    """Names of clusters, which belong to no generation: newer ones that came meanwhile stay."""
    async for page in feed.states("cluster"):
        labels = []
        for item in page:
            with contextlib.suppress(ValidationError):
                event = as_event(item)
                if event is not None:
                    labels.append((UUID(str(event.data.cluster_id)), event.data.slug, event.data.name, event.version))
        async with database.unit(actor="cli", cause="rebuild") as unit:
            await register.put_labels(unit.connection, sorted(labels))


async def _swapped(database: Database, done: Rebuilt, *, last_try: bool) -> bool:
    """Puts the new generation in the place of the old one, when it has all that the old one has."""
    async with database.unit(actor="cli", cause="rebuild") as unit:
        connection = unit.connection
        current, building = await register.locked_generations(connection)
        if building != done.generation:
            raise RebuildOvertaken("the new model was tidied away before it was done; begin again")
        lacking = await store.lacking(connection, current, building)
        if lacking:
            # the third column of every table of facts is the id
            ids = [row[2] for rows in lacking.values() for row in rows]
            received: set[UUID] = set()
            for table, rows in lacking.items():
                received |= await store.received_among(connection, _CONSUMER_OF[table], [row[2] for row in rows])
            if received and not last_try:
                return False
            for table, rows in lacking.items():
                if kept := [row for row in rows if row[2] in received]:
                    for fold in _FOLDS:
                        if _CONSUMER_OF[table] == fold.CONSUMER:
                            await fold.carry_over(connection, building, table, kept)
            done.carried, done.strays = len(received), len(ids) - len(received)
        await store.swap(connection, building)
        await mark_everything(unit)
    return True
