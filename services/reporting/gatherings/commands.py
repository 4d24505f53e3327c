"""What facts about gatherings and registrations do to the read model: kept, folded, written as dated rows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from services.reporting.gatherings import domain, store
from services.reporting.gatherings.domain import GatheringFact, RegistrationFact
from services.reporting.register import domain as register
from services.reporting.register import store as tables
from services.reporting.register.commands import NO_DAY, Apply, new_among, on_the_bus, short
from shared.contracts import events as contracts
from shared.contracts.base import Published
from shared.messaging.events import Event, EventRefused, Handler
from shared.postgres.pool import Connection, Row, Unit

CONSUMER = "reporting.gatherings"
KEPT = ("cluster_id", "kind", "mode", "country", "state", "zone", "starts")
"""What of a fact about a gathering is kept: what its row is made of."""


async def apply_gatherings(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Facts about gatherings into one generation. Raises `EventRefused` for one without its day."""
    facts = []
    for event in events:
        if event.effective is None:
            raise EventRefused(NO_DAY)
        data = {name: value for name, value in event.data.model_dump(mode="json").items() if name in KEPT}
        facts.append(GatheringFact(event.data.gathering_id, event.version, event.id, short(event.type),
                                   event.effective, event.time, data))  # fmt: skip
    return await fold_gatherings(connection, generation, facts)


async def fold_gatherings(connection: Connection, generation: int, facts: Sequence[GatheringFact]) -> set[UUID]:
    """Keeps the facts that are new and folds the gatherings that they concern."""
    table = store.GATHERING_FACTS
    rows = await tables.known_facts(connection, table, generation, [fact.gathering_id for fact in facts])
    grown, new, had = new_among([read_gathering(row) for row in rows], facts)
    await tables.add_facts(
        connection, table, generation, [(*fact[:-1], orjson.dumps(fact.data).decode()) for fact in new]
    )
    folded = {key: register.periods(domain.with_zones(some), domain.after_gathering) for key, some in grown.items()}
    await tables.replace_periods(connection, store.GATHERINGS, generation, folded, had)
    return set()


async def apply_registrations(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Facts about registrations into one generation. Raises `EventRefused` for one without its day."""
    facts = []
    for event in events:
        if event.effective is None:
            raise EventRefused(NO_DAY)
        price = getattr(event.data, "price", None)
        facts.append(RegistrationFact(
            event.data.registration_id, event.version, event.id, short(event.type), event.effective, event.time,
            event.data.gathering_id, event.data.organization_id, price.group if price else None,
        ))  # fmt: skip
    return await fold_registrations(connection, generation, facts)


async def fold_registrations(connection: Connection, generation: int, facts: Sequence[RegistrationFact]) -> set[UUID]:
    """The same for registrations."""
    table = store.REGISTRATION_FACTS
    rows = await tables.known_facts(connection, table, generation, [fact.registration_id for fact in facts])
    grown, new, had = new_among([RegistrationFact(*row) for row in rows], facts)
    await tables.add_facts(connection, table, generation, new)
    folded = {key: register.periods(some, domain.after_registration) for key, some in grown.items()}
    await tables.replace_periods(connection, store.REGISTRATIONS, generation, folded, had)
    return set()


def read_gathering(row: Row | Sequence[Any]) -> GatheringFact:
    """A row of `gathering_fact`."""
    return GatheringFact(row[0], row[1], row[2], row[3], row[4], row[5], orjson.loads(row[6]))


async def take_gatherings(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all facts about gatherings."""
    await on_the_bus(unit, events, apply_gatherings, family="gatherings")


async def take_registrations(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all facts about registrations and attendance."""
    await on_the_bus(unit, events, apply_registrations, family="gatherings")


APPLIED: Mapping[type[Published], Apply] = {
    contracts.GatheringPublished: apply_gatherings,
    contracts.GatheringChanged: apply_gatherings,
    contracts.GatheringPostponed: apply_gatherings,
    contracts.GatheringCancelled: apply_gatherings,
    contracts.GatheringHeld: apply_gatherings,
    contracts.RegistrationConfirmed: apply_registrations,
    contracts.RegistrationWaitlisted: apply_registrations,
    contracts.PlaceOffered: apply_registrations,
    contracts.PlaceOfferLapsed: apply_registrations,
    contracts.RegistrationCancelled: apply_registrations,
    contracts.AttendanceRecorded: apply_registrations,
    contracts.AttendanceWithdrawn: apply_registrations,
}
_HANDLERS: Mapping[Apply, Handler] = {apply_gatherings: take_gatherings, apply_registrations: take_registrations}
TAKEN: Mapping[type[Published], Handler] = {model: _HANDLERS[apply] for model, apply in APPLIED.items()}


async def carry_over(connection: Connection, generation: int, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Takes rows of facts, as another generation has them, into this one."""
    if table == store.GATHERING_FACTS.name:
        await fold_gatherings(connection, generation, [read_gathering(row) for row in rows])
    elif table == store.REGISTRATION_FACTS.name:
        await fold_registrations(connection, generation, [RegistrationFact(*row) for row in rows])
