"""No order between keys is promised: every interleaving of the records leaves the same copy."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.events.consumers import CONSUMERS
from shared.contracts.membership import OrganizationMerged, OrganizationState, StandingState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Unit
from tests.conftest import UnitFor
from tests.service.bus.records import item
from tests.service.events.test_members import cluster, organization, standing

IDS = [UUID(int=0x0199_0000_0000_7000_8000_0000_0000_0000 + n) for n in range(7)]
HOME, AWAY, FIRM, GONE, FIRST, SECOND, THIRD = IDS
DAY = date(2024, 3, 15)


def records() -> list[list[Received]]:
    """What was published, key by key: renewed rows, an erased organisation, a membership that comes and goes."""
    return [
        [cluster(HOME, "costa")],
        [cluster(AWAY, "agave")],
        [organization(FIRM, "Ocotillo"), organization(FIRM, "Ocotillo Norte", 2)],
        [organization(GONE, "Nazas"), item(OrganizationState, GONE, 2)],
        [item(OrganizationMerged(organization_id=GONE, into_id=FIRM), GONE, 3)],
        [standing(FIRST, FIRM, HOME, DAY), standing(FIRST, FIRM, HOME, DAY, date(2026, 1, 1), 2)],
        [standing(SECOND, GONE, AWAY, DAY)],
        [standing(THIRD, FIRM, AWAY, DAY), item(StandingState, THIRD, 2)],
    ]


async def fold(unit: Unit, batches: Sequence[Sequence[Received]]) -> dict[str, list[tuple[Any, ...]]]:
    """The copy after these batches, from nothing; nothing of it stays."""
    transaction = unit.connection.transaction()
    await transaction.start()
    try:
        for batch in batches:
            for consumer in CONSUMERS:
                await Applier(consumer).apply(unit, batch)
        found = {}
        for table in ("organization", "cluster", "standing", "merged_organization"):
            mine = f"SELECT * FROM {table} t WHERE t::text ~ ANY ($1) ORDER BY t"
            rows = await unit.connection.fetch(mine, [str(id_) for id_ in IDS])
            found[table] = [tuple(row) for row in rows]
        return found
    finally:
        await transaction.rollback()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_interleaving_in_any_batches_leaves_the_same_copy(data: st.DataObject, unit_for: UnitFor) -> None:
    unit = await unit_for("events")
    expected = await fold(unit, [[each for queue in records() for each in queue]])
    assert [len(rows) for rows in expected.values()] == [1, 2, 2, 1]
    queues, order = records(), list[Received]()
    while any(queues):
        order.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    batches = []
    while order:
        size = data.draw(st.integers(1, 5))
        # what the bus delivers twice comes twice
        batches.append(order[: size + data.draw(st.integers(0, 1))])
        order = order[size:]
    assert await fold(unit, batches) == expected
