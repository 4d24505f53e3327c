"""Use cases of profiles: describe what an organisation can do, its certificates, its sites.

Never opens, commits or reads a clock. Each locks the organisation, so that two at once follow one another.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat as uuid_utils
from pydantic import BaseModel, ConfigDict, Field

from services.membership.clusters.domain import checked_zone
from services.membership.decisions import still_at
from services.membership.organizations import store as organizations
from services.membership.organizations.commands import ZONE
from services.membership.organizations.domain import NoSuchOrganization
from services.membership.places import state_code, zone_of
from services.membership.profiles import domain, store
from services.membership.profiles.domain import Certificate, Decision, NotABranch, Profile, Site
from services.membership.recording import Logged, log_changes, records
from shared.http.inputs import Country, Day, Line, OptionalLine
from shared.messaging.outbox import record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in


class CertificateChange(BaseModel):
    """A certificate: who gave it, what it covers, from which day and until which (the first day without it)."""

    model_config = ConfigDict(extra="forbid")

    standard: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$", examples=["iatf_16949"])]
    body: Line
    number: OptionalLine = None
    scope: OptionalLine = None
    since: Day
    until: Day
    note: OptionalLine = None


class SiteChange(BaseModel):
    """A plant or office. `state` is a name or an ISO 3166-2 code; without a zone that of the state."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    address: OptionalLine = None
    postcode: OptionalLine = None
    city: OptionalLine = None
    state: OptionalLine = None
    country: Country = "MX"
    zone: OptionalLine = None
    note: OptionalLine = None


async def describe_capabilities(
    unit: Unit, organization_id: UUID, values: Mapping[str, Any], *, note: str | None = None,
    expected: int | None = None,
) -> Profile:  # fmt: skip
    """New values of some of size, parent_id, processes, sectors, products, activities, visibility (part -> level).

    Raises `NoSuchOrganization`, `UnknownCode`, `TooMany`, `UnknownLevel`, `NotABranch`, `ChangedMeanwhile`.
    """
    if values.get("parent_id") is not None:
        await _require_branch(unit, organization_id, values["parent_id"])
    return await _decide(unit, organization_id, lambda p, on: domain.described(p, values, on), note, expected)


async def record_certificate(
    unit: Unit, organization_id: UUID, certificate_id: UUID | None, *, standard: str, body: str,
    number: str | None = None, scope: str | None = None, since: date, until: date, note: str | None = None,
    expected: int | None = None,
) -> Profile:  # fmt: skip
    """A certificate that is new, or what is now known of the one with this id.

    Raises `NoSuchOrganization`, `NoSuchCertificate`, `UnknownCode`, `EndsBeforeItBegins`, `TooMany`,
    `ChangedMeanwhile`.
    """
    made = Certificate(certificate_id or uuid_utils.uuid7(), standard, body, number, scope, since, until)

    def decide(profile: Profile, on: date) -> Decision:
        if certificate_id is not None and certificate_id not in {one.id for one in profile.certificates}:
            raise domain.NoSuchCertificate("there is no certificate {id}", id=certificate_id, field="certificate_id")
        return domain.certified(profile, made, on)

    return await _decide(unit, organization_id, decide, note, expected)


async def remove_certificate(
    unit: Unit, organization_id: UUID, certificate_id: UUID, *, note: str | None = None, expected: int | None = None
) -> Profile:
    """Raises `NoSuchOrganization`, `NoSuchCertificate`, `ChangedMeanwhile`."""
    return await _decide(unit, organization_id, lambda p, on: domain.uncertified(p, certificate_id, on), note, expected)


async def record_site(
    unit: Unit, organization_id: UUID, site_id: UUID | None, *, name: str, address: str | None = None,
    postcode: str | None = None, city: str | None = None, state: str | None = None, country: str = "MX",
    zone: str | None = None, note: str | None = None, expected: int | None = None,
) -> Profile:  # fmt: skip
    """A site that is new, or what is now known of the one with this id. Without a zone that of its state.

    Raises `NoSuchOrganization`, `NoSuchSite`, `UnknownState`, `UnknownZone`, `TooMany`, `ChangedMeanwhile`.
    """
    where = checked_zone(zone) if zone else None
    code = state_code(country, state) if state else None
    made = Site(site_id or uuid_utils.uuid7(), name, address, postcode, city, code, country,
                where or zone_of(country, code))  # fmt: skip

    def decide(profile: Profile, on: date) -> Decision:
        if site_id is not None and site_id not in {one.id for one in profile.sites}:
            raise domain.NoSuchSite("there is no site {id}", id=site_id, field="site_id")
        return domain.settled(profile, made, on)

    return await _decide(unit, organization_id, decide, note, expected)


async def close_site(
    unit: Unit, organization_id: UUID, site_id: UUID, *, note: str | None = None, expected: int | None = None
) -> Profile:
    """Raises `NoSuchOrganization`, `NoSuchSite`, `ChangedMeanwhile`."""
    return await _decide(unit, organization_id, lambda p, on: domain.closed(p, site_id, on), note, expected)


async def _decide(
    unit: Unit, organization_id: UUID, decide: Callable[[Profile, date], Decision], note: str | None,
    expected: int | None,
) -> Profile:  # fmt: skip
    profile = await store.lock_one(unit.connection, organization_id)
    if profile is None:
        raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
    still_at(profile.version, expected)
    after, facts, differences = decide(profile, day_in(ZONE, unit.now))
    if not facts:
        return profile
    await store.save(unit.connection, after)
    await log_changes(unit, [Logged("profile", organization_id, after.version, note, differences)])
    await record(unit, records(organization_id, after.version, facts, after.published()))
    return after


async def _require_branch(unit: Unit, organization_id: UUID, parent_id: UUID) -> None:
    if parent_id == organization_id:
        raise NotABranch("parent_id: an organisation is no branch of itself", field="parent_id")
    # in the order of their ids, so that two who make each other a branch wait instead of dying
    await organizations.lock(unit.connection, sorted((organization_id, parent_id)))
    if not await organizations.existing(unit.connection, [parent_id]):
        raise NotABranch("parent_id: there is no organisation {id}", id=parent_id, field="parent_id")
    if (await store.load(unit.connection, [parent_id]))[parent_id].parent_id is not None:
        raise NotABranch("parent_id: that one is a branch itself", field="parent_id")
    if await store.has_branches(unit.connection, organization_id):
        raise NotABranch("parent_id: this one has branches of its own", field="parent_id")
