"""Takes over a part of a cluster's register: match, decide, save, record, in one transaction of its caller.

All statements take the whole part at once. With `dry_run` everything is decided and nothing is written.
Never opens, commits or reads a clock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.decisions import is_far_ahead
from services.membership.imports.domain.entries import Entry
from services.membership.imports.domain.matching import Known, Match
from services.membership.imports.domain.planning import Circumstances, Ids, Outcome, Plan, planned
from services.membership.memberships import store as memberships
from services.membership.memberships.domain import Membership
from services.membership.organizations import commands as organization_commands
from services.membership.organizations import store as organizations
from services.membership.organizations.domain import Candidate, Organization
from services.membership.organizations.views import elsewhere
from services.membership.people import store as people
from services.membership.people.domain import Person, mail_key, speaking
from services.membership.recording import Logged, log_changes, records
from shared.messaging.outbox import Erased, Record, Row, put, rows_of
from shared.postgres.pool import Unit
from shared.refusal import Said

ONE_IMPORT_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('membership.import', 0))"
"""Two imports in the same moment would both find no organisation of a name; edits by hand are not held up."""
PLAN_MODE = "SELECT set_config('plan_cache_mode', $1, true)"
"""For matching: a plan that was made while the tables were empty must not stay while they fill. For saving
the usual mode again: the checks of foreign keys would be planned anew for every row."""


Keep = Callable[[Unit, Sequence[Plan]], Awaitable[None]]
"""Told what a part did, in the transaction that did it."""


class RowResult(NamedTuple):
    """What became of one row. `changes` maps fields to (old, new)."""

    number: int
    outcome: Outcome
    name: str
    organization_id: UUID | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: dict[str, tuple[Any, Any]] | None = None


def drafted(entries: Sequence[Entry], now: Circumstances, *, dry_run: bool) -> list[Plan | None]:
    """What each row does if it means nobody in the register, written out for the outbox; None for a refused one.

    Needs no connection and nothing of the parts before, so that it is done while those are saved.
    """
    drafts: list[Plan | None] = []
    for entry in entries:
        draft = None if entry.reasons or not entry.name_key else _planned(entry, now)
        if draft is not None and not dry_run:
            draft.written = rows_of(_records(draft))
            draft.organization_facts = draft.membership_facts = []  # thousands of models kept would cost as much again
        drafts.append(draft)
    return drafts


def _planned(
    entry: Entry, now: Circumstances, organization: Organization | None = None, membership: Membership | None = None,
    representatives: Sequence[Person] = (),
) -> Plan:  # fmt: skip
    ids = Ids(uuid_utils.uuid7(), uuid_utils.uuid7(), uuid_utils.uuid7())
    return planned(entry, organization, membership, representatives, ids, now)


async def import_entries(
    unit: Unit, now: Circumstances, entries: Sequence[Entry], drafts: Sequence[Plan | None], known: Known, *,
    dry_run: bool, keep: Keep | None = None,
) -> list[RowResult]:  # fmt: skip
    """Takes over these rows; `drafts` are theirs, or None where none was made ahead.

    `known` is the layer of this part: to be kept by the caller after the commit. A unique violation means that
    somebody else registered the same at the same time: to be done again.
    """
    if not dry_run:
        await unit.connection.execute(ONE_IMPORT_AT_A_TIME)
    await unit.connection.execute(PLAN_MODE, "force_custom_plan")
    known.learn(
        await organizations.candidates(
            unit.connection,
            [(entry.country, entry.tax_number) for entry in entries if entry.tax_number is not None],
            {entry.name_key for entry in entries if entry.name_key},
        )
    )
    matches = [_meant(entry, known) for entry in entries]
    stored = await _Stored.of(unit, now, {m.id for m in matches if m is not None and m.id is not None}, dry_run)
    await unit.connection.execute(PLAN_MODE, "auto")
    plans = [
        _plan(entry, match, draft, stored, now, known)
        for entry, match, draft in zip(entries, matches, drafts, strict=True)
    ]
    if not dry_run:
        await _save(unit, [plan for plan in plans if plan.outcome in ("new", "changed")], now)
        if keep is not None:
            await keep(unit, plans)
    return [result_of(plan) for plan in plans]


class _Stored(NamedTuple):
    """The rows behind the matched organisations, locked unless nothing will be written."""

    organizations: dict[UUID, Organization]
    memberships: dict[UUID, Membership]
    people: dict[UUID, list[Person]]
    foreign: set[UUID]

    @classmethod
    async def of(cls, unit: Unit, now: Circumstances, ids: set[UUID], dry_run: bool) -> "_Stored":
        if not ids:
            return cls({}, {}, {}, set())
        wanted = sorted(ids)
        read = organizations.load if dry_run else organizations.lock
        found = {o.id: o for o in await read(unit.connection, wanted)}
        belonging = await memberships.lock_pairs(unit.connection, now.cluster.id, wanted)
        representatives: dict[UUID, list[Person]] = {}
        for person in await people.lock_of(unit.connection, wanted):
            for one in person.present:
                representatives.setdefault(one.organization_id, []).append(person)
        foreign = set() if now.anywhere else await elsewhere(unit.connection, [now.cluster.id], wanted)
        return cls(found, {m.organization_id: m for m in belonging}, representatives, foreign)


def _meant(entry: Entry, known: Known) -> Match | None:
    """Whom an entry means among what is stored; None when only its own file can tell."""
    match = known.meant_by(entry)
    return match if match.id is not None else None


def _plan(
    entry: Entry, match: Match | None, draft: Plan | None, stored: _Stored, now: Circumstances, known: Known
) -> Plan:
    # once more: an earlier row of this part may have made the organisation
    match = match or known.meant_by(entry)
    if match.reason is not None:
        entry.reasons.append(match.reason)
    if match.warning is not None:
        entry.warnings.append(match.warning)
    if match.former:  # of an entry that was merged into it: the number that stayed is the one that holds
        entry.warnings.append(Said("tax number: {number} was that of an entry that became this one",
                                   number=entry.tax_number))  # fmt: skip
        entry.tax_number = None
    if entry.since is not None and is_far_ahead(entry.since, now.today):
        entry.warnings.append(Said("since: {since} lies more than a year ahead; is it meant?", since=entry.since))
    if match.id in stored.foreign:
        entry.reasons.append(
            Said("this company belongs to another cluster: it applies itself, or the network enters it")
        )
    if match.id is not None and (first := known.touched(match.id)) is not None:
        if entry.said == first.said and not entry.reasons:
            return _repeated(entry, first.row)
        entry.reasons.append(Said("it is the same organisation as row {row}", row=first.row))
    plan = _decided(entry, match.id, draft, stored, now)
    if plan.organization is None:  # refused: it claims nothing, or a broken row would stop a good one
        if match.id is not None:
            known.name(match.id)
        return plan
    if plan.organization_is_new:
        made = plan.organization
        known.add(Candidate(made.id, made.country, made.tax_number, entry.name_key, made.state))
    known.touch(plan.organization.id, entry)
    return plan


def _decided(entry: Entry, meant: UUID | None, draft: Plan | None, stored: _Stored, now: Circumstances) -> Plan:
    if entry.reasons:
        return Plan(entry, "refused")
    if meant is None:
        return draft or _planned(entry, now)
    return _planned(
        entry, now, stored.organizations.get(meant), stored.memberships.get(meant), stored.people.get(meant, ())
    )


def _repeated(entry: Entry, row: int) -> Plan:
    entry.warnings[:] = [Said("it repeats row {row}", row=row)]
    return Plan(entry, "same")


def result_of(plan: Plan) -> RowResult:
    """What became of the row of a plan."""
    entry = plan.entry
    return RowResult(
        entry.number,
        plan.outcome,
        entry.name,
        plan.organization.id if plan.organization else None,
        tuple(entry.reasons),
        tuple(entry.warnings),
        plan.changes or None,
    )


async def _save(unit: Unit, plans: Sequence[Plan], now: Circumstances) -> None:
    if not plans:
        return
    await _one_of_each(unit, plans, now)
    new = [plan for plan in plans if plan.organization_is_new]
    if new:
        distinct = await organization_commands.with_distinct_slugs(unit, [_organization(plan) for plan in new])
        for plan, organization in zip(new, distinct, strict=True):
            if plan.organization is not organization:
                _rename(plan, organization, now)
    # what is to be published is written out while the database takes the rows
    written = asyncio.create_task(asyncio.to_thread(_written, plans))
    try:
        await _save_rows(unit, plans)
    except BaseException:
        await asyncio.gather(written, return_exceptions=True)
        raise
    await put(unit, await written)


async def _one_of_each(unit: Unit, plans: Sequence[Plan], now: Circumstances) -> None:
    """Who is known by their mail already, or speaks for several in these rows, stays one and speaks for all.

    Their record goes with the first row that names them; who spoke for an organisation and does no more stays so.
    """
    stored = await people.lock_by_mail(unit.connection, [p.person.mail for p in plans if p.person and p.person_is_new])
    holders: dict[str, Plan] = {}
    # a row that describes somebody goes first: what it says of them is kept
    for plan in sorted(plans, key=lambda one: one.person_is_new):
        person = plan.person
        if person is None:
            continue
        key = mail_key(person.mail)
        holder = holders.get(key)
        before = holder.person if holder is not None else stored.get(key) if plan.person_is_new else None
        if before is None:
            holders[key] = plan
            continue
        after = before
        for one in person.represents if plan.person_is_new else ():
            if all(one.organization_id != had.organization_id for had in before.represents):
                after = speaking(after, one)
        _anew(plan, now)
        plan.person = None
        if after is before:
            continue
        if holder is None:
            plan.person, plan.person_is_new = after, False
            plan.before = plan.before._replace(person=before)
            holders[key] = plan
        else:
            _anew(holder, now)
            holder.person = replace(after, version=before.version)


def _anew(plan: Plan, now: Circumstances) -> None:
    """What was written out ahead is made anew, under the same ids: it held a person as they are not."""
    if plan.written is not None and plan.ids is not None:
        again = planned(plan.entry, None, None, (), plan.ids, now)
        plan.organization_facts, plan.membership_facts = again.organization_facts, again.membership_facts
    plan.written = None


def _written(plans: Sequence[Plan]) -> list[Row]:
    rows: list[Row] = []
    for plan in plans:
        rows += rows_of(_records(plan)) if plan.written is None else plan.written
    return rows


def _rename(plan: Plan, organization: Organization, now: Circumstances) -> None:
    """It gets another slug, which stands in its state: what was written out ahead is made anew, under the same ids."""
    if plan.written is not None and plan.ids is not None:
        again = planned(plan.entry, None, None, (), plan.ids, now)
        plan.organization_facts, plan.membership_facts = again.organization_facts, again.membership_facts
    plan.organization, plan.written = organization, None


async def _save_rows(unit: Unit, plans: Sequence[Plan]) -> None:
    if new := [_organization(plan) for plan in plans if plan.organization_is_new]:
        await organizations.insert(unit.connection, new)
    if changed := [_organization(plan) for plan in plans if plan.differences]:
        await organizations.update(unit.connection, changed)
    if joined := [plan.membership for plan in plans if plan.membership and plan.membership_is_new]:
        await memberships.insert(unit.connection, joined)
    if moved := [plan.membership for plan in plans if plan.membership and not plan.membership_is_new]:
        await memberships.update(unit.connection, moved)
    if met := [plan.person for plan in plans if plan.person and plan.person_is_new]:
        await people.insert(unit.connection, met)
    if described := [plan.person for plan in plans if plan.person and not plan.person_is_new]:
        await people.update(unit.connection, described)
    logged = [
        Logged("organization", plan.organization.id, plan.organization.version, None, plan.differences)
        for plan in plans
        if plan.organization and plan.differences
    ]
    await log_changes(unit, logged)


def _organization(plan: Plan) -> Organization:
    assert plan.organization is not None
    return plan.organization


def _records(plan: Plan) -> list[Record | Erased]:
    items: list[Record | Erased] = []
    if plan.organization is not None and plan.organization_facts:
        items += records(
            plan.organization.id, plan.organization.version, plan.organization_facts, plan.organization.published()
        )
    if plan.membership is not None and plan.membership_facts:
        items += records(
            plan.membership.id, plan.membership.version, plan.membership_facts, plan.membership.published()
        )
    if plan.person is not None:
        items.append(Record(str(plan.person.id), plan.person.version, plan.person.published()))
    return items
