"""Types that a consumer takes on, leaves off and takes on again: nothing passes by unseen, nothing comes twice."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import MembershipActivated
from shared.messaging.backfill import backfill
from shared.messaging.cloudevents import Received
from shared.messaging.events import Consumer
from shared.messaging.feed import FeedClient
from shared.messaging.listening import StillListening, refuse_while_somebody_listens
from shared.postgres.pool import Database
from shared.runtime.service import Definition, running
from shared.runtime.settings import Settings
from tests.service.bus.records import Effects, activated, item, person, raw, resigned, until
from tests.service.bus.test_apply import settle
from tests.service.bus.test_consumer import definition, joined, produce
from tests.service.bus.test_horizon import BEHIND, id_of

MakeSettings = Callable[..., Settings]


def feed_of(facts: Sequence[Received] = (), states: Sequence[Received] = ()) -> Callable[[str], FeedClient]:
    """A feed that holds this."""

    class Feed(FeedClient):
        async def raw(self, path: str = "", **query: str | int) -> Any:
            return {"sequence": 1}

        async def facts(self, after: int = 0, *, until: int | None = None, limit: int = 2000) -> Any:
            yield list(enumerate(facts, 1))

        async def states(self, aggregate: str, *, limit: int = 2000) -> Any:
            yield states

    return lambda service: Feed(service, "http://nowhere", None)


def earlier(effects: Effects) -> Definition:
    """The version before, which knows one type only."""
    return Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: effects.handle})])


async def test_what_an_earlier_version_passed_over_after_a_roll_back_is_not_lost(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database
) -> None:
    """Forward, back, forward: the offsets are past what the version in between did not handle."""
    settings = kafka_settings("reporting", relay_enabled=False)
    key = uuid_utils.uuid7()
    ids = [uuid_utils.uuid7() for _ in range(3)]
    async with running(definition(effects), settings) as service:
        await joined(service)
        await produce(settings, raw(resigned(key), key, 1, id=ids[0]))
        await until(lambda: effects.rows(reporting.pool, key))
    async with running(earlier(effects), settings) as service:
        await joined(service)
        await produce(settings, raw(resigned(key), key, 2, id=ids[1]), raw(activated(key), key, 3, id=ids[2]))
        await until(lambda: _versions(effects, reporting, [1, 3]))
    async with running(definition(effects), settings) as service:
        await until(lambda: "cumulo backfill reporting" in (service.consumers[0].not_ready() or ""))
        facts = [item(resigned(key), key, version, id=ids[version - 1]) for version in (1, 2)]
        done = await backfill(reporting, effects.consumer(), feed_of([*facts, item(activated(key), key, 3, id=ids[2])]))
        assert (done["applied"], done["duplicates"]) == (1, 1)
        await joined(service)
    assert await _versions(effects, reporting, [1, 3, 2])


async def _versions(effects: Effects, reporting: Database, versions: list[int]) -> bool:
    return [row[0] for row in await effects.rows(reporting.pool)] == versions


async def test_what_was_applied_long_before_a_type_was_left_off_is_not_applied_again(
    reporting: Database, effects: Effects
) -> None:
    """The inbox has forgotten its id; only of a type that is new at all everything is new."""
    await reporting.pool.execute(BEHIND, effects.name)
    model = MembershipActivated.__name__
    left_off = [name for name in effects.consumer().types if model in name]
    await reporting.pool.execute("UPDATE consumer SET left_off = $2 WHERE name = $1", effects.name, left_off)
    key = uuid_utils.uuid7()
    old = id_of(datetime.now(UTC) - timedelta(days=400))
    facts = [
        item(activated(key), key, 1, id=old),
        item(resigned(key), key, 2, id=id_of(datetime(2024, 1, 1, tzinfo=UTC))),
    ]
    done = await backfill(reporting, effects.consumer(), feed_of(facts))
    assert (done["applied"], done["duplicates"]) == (1, 1)
    assert await _versions(effects, reporting, [2])


async def test_who_was_erased_while_a_state_was_left_off_is_erased_by_its_backfill(
    reporting: Database, effects: Effects
) -> None:
    """The snapshot holds who is there; the erasure lies behind the offsets."""
    stays, gone = uuid_utils.uuid7(), uuid_utils.uuid7()
    await settle(reporting, effects, [item(person(key), key, 1) for key in (stays, gone)])
    await reporting.pool.execute("INSERT INTO consumer (name, types) VALUES ($1, '{}')", effects.name)
    await backfill(reporting, effects.consumer(), feed_of(states=[item(person(stays), stays, 1)]))
    assert (await effects.rows(reporting.pool, gone))[-1][2] is None
    assert len(await effects.rows(reporting.pool, stays)) == 1
    # for good, as a tombstone on the topic does
    assert (await settle(reporting, effects, [item(person(gone), gone, 9)])).outdated == 1


@pytest.mark.requires_real_kafka
async def test_a_backfill_is_refused_while_replicas_without_the_new_types_read_on(
    kafka_settings: MakeSettings, effects: Effects
) -> None:
    """What came between its barrier and their stop would pass by unseen."""
    settings = kafka_settings("reporting", relay_enabled=False, kafka_session_seconds=6)
    await refuse_while_somebody_listens(settings, effects.consumer())  # no such group yet
    async with running(earlier(effects), settings) as service:
        await joined(service)
        with pytest.raises(StillListening, match=effects.name):
            await refuse_while_somebody_listens(settings, effects.consumer())

    async def free() -> bool:
        try:
            await refuse_while_somebody_listens(settings, effects.consumer())
        except StillListening:
            return False
        return True

    await until(free, 30)


@pytest.mark.requires_real_kafka
@pytest.mark.parametrize("more", [True, False])
async def test_a_version_that_listens_to_other_topics_under_the_same_name_is_given_those(
    kafka_settings: MakeSettings, effects: Effects, reporting: Database, more: bool
) -> None:
    """Kafka gives a member that is back under its name what it had: topics nobody asks for, or none of the new ones."""
    settings = kafka_settings("reporting", relay_enabled=False, kafka_session_seconds=6)
    key = uuid_utils.uuid7()
    wide, narrow = definition(effects), earlier(effects)
    await reporting.pool.execute(
        "INSERT INTO consumer (name, types) VALUES ($1, $2)", effects.name, list(effects.consumer().types)
    )
    async with running(narrow if more else wide, settings) as service:
        await joined(service)
        await produce(settings, raw(activated(key), key, 1))
        await until(lambda: effects.rows(reporting.pool))
    await reporting.pool.execute("UPDATE consumer SET types = $2 WHERE name = $1", effects.name,
                                 list(effects.consumer().types))  # fmt: skip
    async with running(wide if more else narrow, settings) as service:
        await produce(settings, raw(person(key), key, 1) if more else raw(activated(key), key, 2))
        await until(lambda: _count(effects, reporting, 2))
        assert service.consumers[0].not_ready() is None


async def _count(effects: Effects, reporting: Database, count: int) -> bool:
    return len(await effects.rows(reporting.pool)) == count
