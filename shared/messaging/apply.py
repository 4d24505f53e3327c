"""What one batch of received records does to a service's tables, inside one transaction.

Inbox first, then what is held goes to the parked, states that are not newer fall away, and each handler
gets its events at once. Used by the consumer loop, by retries of the parked and by backfill alike.
"""

import contextlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
from pydantic import ValidationError

from shared.contracts.base import contract_of
from shared.messaging.cloudevents import Received
from shared.messaging.events import Consumer, Event, EventRefused, Handler
from shared.postgres.pool import BAD_VALUE, Unit
from shared.refusal import Refusal

ABOUT_THE_EVENT: tuple[type[Exception], ...] = (
    EventRefused,
    Refusal,
    ValidationError,
    *BAD_VALUE,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,  # a value too large for an index
    asyncpg.CardinalityViolationError,  # two keys of a batch that claim one row; each alone can be applied
)
"""Errors that say: this event can never be applied as it is. Anything else is about the program or a dependency."""

_HELD = """
    SELECT topic, key FROM parked_key
    WHERE consumer = $1 AND (topic, key) IN (SELECT * FROM unnest({topics}::text[], {keys}::text[]))
    ORDER BY topic, key FOR SHARE
"""
HELD = _HELD.format(topics="$2", keys="$3")
ENTER = f"""
WITH entered AS (
    INSERT INTO inbox (consumer, id, at, partition, "offset")
    SELECT $1, id, $6, partition, "offset"
    FROM unnest($2::uuid[], $5::boolean[], $7::int[], $8::bigint[]) AS r (id, never_too_old, partition, "offset")
    WHERE never_too_old OR id >= coalesce((SELECT horizon FROM consumer WHERE name = $1), id)
    ON CONFLICT DO NOTHING RETURNING id
), held AS ({_HELD.format(topics="$3", keys="$4")})
SELECT id, NULL AS topic, NULL AS key FROM unnest($2::uuid[]) AS r (id)
WHERE (SELECT count(*) FROM entered) < cardinality($2) AND id NOT IN (SELECT id FROM entered)
UNION ALL SELECT NULL, topic, key FROM held
"""
NEWER = """
INSERT INTO state_seen AS seen (consumer, topic, key, version, erased)
SELECT $1, topic, key, version, erased FROM unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[])
    AS r (topic, key, version, erased) ORDER BY topic, key
ON CONFLICT (consumer, topic, key) DO UPDATE SET version = greatest(seen.version, excluded.version),
    erased = excluded.erased
WHERE NOT seen.erased AND (seen.version < excluded.version OR excluded.erased)
RETURNING topic, key
"""
PARK_KEY = "INSERT INTO parked_key (consumer, topic, key, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
PARK = """
INSERT INTO parked (consumer, topic, key, id, type, partition, "offset", parked_at, reason, headers, value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11)
ON CONFLICT (consumer, id) DO UPDATE SET reason = coalesce(excluded.reason, parked.reason) RETURNING number
"""
FORGET_KEY = "DELETE FROM parked_key WHERE consumer = $1 AND topic = $2 AND key = $3"


@dataclass(slots=True)
class Outcome:
    """What became of a batch. What was parked has its number there and a reason, or None: it waits behind another."""

    applied: list[Event] = field(default_factory=list)
    duplicates: int = 0
    skipped: int = 0
    outdated: int = 0
    parked: list[tuple[int, Received, str | None]] = field(default_factory=list)
    keys_parked: int = 0


OpenUnit = Callable[[Sequence[Received]], AbstractAsyncContextManager[Unit]]
"""Opens the transaction in which these records are applied."""


class Applier:
    """Applies batches for one consumer. Holds the routing only; all state is in the tables.

    Of types `from_the_start` ids below the inbox's horizon are new as well: those just taken on.
    """

    def __init__(self, consumer: Consumer, *, from_the_start: Collection[str] = ()) -> None:
        self.consumer = consumer
        self._from_the_start = from_the_start
        self._routes: dict[str, tuple[type[Any], str, Handler]] = {}
        self._state_topics: dict[str, tuple[str, Handler]] = {}
        for model, handler in consumer.handlers.items():
            contract = contract_of(model)
            self._routes[contract.type] = (model, contract.topic, handler)
            if contract.kind == "state":
                self._state_topics[contract.topic] = (contract.type, handler)

    def concerns(self, item: Received) -> bool:
        """Whether this consumer handles it: a type of its own, a malformed record, a tombstone."""
        if item.problem is not None:
            return not item.type or item.type in self._routes
        return item.type in self._routes or self._is_tombstone(item)

    def _is_tombstone(self, item: Received) -> bool:
        return item.value is None and item.topic in self._state_topics and item.problem is None

    def read_ahead(self, items: Sequence[Received]) -> list[Received]:
        """The same records, those that can be read with their payload: done outside any transaction, while
        the batch before is applied. What cannot be read is left for `apply`, which says why.
        """
        ahead = []
        for item in items:
            if item.data is not None and item.problem is None and (route := self._routes.get(item.type)) is not None:
                with contextlib.suppress(Exception):  # whatever it is, it comes again where its policy is known
                    item = Received(*item[:-1], route[0].read(item.data))
            ahead.append(item)
        return ahead

    async def apply(
        self, unit: Unit, items: Sequence[Received], *, blamed: tuple[Received, str] | None = None
    ) -> Outcome:
        """Applies records in order. `blamed` names one of them that is to be parked, with its reason.

        Raises one of `ABOUT_THE_EVENT` when a handler refuses; the unit is then to be rolled back, and the
        caller finds the culprit by applying smaller parts.
        """
        outcome = Outcome()
        mine = [item for item in items if self.concerns(item)]
        outcome.skipped = len(items) - len(mine)
        if not mine:
            return outcome
        fresh, held = await self._enter(unit, mine, outcome)
        passing = await self._past_the_parked(unit, fresh, held, blamed, outcome)
        events = await self._newer(unit, passing, outcome)
        await self._hand_over(unit, events)
        outcome.applied = events
        return outcome

    async def settle(self, open_unit: OpenUnit, items: Sequence[Received]) -> list[Outcome]:
        """Applies records whatever they are: one transaction, or more around events that have to be parked.

        Raises only what is not about an event. What had its effect by then is known by the inbox when the same
        records are settled again.
        """
        try:
            async with open_unit(items) as unit:
                return [await self.apply(unit, items)]
        except ABOUT_THE_EVENT as error:
            if len(items) == 1:
                async with open_unit(items) as unit:
                    return [await self.apply(unit, items, blamed=(items[0], reason_of(error)))]
        half = len(items) // 2
        return [*await self.settle(open_unit, items[:half]), *await self.settle(open_unit, items[half:])]

    async def replay(self, unit: Unit, item: Received) -> bool:
        """Applies one parked record again, its inbox row being there already. Returns False when it is outdated.

        Raises one of `ABOUT_THE_EVENT` when it still cannot be applied.
        """
        self.check(item)
        outcome = Outcome()
        events = await self._newer(unit, [item], outcome)
        await self._hand_over(unit, events)
        return bool(events)

    def check(self, item: Received) -> None:
        """Raises `EventRefused` with the reason when this consumer cannot read a record, whatever it says."""
        if item.problem is None and not self.concerns(item):
            raise EventRefused(f"{self.consumer.name} no longer handles this type")
        if reason := self._unreadable(item):
            raise EventRefused(reason)
        if item.data is not None:
            try:
                self._routes[item.type][0].read(item.data)
            except ValidationError as error:
                raise EventRefused(_first_of(error)) from error

    # --- the steps ---------------------------------------------------------------------------------

    async def _enter(
        self, unit: Unit, items: Sequence[Received], outcome: Outcome
    ) -> tuple[list[Received], set[tuple[str, str]]]:
        """Puts the ids into the inbox. Returns what is new, in order, and the (topic, key) that are held."""
        first: dict[Any, Received] = {}
        for item in items:
            first.setdefault(item.id, item)
        places = {(item.topic, item.key) for item in items}
        topics, keys = [topic for topic, _ in places], [key for _, key in places]
        ids = sorted(first)  # two replicas that insert overlapping ids in different orders would deadlock
        # a tombstone that comes late still erases
        never_too_old = [first[id_].type in self._from_the_start or self._is_tombstone(first[id_]) for id_ in ids]
        rows = await unit.connection.fetch(
            ENTER, self.consumer.name, ids, topics, keys, never_too_old, unit.now,
            [first[id_].partition for id_ in ids], [first[id_].offset for id_ in ids],
        )  # fmt: skip
        known = {row[0] for row in rows}
        fresh = [item for item in first.values() if item.id not in known]
        outcome.duplicates = len(items) - len(fresh)
        held = {(row[1], row[2]) for row in rows if row[0] is None}
        if fresh and len(fresh) < len(first):
            # the statement may have waited for a replica that lost these partitions and still settled its batch:
            # what that one parked meanwhile is not in the statement's own snapshot
            again = await unit.connection.fetch(HELD, self.consumer.name, topics, keys)
            held = {(row[0], row[1]) for row in again}
        return fresh, held

    async def _past_the_parked(
        self,
        unit: Unit,
        items: Sequence[Received],
        held: set[tuple[str, str]],
        blamed: tuple[Received, str] | None,
        outcome: Outcome,
    ) -> list[Received]:
        name = self.consumer.name
        passing: list[Received] = []
        for item in items:
            if not held and blamed is None and item.data is not None and self._unreadable(item) is None:
                passing.append(item)
                continue
            place = (item.topic, item.key)
            reason = blamed[1] if blamed is not None and item.id == blamed[0].id else self._unreadable(item)
            if self._is_tombstone(item) and reason is None:
                if place in held:
                    await unit.connection.execute(FORGET_KEY, name, *place)
                    held.discard(place)
                passing.append(item)
            elif place in held or reason is not None:
                if place not in held:
                    await unit.connection.execute(PARK_KEY, name, *place, unit.now)
                    held.add(place)
                    outcome.keys_parked += 1
                outcome.parked.append((await self._park(unit, item, reason), item, reason))
            else:
                passing.append(item)
        return passing

    def _unreadable(self, item: Received) -> str | None:
        if item.problem is not None:
            return item.problem
        if self._is_tombstone(item):
            return None
        if item.data is None:
            return "an event without data"
        topic = self._routes[item.type][1]
        return None if topic == item.topic else f"this type belongs on the topic {topic}"

    async def _park(self, unit: Unit, item: Received, reason: str | None) -> int:
        number: int = await unit.connection.fetchval(
            PARK, self.consumer.name, item.topic, item.key, item.id, item.type, item.partition, item.offset,
            unit.now, None if reason is None else keepable(reason), headers_to_json(item.headers), item.value,
        )  # fmt: skip
        return number

    async def _newer(self, unit: Unit, items: Sequence[Received], outcome: Outcome) -> list[Event]:
        if not self._state_topics:
            return [self._event(item, unit) for item in items]
        newest: dict[tuple[str, str], Received] = {}
        for item in items:
            if item.topic in self._state_topics:
                place = (item.topic, item.key)
                known = newest.get(place)
                if known is None or item.data is None or (known.data is not None and item.version > known.version):
                    newest[place] = item
        kept: set[tuple[str, str]] = set()
        if newest:
            rows = await unit.connection.fetch(
                NEWER, self.consumer.name, [t for t, _ in newest], [k for _, k in newest],
                [item.version for item in newest.values()], [item.data is None for item in newest.values()],
            )  # fmt: skip
            kept = {(row["topic"], row["key"]) for row in rows}
        events: list[Event] = []
        for item in items:
            if item.topic in self._state_topics:
                place = (item.topic, item.key)
                if place not in kept or newest[place] is not item:
                    outcome.outdated += 1
                    continue
            events.append(self._event(item, unit))
        return events

    def _event(self, item: Received, unit: Unit) -> Event:
        data = item.payload
        type_ = item.type
        if data is None and item.data is not None:
            model, _, _ = self._routes[type_]
            try:
                data = model.read(item.data)
            except ValidationError as error:
                raise EventRefused(_first_of(error)) from error
        elif data is None:
            type_ = self._state_topics[item.topic][0]
        return Event(
            item.id, type_, item.topic, item.key, item.version, item.time or unit.now, item.effective,
            item.actor, item.cause, item.traceparent, data,
        )  # fmt: skip

    async def _hand_over(self, unit: Unit, events: Sequence[Event]) -> None:
        by_handler: dict[Handler, list[Event]] = {}
        for event in events:
            by_handler.setdefault(self._routes[event.type][2], []).append(event)
        for handler, some in by_handler.items():
            await handler(unit, some)


def headers_to_json(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Headers as they came, loss-free: a JSON list of [name, base64 or null]."""
    return orjson.dumps(
        [[name.replace("\x00", "\ufffd"), None if raw is None else b64encode(raw).decode()] for name, raw in headers]
    ).decode()


def counts_by_type(events: Sequence[Event]) -> Counter[str]:
    """How many events there are of each type."""
    return Counter(event.type for event in events)


def _first_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the value"
    return f"{where}: {first['msg']}"


def reason_of(error: Exception) -> str:
    """Why an event could not be applied, for a person and for a column of text."""
    return keepable(f"{type(error).__name__}: {error}")


def keepable(reason: str) -> str:
    """A reason as PostgreSQL can keep it: it may quote from an event what no column holds."""
    return reason.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:500]
