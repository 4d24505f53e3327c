"""Use cases of memberships: each step of their life. Never opens, commits or reads a clock."""

from collections.abc import Callable
from datetime import date
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils

from services.membership.applications import commands as applications
from services.membership.clusters import store as clusters
from services.membership.decisions import still_at
from services.membership.memberships import domain, store
from services.membership.memberships.domain import AlreadyApplied, Decision, Membership, NoSuchMembership
from services.membership.organizations import store as organizations
from services.membership.recording import Logged, log_changes, records
from shared.contracts.membership import Category, Standing
from shared.messaging.outbox import record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.refusal import Refusal

_ONE_PER_PAIR = "membership_is_one_per_organization_and_cluster"


class UnknownOrganization(Refusal):
    """The organisation that is to join does not exist."""


class StillAhead(Refusal):
    """A step that would count from a day to come."""


class UnknownCluster(Refusal):
    """The cluster that is to be joined does not exist."""


async def apply_for_membership(
    unit: Unit,
    *,
    organization_id: UUID,
    cluster_id: UUID,
    category: Category = "associate",
    effective: date | None = None,
    note: str | None = None,
) -> Membership:
    """An organisation asks to join a cluster, the first time or again after a resignation.

    Raises `UnknownOrganization`, `UnknownCluster`, `AlreadyApplied`, `AlreadyMember`, `BeforeTheLastStep`.
    """
    found = await clusters.load(unit.connection, [cluster_id])
    if not found:
        raise UnknownCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
    organization_id = await organizations.successor(unit.connection, organization_id)
    if not await organizations.existing(unit.connection, [organization_id]):
        raise UnknownOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
    locked = await store.lock_pairs(unit.connection, cluster_id, [organization_id])
    present = locked[0] if locked else None
    decision = domain.applied(
        present, id_=uuid_utils.uuid7(), organization_id=organization_id, cluster_id=cluster_id, category=category,
        on=effective or day_in(found[0].zone, unit.now),
    )  # fmt: skip
    if present is not None:
        return await _save(unit, decision, note, present.standing)
    try:
        await store.insert(unit.connection, [decision[0]])
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _ONE_PER_PAIR:
            raise
        raise AlreadyApplied("its application came in just now", field="organization_id") from None
    return await _record(unit, decision, note, None)


async def approve_membership(
    unit: Unit, membership_id: UUID, *, effective: date | None = None, note: str | None = None,
    resolution: str | None = None, expected: int | None = None,
) -> Membership:  # fmt: skip
    """The cluster accepts, by the board's resolution where it asks for one.

    Raises `NoSuchMembership`, `NotApplied`, `BeforeTheLastStep`, `ChangedMeanwhile`, `NotComplete`.
    """
    await store.lock(unit.connection, [membership_id])
    await applications.require_complete(unit, membership_id, resolution)
    return await _step(unit, membership_id, effective, note, expected, lambda m, on: domain.approved(m, on=on))


async def activate_membership(
    unit: Unit, membership_id: UUID, *, category: Category | None = None, announce: bool = True,
    effective: date | None = None, note: str | None = None, expected: int | None = None,
) -> Membership:  # fmt: skip
    """It comes into force.

    Raises `NoSuchMembership`, `AlreadyMember`, `NotApproved`, `BeforeTheLastStep`, `ChangedMeanwhile`.
    """
    return await _step(
        unit, membership_id, effective, note, expected,
        lambda m, on: domain.activated(m, on=on, category=category, announce=announce),
    )  # fmt: skip


async def resign_membership(
    unit: Unit, membership_id: UUID, *, effective: date | None = None, note: str | None = None,
    expected: int | None = None,
) -> Membership:  # fmt: skip
    """It ends. Raises `NoSuchMembership`, `NotAMember`, `BeforeTheLastStep`, `ChangedMeanwhile`."""
    return await _step(unit, membership_id, effective, note, expected, lambda m, on: domain.resigned(m, on=on))


async def refuse_application(
    unit: Unit, membership_id: UUID, *, note: str, effective: date | None = None, expected: int | None = None
) -> Membership:
    """The cluster does not accept, for the reason in `note`.

    Raises `NoSuchMembership`, `NotApplied`, `BeforeTheLastStep`, `ChangedMeanwhile`.
    """
    return await _step(unit, membership_id, effective, note, expected, lambda m, on: domain.refused(m, on=on))


async def expel_member(
    unit: Unit, membership_id: UUID, *, note: str, effective: date | None = None, expected: int | None = None
) -> Membership:
    """The cluster ends it, for the reason in `note`.

    Raises `NoSuchMembership`, `NotAMember`, `BeforeTheLastStep`, `ChangedMeanwhile`.
    """
    return await _step(unit, membership_id, effective, note, expected, lambda m, on: domain.expelled(m, on=on))


async def reinstate_member(
    unit: Unit, membership_id: UUID, *, category: Category | None = None, effective: date | None = None,
    note: str | None = None, expected: int | None = None,
) -> Membership:  # fmt: skip
    """What had ended is in force again.

    Raises `NoSuchMembership`, `NothingToReinstate`, `BeforeTheLastStep`, `ChangedMeanwhile`.
    """
    return await _step(
        unit, membership_id, effective, note, expected, lambda m, on: domain.reinstated(m, on=on, category=category)
    )


async def change_category(
    unit: Unit, membership_id: UUID, *, category: Category, effective: date | None = None, note: str | None = None,
    expected: int | None = None,
) -> Membership:  # fmt: skip
    """Another category from a day on; the same one changes nothing.

    Raises `NoSuchMembership`, `NotAMember`, `ChangedMeanwhile`.
    """
    return await _step(
        unit, membership_id, effective, note, expected, lambda m, on: domain.recategorised(m, category=category, on=on)
    )


async def _step(
    unit: Unit, membership_id: UUID, effective: date | None, note: str | None, expected: int | None,
    decide: Callable[[Membership, date], Decision],
) -> Membership:  # fmt: skip
    locked = await store.lock(unit.connection, [membership_id])
    if not locked:
        raise NoSuchMembership("there is no membership {id}", id=membership_id, field="membership_id")
    still_at(locked[0].version, expected)
    [cluster] = await clusters.load(unit.connection, [locked[0].cluster_id])
    today = day_in(cluster.zone, unit.now)
    if effective is not None and effective > today:
        # the standing is what holds today; a step that was planned would count at once
        raise StillAhead("effective: {day} has not come yet; take the step on that day", day=effective,
                         field="effective")  # fmt: skip
    decision = decide(locked[0], effective or today)
    return await _save(unit, decision, note, locked[0].standing) if decision[1] else locked[0]


async def _save(unit: Unit, decision: Decision, note: str | None, before: Standing) -> Membership:
    await store.update(unit.connection, [decision[0]])
    return await _record(unit, decision, note, before)


async def _record(unit: Unit, decision: Decision, note: str | None, before: Standing | None) -> Membership:
    membership, facts = decision
    step = {"standing": (before, membership.standing)}
    await log_changes(unit, [Logged("membership", membership.id, membership.version, note, step)])
    await record(unit, records(membership.id, membership.version, facts, membership.published()))
    return membership
