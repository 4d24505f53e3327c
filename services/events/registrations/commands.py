"""Use cases of registrations: oneself or several colleagues at once, each at the price of their organisation.

All of them or none, in one transaction under the lock of the gathering's places. Never opens, commits or reads a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.events.gatherings import store as gatherings
from services.events.gatherings.domain import Gathering, NoSuchGathering
from services.events.places import commands as places
from services.events.places import store
from services.events.places.commands import By
from services.events.places.domain import Entrant, MomentAhead, Registration
from services.events.registrations import domain, views
from services.events.registrations.domain import NoSuchOrganization, Quote
from shared.postgres.pool import Connection, Unit


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to be registered. `person_id` is their account, where they register themselves."""

    name: str
    mail: str
    language: Literal["es", "en"] = "es"
    person_id: UUID | None = None


async def register(
    unit: Unit, gathering_id: UUID, people: Sequence[Person], *, organization_id: UUID | None, organizer: bool,
    at: datetime | None = None,
) -> list[Registration]:  # fmt: skip
    """Registers all of them, in this order: some confirmed, the rest waiting.

    `at` is when they registered, for what the organiser enters afterwards. Raises `NoSuchGathering`,
    `RegistrationClosed`, `NoSuchOrganization`, `AlreadyRegistered`, `NoPlaceLeft`, `MomentAhead`.
    """
    seating = await places.locked(unit, gathering_id)
    # read behind the lock: whoever cancels or changes it has the same one
    one = await _gathering(unit.connection, gathering_id)
    domain.require_open(one, unit.now, organizer=organizer)
    assert seating is not None
    if at is not None and at > unit.now:
        raise MomentAhead("this time has not come yet", field="at")
    moment = at or unit.now
    quote = await quoted(unit.connection, one, organization_id, moment)
    known = await views.organization(unit.connection, organization_id) if organization_id else None
    who = [
        Entrant(
            uuid_utils.uuid7(), places.new_code(), person.name, person.mail, person.language,
            known.id if known else None, person.person_id, quote.group, quote.amount, quote.currency, moment,
            unit.actor,
        )
        for person in people
    ]  # fmt: skip
    return await places.enter(unit, seating, who)


async def cancel(unit: Unit, registration_id: UUID, by: By, reason: str | None = None) -> Registration:
    """They do not come. Raises `HasBegun`, and what `places.cancel` raises."""
    if by == "registrant" and (one := await store.load(unit.connection, registration_id)) is not None:
        domain.require_not_begun(await _gathering(unit.connection, one.gathering_id), unit.now)
    return await places.cancel(unit, registration_id, by, reason)


async def quoted(connection: Connection, one: Gathering, organization_id: UUID | None, at: datetime) -> Quote:
    """What somebody of this organisation pays, and why. Raises `NoSuchOrganization`."""
    members = None
    if organization_id is not None:
        if await views.organization(connection, organization_id) is None:
            raise NoSuchOrganization("there is no organisation {id} here", id=organization_id,
                                     field="organization_id")  # fmt: skip
        members = await views.members(connection, organization_id)
    return domain.quoted(one, members, one.today(at))


async def _gathering(connection: Connection, gathering_id: UUID) -> Gathering:
    found = await gatherings.load(connection, [gathering_id])
    if not found:
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    return found[0]
