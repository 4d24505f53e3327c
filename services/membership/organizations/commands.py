"""Use cases of organisations: register and change, one or many. Never opens, commits or reads a clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils

from services.membership.decisions import Decided, still_at
from services.membership.organizations import domain, store
from services.membership.organizations.domain import NoSuchOrganization, Organization, TaxNumberTaken
from services.membership.places import state_code
from services.membership.recording import Logged, log_changes, records
from services.membership.tax_numbers import TaxNumber, company_tax_number
from services.membership.tax_numbers import tax_number as read_tax_number
from shared.contracts.membership import ChainPosition, OrganizationType
from shared.messaging.outbox import record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in

ZONE = "America/Mexico_City"
"""Where days are taken for an organisation, which has no zone of its own."""


async def register_organization(
    unit: Unit,
    *,
    legal_name: str,
    trade_name: str | None = None,
    type: OrganizationType = "company",  # noqa: A002
    country: str = "MX",
    state: str | None = None,
    city: str | None = None,
    tax_number: str | None = None,
    positions: Collection[ChainPosition] = (),
    effective: date | None = None,
) -> tuple[Organization, tuple[str, ...]]:
    """A new organisation, and warnings about its tax number.

    Raises `NameWithoutLetters`, `UnknownState`, `MalformedTaxNumber`, `GenericTaxNumber`,
    `PersonsTaxNumber`, `TaxNumberTaken`.
    """
    read = _read(type, country, tax_number) if tax_number else None
    organization, facts = domain.registered(
        uuid_utils.uuid7(), legal_name=legal_name, trade_name=trade_name, type_=type, country=country,
        state=state_code(country, state) if state else None, city=city, tax_number=read.number if read else None,
        positions=positions, on=effective or day_in(ZONE, unit.now),
    )  # fmt: skip
    if read:
        await _refuse_taken(unit, country, read.number, organization.id)
    [organization] = await with_distinct_slugs(unit, [organization])
    await _saving(store.insert(unit.connection, [organization]))
    await record(unit, records(organization.id, organization.version, facts, organization.published()))
    return organization, read.warnings if read else ()


async def change_organization(
    unit: Unit,
    organization_id: UUID,
    values: Mapping[str, Any],
    *,
    positions: Collection[ChainPosition] | None = None,
    effective: date | None = None,
    note: str | None = None,
    expected: int | None = None,
) -> tuple[Organization, tuple[str, ...]]:
    """New values of some fields: legal_name, trade_name, type, country, state, city, tax_number; and warnings.

    Raises as `register_organization`, `NoSuchOrganization` and `ChangedMeanwhile`. What is the same changes nothing.
    """
    found = await store.lock(unit.connection, [organization_id])
    if not found:
        raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
    still_at(found[0].version, expected)
    checked = dict(values)
    country = checked.get("country", found[0].country)
    if checked.get("state"):
        checked["state"] = state_code(country, checked["state"])
    elif country != found[0].country:
        checked.setdefault("state", None)
    number = checked.get("tax_number", found[0].tax_number if country != found[0].country else None)
    read = _read(checked.get("type", found[0].type), country, number) if number else None
    if read:
        checked["tax_number"] = read.number
        await _refuse_taken(unit, country, read.number, organization_id)
    on = effective or day_in(ZONE, unit.now)
    organization, facts, differences = domain.changed(found[0], checked, positions, on)
    if differences:
        await _saving(store.update(unit.connection, [organization]))
        await record_changed(unit, [(organization, facts, differences, note)])
    return organization, read.warnings if read else ()


async def record_changed(
    unit: Unit, changes: Sequence[tuple[Organization, list[Decided], domain.Differences, str | None]]
) -> None:
    """Facts, states and change log of organisations that were saved."""
    await log_changes(
        unit, [Logged("organization", o.id, o.version, note, differences) for o, _, differences, note in changes]
    )
    await record(unit, [item for o, facts, _, _ in changes for item in records(o.id, o.version, facts, o.published())])


async def with_distinct_slugs(unit: Unit, new: Sequence[Organization]) -> list[Organization]:
    """The same organisations; where a slug is taken, or comes twice here, the end of the id is added."""
    taken = await store.taken_slugs(unit.connection, [o.slug for o in new])
    distinct: list[Organization] = []
    for organization in new:
        if organization.slug in taken:
            organization = replace(organization, slug=domain.distinct_slug(organization.slug, organization.id))
        taken.add(organization.slug)
        distinct.append(organization)
    return distinct


async def _refuse_taken(unit: Unit, country: str, number: str, own: UUID) -> None:
    for other in await store.candidates(unit.connection, [(country, number)], []):
        if other.id != own:
            raise _taken(number)


def _read(type_: OrganizationType, country: str, number: str) -> TaxNumber:
    return company_tax_number(country, number) if type_ == "company" else read_tax_number(country, number)


def _taken(number: str) -> TaxNumberTaken:
    return TaxNumberTaken("tax_number: another organisation has {number}", number=number, field="tax_number")


async def _saving(saved: Any) -> None:
    """A number that another transaction took in the meantime is the same refusal."""
    try:
        await saved
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "organization_tax_number_is_unique":
            raise _taken("this tax number") from None
        raise
