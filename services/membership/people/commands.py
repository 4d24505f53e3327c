"""Use cases of representatives: add, correct, place, end, consent, erase. Never opens, commits or reads a clock.

Each locks the organisation before its people, so that caps and main contacts hold when two come at once.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.decisions import still_at
from services.membership.organizations import store as organizations
from services.membership.organizations.domain import NoSuchOrganization
from services.membership.people import domain, store, views
from services.membership.people.domain import (
    Consent,
    Language,
    MailTaken,
    NoSuchPerson,
    NotOnThatDay,
    Person,
    Purpose,
    Representation,
)
from services.membership.recording import Logged, log_changes
from shared.contracts.membership import PersonRole, PersonState
from shared.http.inputs import Day, Line, Mail, OptionalLine, Unfit
from shared.messaging.outbox import Erased, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in

ZONE = "America/Mexico_City"
"""Where days are taken for an organisation, which has no zone of its own."""


_PHONE = re.compile(r"\+?[0-9(][0-9 ().-]{5,28}[0-9]( ?(ext\.?|x) ?[0-9]{1,6})?")


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text):
        raise Unfit("is not a telephone number, such as +52 81 8123 4567")
    return text


def _blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Phone = Annotated[Annotated[Line, AfterValidator(_phone)] | None, BeforeValidator(_blank)]


class NewRepresentative(BaseModel):
    """Somebody who speaks for an organisation from today or an earlier day on; known by mail."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    mail: Mail
    role: PersonRole = "other"
    language: Language = "es"
    phone: Phone = Field(default=None, examples=["+52 81 8123 4567"])
    main: bool = False
    since: Day | None = None
    note: OptionalLine = None


class ConsentGiven(BaseModel):
    """Somebody agreed or withdrew; `note` says how it was said, or why."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    given: bool
    note: Line


async def add_representative(
    unit: Unit, organization_id: UUID, *, name: str, mail: str, role: PersonRole = "other",
    language: Language = "es", phone: str | None = None, main: bool = False, since: date | None = None,
    note: str | None = None,
) -> Person:  # fmt: skip
    """Somebody speaks for an organisation; who is known by this mail stays as they are called and speaks for both.

    The first is the main contact. Raises `NoSuchOrganization`, `TooManyRepresentatives`, `AlreadySpeaks`,
    `NotOnThatDay`.
    """
    today = await _organization(unit, organization_id)
    there = await store.lock_of(unit.connection, [organization_id])
    since = _come(since or today, today, "since")
    known = (await store.lock_by_mail(unit.connection, [mail])).get(domain.mail_key(mail))
    before = known or Person(uuid_utils.uuid7(), organization_id, name, mail, language, 0)
    after = domain.speaking(before, Representation(organization_id, role, main or not there, phone, since))
    domain.require_room(len(there), await views.most_allowed(unit.connection, organization_id, since))
    if main:
        await _no_main(unit, there, organization_id)
    return await _save(unit, before, after, note, organization_id, new=known is None)


async def correct_person(
    unit: Unit, person_id: UUID, values: Mapping[str, Any], *, note: str | None = None, expected: int | None = None
) -> Person:
    """Other values of some of name, mail, language. Raises `NoSuchPerson`, `MailTaken`, `ChangedMeanwhile`."""
    before = await _locked(unit, person_id, expected)
    return await _save(unit, before, domain.corrected(before, values), note)


async def place_representative(
    unit: Unit, organization_id: UUID, person_id: UUID, values: Mapping[str, Any], *, note: str | None = None,
    expected: int | None = None,
) -> Person:  # fmt: skip
    """Another role or phone at one organisation. Raises `NoSuchPerson`, `ChangedMeanwhile`."""
    before = await _locked(unit, person_id, expected)
    return await _save(unit, before, domain.placed(before, organization_id, values), note, organization_id)


async def set_main_contact(
    unit: Unit, organization_id: UUID, person_id: UUID, *, note: str | None = None, expected: int | None = None
) -> Person:
    """Who is written to first; whoever it was is it no more.

    Raises `NoSuchOrganization`, `NoSuchPerson`, `ChangedMeanwhile`.
    """
    await _organization(unit, organization_id)
    there = await store.lock_of(unit.connection, [organization_id])
    before = await _locked(unit, person_id, expected)
    after = domain.placed(before, organization_id, {"main": True})
    await _no_main(unit, [one for one in there if one.id != person_id], organization_id)
    return await _save(unit, before, after, note, organization_id)


async def end_representation(
    unit: Unit, organization_id: UUID, person_id: UUID, *, note: str, effective: date | None = None,
    expected: int | None = None,
) -> Person:  # fmt: skip
    """Somebody speaks for an organisation no more. Raises `NoSuchPerson`, `NotOnThatDay`, `ChangedMeanwhile`."""
    today = await _organization(unit, organization_id)
    before = await _locked(unit, person_id, expected)
    after = domain.ended(before, organization_id, _come(effective or today, today, "effective"))
    return await _save(unit, before, after, note, organization_id)


async def record_consent(unit: Unit, person_id: UUID, *, purpose: Purpose, given: bool, note: str) -> Consent:
    """Somebody agreed or withdrew; `note` says how or why. Raises `NoSuchPerson`."""
    await _locked(unit, person_id, None)
    line = Consent(uuid_utils.uuid7(), purpose, given, unit.now, note, unit.actor)
    await store.add_consent(unit.connection, person_id, line)
    return line


async def cap_representatives(unit: Unit, cluster_id: UUID, most: int, *, since: date | None = None) -> date:
    """How many may speak for a member of a cluster from a day on, which is given back. Raises `NoSuchCluster`."""
    found = await clusters.lock(unit.connection, [cluster_id])
    if not found:
        raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
    on = since or day_in(found[0].zone, unit.now)
    await store.set_cap(unit.connection, cluster_id, on, most)
    return on


async def erase_person(unit: Unit, person_id: UUID, *, reason: str | None = None) -> None:
    """Removes a person here and, by a record without a value, everywhere else. Raises `NoSuchPerson`.

    That, when and why stands in the change log, which says nothing any more of what was changed before.
    """
    person = await _locked(unit, person_id, None)
    await store.delete(unit.connection, [person_id])
    await store.forget_changes(unit.connection, person_id)
    await log_changes(unit, [Logged("person", person_id, person.version + 1, reason)])
    await record(unit, [Erased(str(person_id), person.version + 1, PersonState)])


async def _organization(unit: Unit, organization_id: UUID) -> date:
    """Today, with the organisation locked."""
    if not await organizations.lock(unit.connection, [organization_id]):
        raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
    return day_in(ZONE, unit.now)


async def _locked(unit: Unit, person_id: UUID, expected: int | None) -> Person:
    found = await store.lock(unit.connection, [person_id])
    if not found:
        raise NoSuchPerson("there is no person {id}", id=person_id, field="person_id")
    still_at(found[0].version, expected)
    return found[0]


def _come(day: date, today: date, name: str) -> date:
    if day > today:
        raise NotOnThatDay("{name}: {day} is still to come", name=name, day=day, field=name)
    return day


async def _no_main(unit: Unit, people: list[Person], organization_id: UUID) -> None:
    for one in people:
        after = domain.placed(one, organization_id, {"main": False})
        await _save(unit, one, after, None, organization_id)


async def _save(
    unit: Unit, before: Person, after: Person, note: str | None, organization_id: UUID | None = None, *,
    new: bool = False,
) -> Person:  # fmt: skip
    if after is before:
        return before
    try:
        async with unit.connection.transaction():
            await (store.insert if new else store.update)(unit.connection, [after])
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "person_mail_is_unique":
            raise
        raise MailTaken("somebody else is known by this mail address", field="mail") from None
    fields = domain.differences(before, after, organization_id)
    await log_changes(unit, [Logged("person", after.id, after.version, note, fields)])
    await record(unit, [store.state_record(after)])
    return after
