"""Use cases of uploads: receive a sheet, choose its columns, begin a work, keep what it did, undo it, discard it.

Never opens, commits or reads a clock. The rows themselves are decided by the import, whoever calls it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.imports import store as columns
from services.membership.imports.commands import RowResult, result_of
from services.membership.imports.domain.columns import (
    FIELDS,
    Columns,
    NoHeaderRow,
    columns_at,
    columns_of,
    guessed,
    header_key,
)
from services.membership.imports.domain.planning import Plan
from services.membership.imports.views import Absent
from services.membership.memberships import domain as membership_rules
from services.membership.memberships import store as memberships
from services.membership.memberships.domain import Membership
from services.membership.organizations import domain as organization_rules
from services.membership.organizations import store as organizations
from services.membership.organizations.domain import Organization
from services.membership.people import store as people
from services.membership.people.domain import Person
from services.membership.recording import Logged, log_changes, records
from services.membership.uploads import domain, store
from services.membership.uploads.domain import (
    DONE,
    ChangedSince,
    Effect,
    NoSuchUpload,
    Touched,
    Upload,
    Work,
    effect_from,
    effect_of,
    require_beginning,
)
from shared.contracts.membership import OrganizationState, PersonState, StandingState
from shared.messaging.outbox import Erased, Record, record
from shared.postgres.pool import Unit
from shared.refusal import Refusal
from shared.runtime import tasks
from shared.runtime.spreadsheets import Row
from shared.runtime.tasks import NoSuchTask

AT_ONCE = 5_000
NAMED = 5
"""So many names of rows that were changed since stand in the refusal."""


class UnknownField(Refusal):
    """A column is to hold what no member has."""


class TwiceTheSameField(Refusal):
    """Two columns are to hold the same."""


async def receive_upload(
    unit: Unit, cluster_id: UUID, name: str, rows: int, head: Sequence[Row], parts: Sequence[tuple[int, str]]
) -> Upload:
    """Keeps a sheet; its columns are those that its headers name, by the words of the cluster first."""
    if not await clusters.load(unit.connection, [cluster_id]):
        raise NoSuchCluster("cluster: there is no cluster {cluster!r}", cluster=cluster_id, field="cluster")
    known = await columns.remembered(unit.connection, cluster_id)
    try:
        found = columns_of(head, known)
        row, places = found.row, found.places
    except NoHeaderRow:  # somebody says which is which
        row, places = guessed(head, known)
    upload = Upload(
        uuid_utils.uuid7(), cluster_id, name, rows, "columns", row, dict(places), True, None, {}, unit.actor, unit.now,
        unit.now, 1,
    )  # fmt: skip
    await store.insert(unit.connection, upload, parts)
    return upload


async def choose_columns(
    unit: Unit, upload_id: UUID, header_row: int, fields: Mapping[int, str], *, announce: bool
) -> Upload:
    """Says in which row the headers stand and what each column holds; the cluster's next sheet knows it.

    Raises `NoHeaderRow`, `UnknownField`, `TwiceTheSameField`, `NoSuchUpload`, `StillWorking`, `NotTheTime`.
    """
    upload = await _locked(unit, upload_id)
    require_beginning(upload, "reviewing", under_way=await _under_way(unit, upload))
    places: dict[str, int] = {}
    for column, name in sorted(fields.items()):
        if name not in FIELDS:
            raise UnknownField("{name!r} is nothing that a member has", name=name[:40], field=f"column-{column}")
        if name in places:
            raise TwiceTheSameField("two columns hold the same; choose one of them", field=f"column-{column}")
        places[name] = column
    head = await store.first_rows(unit.connection, upload_id)
    cells = next((cells for number, cells in head if number == header_row), None)
    if cells is None:
        raise NoHeaderRow("choose the row that holds the headers", field="header_row")
    columns_at(header_row, cells, places)
    said: dict[str, str | None] = {header_key(cell): None for cell in cells if header_key(cell)}
    said |= {header_key(cells[n]): name for name, n in places.items() if n < len(cells) and header_key(cells[n])}
    await columns.remember(unit.connection, upload.cluster_id, said)
    chosen = replace(upload, header_row=header_row, places=places, announce=announce)
    await store.save(unit.connection, chosen, step="columns", now=unit.now)
    return chosen


async def begin(unit: Unit, upload_id: UUID, work: Work) -> Upload:
    """A work begins; one that was broken off begins again. Undoing asks first whether nobody changed anything since.

    Raises `NoSuchUpload`, `StillWorking`, `NotTheTime`, `ChangedSince`.
    """
    upload = await _locked(unit, upload_id)
    require_beginning(upload, work, under_way=await _under_way(unit, upload))
    if work == "undoing" and (names := await store.changed_since(unit.connection, upload_id, NAMED + 1)):
        more = " …" if len(names) > NAMED else ""
        raise ChangedSince("it was changed since, so the import stays: {names}", names=", ".join(names[:NAMED]) + more)
    if upload.step != work and work != "undoing":
        await store.clear_results(unit.connection, upload_id)
    await store.save(unit.connection, replace(upload, task_id=None), step=work, now=unit.now)
    return upload


async def begun(unit: Unit, upload_id: UUID, work: Work, task_id: UUID) -> Upload:
    """The upload that a task works on, once its beginning is committed. Raises `NotTheTime` when it never was."""
    upload = await _locked(unit, upload_id)
    if upload.step != work or upload.task_id != task_id:
        raise domain.NotTheTime("this sheet is at another step; look at it again")
    return upload


async def keep_part(unit: Unit, upload_id: UUID, plans: Sequence[Plan], on: date) -> None:
    """Keeps what a part did, in its own transaction."""
    await store.keep_results(
        unit.connection, upload_id, [result_of(plan) for plan in plans], [effect_of(plan, on) for plan in plans]
    )


async def end(
    unit: Unit, upload_id: UUID, work: Work, rows: Sequence[RowResult] = (), absent: Sequence[Absent] = ()
) -> Upload:
    """A work is done: keeps what no part kept, and how much there is of each."""
    upload = await _locked(unit, upload_id)
    for first in range(0, len(rows), AT_ONCE):
        part = rows[first : first + AT_ONCE]
        await store.keep_results(unit.connection, upload_id, part, [None] * len(part))
    await store.keep_absent(unit.connection, upload_id, absent)
    counts = upload.counts if work == "undoing" else await store.counted(unit.connection, upload_id)
    await store.save(unit.connection, replace(upload, counts=counts), step=DONE[work], now=unit.now)
    return upload


async def discard(unit: Unit, upload_id: UUID) -> None:
    """Forgets a sheet, with its rows; what was applied stays. Raises `NoSuchUpload`, `StillWorking`."""
    upload = await _locked(unit, upload_id)
    if await _under_way(unit, upload):
        raise domain.StillWorking("this sheet is being worked on; wait until it is done")
    await store.delete(unit.connection, upload_id)


async def columns_chosen(unit: Unit, upload: Upload) -> Columns:
    """The columns of an upload as somebody chose them."""
    head = await store.first_rows(unit.connection, upload.id)
    cells = next((cells for number, cells in head if number == upload.header_row), [])
    return columns_at(upload.header_row, cells, upload.places)


async def _locked(unit: Unit, upload_id: UUID) -> Upload:
    upload = await store.lock(unit.connection, upload_id)
    if upload is None:
        raise NoSuchUpload("there is no upload {id}", id=upload_id, field="upload_id")
    return upload


async def _under_way(unit: Unit, upload: Upload) -> bool:
    if upload.step not in domain.FROM:
        return False
    if upload.task_id is None:
        return unit.now - upload.moved < tasks.LOST_AFTER
    try:
        task = await tasks.task_by_id(unit.connection, upload.task_id, now=unit.now)
    except NoSuchTask:
        return False
    return task.state == "running"


# --- undoing -------------------------------------------------------------------------------------


class _Present(NamedTuple):
    """The rows behind some effects, locked."""

    organizations: dict[UUID, Organization]
    memberships: dict[UUID, Membership]
    people: dict[UUID, Person]


async def undo_rows(unit: Unit, upload_id: UUID, below: int, limit: int) -> tuple[int | None, int, list[str]]:
    """Undoes what some rows did, the last ones first: as it was before, by facts that say so.

    Returns the number from which to go on (None: nothing is left), how many rows were undone, and the names of those
    that somebody changed meanwhile, which stay.
    """
    found = [(number, effect_from(stored)) for number, stored in await store.effects(
        unit.connection, upload_id, below, limit)]  # fmt: skip
    if not found:
        return None, 0, []
    present = await _present(unit, [effect for _, effect in found])
    undone: list[int] = []
    stays: list[str] = []
    out: list[Record | Erased] = []
    for number, effect in found:
        if not _as_left(effect, present):
            names = [present.organizations[t.id].trade_name for t in (effect.organization,)
                     if t is not None and t.id in present.organizations]  # fmt: skip
            stays += names or [str(number)]
            continue
        out += await _undone(unit, effect, present)
        undone.append(number)
    await record(unit, out)
    await store.set_undone(unit.connection, upload_id, undone)
    return found[-1][0], len(undone), stays


async def _present(unit: Unit, effects: Sequence[Effect]) -> _Present:
    def ids(name: str) -> list[UUID]:
        return sorted(touched.id for effect in effects if (touched := getattr(effect, name)) is not None)

    connection = unit.connection
    return _Present(
        {one.id: one for one in await organizations.lock(connection, ids("organization"))},
        {one.id: one for one in await memberships.lock(connection, ids("membership"))},
        {one.id: one for one in await people.lock(connection, ids("person"))},
    )


def _as_left(effect: Effect, present: _Present) -> bool:
    """Whether everything that a row touched is still as the row left it."""
    places: tuple[tuple[Touched | None, Mapping[UUID, Organization | Membership | Person]], ...] = (
        (effect.organization, present.organizations), (effect.membership, present.memberships),
        (effect.person, present.people),
    )  # fmt: skip
    return all(
        touched is None or ((one := at.get(touched.id)) is not None and one.version == touched.version)
        for touched, at in places
    )


async def _undone(unit: Unit, effect: Effect, present: _Present) -> list[Record | Erased]:
    out: list[Record | Erased] = []
    if effect.person is not None:
        out += await _put_back_person(unit, present.people[effect.person.id], effect.person)
    if effect.membership is not None:
        out += await _put_back_membership(unit, present.memberships[effect.membership.id], effect.membership)
    if effect.organization is not None:
        one = present.organizations[effect.organization.id]
        out += await _put_back_organization(unit, one, effect.organization, effect.on)
    return out


async def _put_back_person(unit: Unit, present: Person, touched: Touched) -> list[Record | Erased]:
    if touched.before is None:
        await people.delete(unit.connection, [present.id])
        return [Erased(str(present.id), present.version + 1, PersonState)]
    after = domain.person_before(present, touched.before)
    await people.update(unit.connection, [after])
    return [people.state_record(after)]


async def _put_back_membership(unit: Unit, present: Membership, touched: Touched) -> list[Record | Erased]:
    before = None if touched.before is None else domain.membership_before(present, touched.before)
    after, facts = membership_rules.taken_back(present, before)
    if after is None:
        await memberships.delete(unit.connection, [present.id])
        return [
            Record(str(present.id), present.version + 1, facts[0].fact, facts[0].effective),
            Erased(str(present.id), present.version + 1, StandingState),
        ]
    await memberships.update(unit.connection, [after])
    await log_changes(
        unit, [Logged("membership", after.id, after.version, None, {"standing": (present.standing, after.standing)})]
    )
    return [*records(after.id, after.version, facts, after.published())]


async def _put_back_organization(
    unit: Unit, present: Organization, touched: Touched, on: date
) -> list[Record | Erased]:
    if touched.before is None:
        # a person that another row of the sheet brought may speak for it still; their own row puts them back
        await people.forget_organization(unit.connection, present.id)
        await organizations.delete(unit.connection, [present.id])
        withdrawn = organization_rules.withdrawn(present, on)
        return [
            Record(str(present.id), present.version + 1, withdrawn[0].fact, withdrawn[0].effective),
            Erased(str(present.id), present.version + 1, OrganizationState),
        ]
    after, facts = organization_rules.put_back(present, domain.organization_before(present, touched.before), on)
    await organizations.update(unit.connection, [after])
    differences = {
        name: (getattr(present, name), getattr(after, name))
        for name in touched.before if name != "positions" and getattr(present, name) != getattr(after, name)
    }  # fmt: skip
    await log_changes(unit, [Logged("organization", after.id, after.version, None, differences)])
    return [*records(after.id, after.version, facts, after.published())]
