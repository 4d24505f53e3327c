"""Whatever one record holds, no consumer of any service halts over it: it is applied, or set aside with its reason."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import uuid_utils.compat as uuid_utils

import shared.contracts
from services.events.app import DEFINITION as EVENTS
from services.notifications.app import DEFINITION as NOTIFICATIONS
from services.reporting.app import DEFINITION as REPORTING
from shared.contracts.base import Contract, contract_of
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received, headers_of, received
from shared.messaging.events import Consumer
from shared.postgres.pool import Unit

SAMPLES = Path(shared.contracts.__file__).parent / "samples"
CONSUMERS = [(d.name, one) for d in (EVENTS, NOTIFICATIONS, REPORTING) for one in d.consumers]
VALUES: list[Any] = [
    "", "\x00", "\ufffd", "a" * 3000, "\U0001d4b3" * 500, None, 0, -1, 2**31, 2**63 - 1, 1e308, [], {}, [[]], True,
    "9999-12-31", "0001-01-01", "0000-01-01", "infinity", "2026-02-30", "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00", "no-id", "00000000-0000-0000-0000-000000000000",
    "Nowhere/Zone", "ES", "\n\t",
]  # fmt: skip
DAYS = [None, "2026-01-01", "0001-01-01", "9999-12-31"]
TIMES = [
    "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
]  # fmt: skip
ODD_KEYS = ["no-id", "{%s}", "A" * 999]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for name, part in inside for way in [(*path, name), *leaves(part, (*path, name))]]


def with_ids(value: Any, ids: Sequence[str], chance: random.Random) -> Any:
    """The same with ids out of a few, so that records meet."""
    if isinstance(value, dict):
        return {
            name: chance.choice(ids) if name.endswith("_id") and isinstance(part, str) else with_ids(part, ids, chance)
            for name, part in value.items()
        }
    return [with_ids(part, ids, chance) for part in value] if isinstance(value, list) else value


def odd_record(contract: Contract, ids: Sequence[str], chance: random.Random) -> Received:
    """A sample of a contract in which up to two things are not as they should be."""
    sample = orjson.loads((SAMPLES / f"{contract.name}.json").read_bytes())
    data = with_ids(sample, ids, chance)
    for _ in range(chance.choice([0, 1, 1, 2])):
        inside = data
        *way, last = chance.choice(leaves(data))
        for name in way:
            inside = inside[name]
        inside[last] = chance.choice(VALUES)
    key = chance.choice(ids) if chance.random() < 0.9 else chance.choice(ODD_KEYS).replace("%s", ids[0])
    headers = headers_of(
        id=str(uuid_utils.uuid7()), type=contract.type, source=f"/{contract.service}", subject="x/y",
        time=chance.choice(TIMES) if chance.random() < 0.2 else TIMES[0], dataschema=contract.dataschema,
        version=str(chance.choice([1, 2, 3, 2**63 - 1])), effective=chance.choice(DAYS), actor="test",
        cause="test", traceparent=chance.choice([None, "nonsense"]),
    )  # fmt: skip
    return received(
        topic=contract.topic, partition=0, offset=chance.randrange(10**9), timestamp=1_790_000_000_000,
        key=key.encode(), value=None if chance.random() < 0.1 else orjson.dumps(data), headers=headers,
    )  # fmt: skip


@pytest.mark.parametrize(("service", "consumer"), CONSUMERS, ids=[one.name for _, one in CONSUMERS])
async def test_no_record_halts_a_consumer(
    unit_for: Callable[[str], Awaitable[Unit]], service: str, consumer: Consumer
) -> None:
    chance = random.Random(consumer.name)
    contracts = [contract_of(model) for model in consumer.handlers]
    applier = Applier(consumer)
    states = [contract for contract in contracts if contract.kind == "state"]

    whole = await unit_for(service)  # rolled back in the end: other tests need not know any of this

    @asynccontextmanager
    async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
        async with whole.connection.transaction():
            yield whole

    for number in range(12):
        ids = [str(uuid_utils.uuid7()) for _ in range(3)]
        items = [odd_record(chance.choice(contracts), ids, chance) for _ in range(15)]
        for contract in states if number == 0 else ():
            for key in ODD_KEYS:
                gone = odd_record(contract, ids, chance)
                items.append(
                    received(
                        topic=contract.topic, partition=0, offset=chance.randrange(10**9), timestamp=gone.offset,
                        key=key.replace("%s", ids[0]).encode(), value=None, headers=[],
                    )
                )  # fmt: skip
        outcomes = await applier.settle(unit, applier.read_ahead(items))
        seen = sum(len(one.applied) + len(one.parked) + one.outdated + one.duplicates for one in outcomes)
        assert seen == len(items)
