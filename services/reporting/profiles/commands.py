"""What facts about profiles do to the read model: kept, folded, written as dated rows of sectors and certificates."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from services.reporting.profiles import domain, store
from services.reporting.profiles.domain import ProfileFact
from services.reporting.register import domain as register
from services.reporting.register import store as tables
from services.reporting.register.commands import Apply, new_among, on_the_bus, short
from shared.contracts import membership as contracts
from shared.contracts.base import Published
from shared.messaging.events import Event, Handler
from shared.postgres.pool import Connection, Row, Unit

CONSUMER = "reporting.profiles"
KEPT = ("sectors", "size", "certificate_id", "standard", "since", "until")
"""What of a fact is kept: what some row is made of."""


async def apply_profiles(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Profile facts into one generation."""
    facts = [
        ProfileFact(
            event.data.organization_id, event.version, event.id, short(event.type), event.effective, event.time,
            {name: value for name, value in event.data.model_dump(mode="json").items() if name in KEPT},
        )
        for event in events
    ]  # fmt: skip
    return await fold_profiles(connection, generation, facts)


async def fold_profiles(connection: Connection, generation: int, facts: Sequence[ProfileFact]) -> set[UUID]:
    """Keeps the facts that are new and folds the profiles that they concern."""
    rows = await tables.known_facts(connection, store.FACTS, generation, [fact.organization_id for fact in facts])
    grown, new, had = new_among([read(row) for row in rows], facts)
    await tables.add_facts(
        connection, store.FACTS, generation, [(*fact[:-1], orjson.dumps(fact.data).decode()) for fact in new]
    )
    for table, after in ((store.SECTORS, domain.after_sectors), (store.CERTIFICATES, domain.after_certificates)):
        folded = {key: register.periods(some, after) for key, some in grown.items()}
        await tables.replace_periods(connection, table, generation, folded, had)
    return set()


def read(row: Row | Sequence[Any]) -> ProfileFact:
    """A row of `profile_fact`."""
    return ProfileFact(row[0], row[1], row[2], row[3], row[4], row[5], orjson.loads(row[6]))


async def take_profiles(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all profile facts that figures are made of."""
    await on_the_bus(unit, events, apply_profiles, family="profiles")


APPLIED: Mapping[type[Published], Apply] = {
    contracts.CapabilitiesDescribed: apply_profiles,
    contracts.CertificateRecorded: apply_profiles,
    contracts.CertificateRemoved: apply_profiles,
}
TAKEN: Mapping[type[Published], Handler] = dict.fromkeys(APPLIED, take_profiles)


async def carry_over(connection: Connection, generation: int, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Takes rows of facts, as another generation has them, into this one."""
    if table == store.FACTS.name:
        await fold_profiles(connection, generation, [read(row) for row in rows])
