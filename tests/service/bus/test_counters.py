"""Counters of a consumer are there from its start, so that a rate sees the first event that counts."""

import pytest

from shared.contracts.base import contract_of
from shared.contracts.membership import MembershipActivated
from shared.messaging.events import Consumer
from shared.runtime.service import Definition
from tests.conftest import ClientFor
from tests.service.bus.records import Effects

EACH = ("duplicates", "skipped", "outdated", "parked", "consumer_retries")


@pytest.mark.parametrize("name", EACH)
async def test_a_counter_of_a_consumer_begins_at_nought(client_for: ClientFor, effects: Effects, name: str) -> None:
    listener = Definition("reporting", consumers=[Consumer(effects.name, {MembershipActivated: effects.handle})])
    client = await client_for("reporting", kafka=True, definition=listener, relay_enabled=False)
    told = (await client.get("/reporting/metrics")).text.splitlines()
    assert f'cumulo_{name}_total{{consumer="{effects.name}"}} 0.0' in told
    type_ = contract_of(MembershipActivated).type
    assert f'cumulo_applied_total{{consumer="{effects.name}",type="{type_}"}} 0.0' in told
