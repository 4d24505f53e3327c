"""Use cases of merges: two organisations that are one go on as one, or are found to be two.

Everything moves in one transaction: memberships with their days, profile, representatives, who may act for it.
Never opens, commits or reads a clock.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from services.membership.access.commands import giving
from services.membership.clusters import store as clusters
from services.membership.decisions import still_at
from services.membership.memberships import domain as membership_rules
from services.membership.memberships import store as memberships
from services.membership.memberships.domain import Membership
from services.membership.merges import store
from services.membership.organizations import domain as organization_rules
from services.membership.organizations import store as organizations
from services.membership.organizations.commands import ZONE
from services.membership.organizations.domain import NoSuchOrganization, Organization
from services.membership.people import store as people
from services.membership.people.domain import carried_over
from services.membership.profiles import domain as profile_rules
from services.membership.profiles import store as profiles
from services.membership.profiles.domain import NotABranch
from services.membership.recording import Logged, log_changes, records
from shared.contracts.membership import MembershipTransferred, OrganizationState, ProfileState, StandingState
from shared.messaging.outbox import Erased, Record, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.refusal import Refusal

CHOSEN = ("legal_name", "trade_name", "type", "country", "state", "city", "tax_number")
"""What is taken from either; positions, codes, certificates, sites and days are those of both."""

Records = list[Record | Erased]


class TheSame(Refusal):
    """One organisation was named twice."""


class NotOfEither(Refusal):
    """A value that neither of the two has."""


async def merge_organizations(
    unit: Unit, stays_id: UUID, goes_id: UUID, *, values: Mapping[str, Any], note: str,
    stays_at: int | None = None, goes_at: int | None = None,
) -> Organization:  # fmt: skip
    """The second goes on as the first. `values` are fields of the first that become as they are with the second.

    Raises `TheSame`, `NoSuchOrganization`, `ChangedMeanwhile`, `NotOfEither`, `DecideFirst`, `NotABranch`, `TooMany`.
    """
    if stays_id == goes_id:
        raise TheSame("these are one organisation already", field="goes")
    found = {one.id: one for one in await organizations.lock(unit.connection, sorted((stays_id, goes_id)))}
    for name, id_ in (("stays", stays_id), ("goes", goes_id)):
        if id_ not in found:
            raise NoSuchOrganization("there is no organisation {id}", id=id_, field=name)
    stays, goes = found[stays_id], found[goes_id]
    still_at(stays.version, stays_at)
    still_at(goes.version, goes_at)
    for name, value in values.items():
        if name not in CHOSEN or value not in (getattr(stays, name), getattr(goes, name)):
            raise NotOfEither("{name}: choose the value of one of the two", name=name, field=name)
    filled = {name: getattr(goes, name) for name in ("state", "city", "tax_number")
              if getattr(stays, name) is None and name not in values and goes.country == stays.country}  # fmt: skip
    on = day_in(ZONE, unit.now)
    after, facts, differences = organization_rules.merged(stays, goes, {**filled, **values}, on)

    out: Records = []
    out += await _memberships(unit, stays, goes)
    out += await _profile(unit, stays, goes)
    out += await _people(unit, stays, goes)
    await giving.carry_over(unit, goes.id, stays.id)
    await store.move_vouchers(unit.connection, goes.id, stays.id)
    await store.forget_pairs(unit.connection, goes.id)
    await store.keep_organization(unit, goes, stays.id)
    await organizations.delete(unit.connection, [goes.id])
    if differences:
        await organizations.update(unit.connection, [after])
        out += records(after.id, after.version, facts, after.published())
    [last] = organization_rules.gone(goes, stays.id, on)
    out += [
        Record(str(goes.id), goes.version + 1, last.fact, last.effective),
        Erased(str(goes.id), goes.version + 1, OrganizationState),
    ]
    lines = [Logged("organization", goes.id, goes.version + 1, note, {"merged": (goes.legal_name, after.legal_name)})]
    if differences:
        lines.append(Logged("organization", after.id, after.version, note, differences))
    await log_changes(unit, lines)
    await record(unit, out)
    return after


async def keep_apart(unit: Unit, one_id: UUID, other_id: UUID) -> None:
    """Two organisations were looked at and are two. Raises `TheSame`, `NoSuchOrganization`."""
    if one_id == other_id:
        raise TheSame("these are one organisation already", field="other")
    there = await organizations.existing(unit.connection, [one_id, other_id])
    for name, id_ in (("one", one_id), ("other", other_id)):
        if id_ not in there:
            raise NoSuchOrganization("there is no organisation {id}", id=id_, field=name)
    await store.are_two(unit, one_id, other_id)


async def _memberships(unit: Unit, stays: Organization, goes: Organization) -> Records:
    ids = await store.memberships_of(unit.connection, [stays.id, goes.id])
    found = await memberships.load(unit.connection, ids)
    own = {one.cluster_id: one for one in found if one.organization_id == stays.id}
    zones = {one.id: one.zone for one in await clusters.load(unit.connection, [m.cluster_id for m in found])}
    out: Records = []
    for one in (m for m in found if m.organization_id == goes.id):
        on = day_in(zones[one.cluster_id], unit.now)
        # what was merged into it before goes along: its days are those of the organisation that stays
        for id_, category, version in await store.following(unit.connection, one.id):
            fact = MembershipTransferred(membership_id=id_, organization_id=stays.id, cluster_id=one.cluster_id,
                                         category=category, former_id=goes.id)  # fmt: skip
            out.append(Record(str(id_), version, fact, on))
        if (present := own.get(one.cluster_id)) is None:
            after, facts = membership_rules.transferred(one, stays.id, on)
            await store.transfer(unit.connection, after)
            out += records(after.id, after.version, facts, after.published())
        else:
            out += await _absorbed(unit, present, one, membership_rules.absorbed(present, one, on), on)
    return out


async def _absorbed(
    unit: Unit, stays: Membership, goes: Membership, decision: tuple[Membership, list[Any], list[Any]], on: date
) -> Records:
    after, facts, [last] = decision
    await store.keep_membership(unit.connection, goes, stays.id, on)
    await memberships.delete(unit.connection, [goes.id])
    out: Records = [
        Record(str(goes.id), goes.version + 1, last.fact, last.effective),
        Erased(str(goes.id), goes.version + 1, StandingState),
    ]
    if facts:
        await memberships.update(unit.connection, [after])
        out += records(after.id, after.version, facts, after.published())
        await log_changes(
            unit, [Logged("membership", after.id, after.version, None, {"standing": (stays.standing, after.standing)})]
        )
    return out


async def _profile(unit: Unit, stays: Organization, goes: Organization) -> Records:
    connection = unit.connection
    both = await profiles.load(connection, [stays.id, goes.id])
    out: Records = []
    branches = await profiles.branches_of(connection, goes.id)
    one, other = both[stays.id], both[goes.id]
    if branches and one.parent_id not in (None, goes.id):
        raise NotABranch(
            "{name} is a branch and the other has branches; say first which is whose", name=stays.trade_name
        )
    on = day_in(ZONE, unit.now)
    if other.version or one.parent_id == goes.id:
        after, facts = profile_rules.merged(one, other, on)
        if facts:
            await profiles.save(connection, after)  # takes certificates and sites over
            out += records(stays.id, after.version, facts, after.published())
        await profiles.delete(connection, goes.id)
        if other.version:
            out.append(Erased(str(goes.id), other.version + 1, ProfileState))
    for branch in await profiles.lock(connection, [id_ for id_ in branches if id_ != stays.id]):
        after, facts, _ = profile_rules.described(branch, {"parent_id": stays.id}, on)
        await profiles.save(connection, after)
        out += records(branch.organization_id, after.version, facts, after.published())
    return out


async def _people(unit: Unit, stays: Organization, goes: Organization) -> Records:
    theirs = await people.ever_of(unit.connection, goes.id)
    ours = await people.ever_of(unit.connection, stays.id)
    # one main contact is one: that of the organisation that stays
    main = not any(one.main for person in ours for one in person.represents if one.organization_id == stays.id)
    out: Records = []
    for one in theirs:
        after = carried_over(one, goes.id, stays.id, main=main)
        await people.update(unit.connection, [after])
        out.append(people.state_record(after))
    return out
