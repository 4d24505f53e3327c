"""A register on its way in: uploaded, its columns chosen, reviewed, applied, undone; and what each row did.

Pure. An effect holds what a row made or changed and what was there before, so that it can be undone while
nobody has changed it since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from services.membership.imports.domain.planning import Plan
from services.membership.memberships.domain import Band, Membership
from services.membership.organizations.domain import Organization, Position
from services.membership.people.domain import Person, Representation
from shared.refusal import Conflict, NotFound
from shared.runtime.privacy import Personal, by_text

Step = Literal["columns", "reviewing", "reviewed", "applying", "applied", "undoing", "undone"]
Work = Literal["reviewing", "applying", "undoing"]
FROM: dict[Work, tuple[Step, ...]] = {
    "reviewing": ("columns", "reviewed"),
    "applying": ("reviewed",),
    "undoing": ("applied", "applying"),
}
"""From which step each work begins; one that was broken off also begins again."""
DONE: dict[Work, Step] = {"reviewing": "reviewed", "applying": "applied", "undoing": "undone"}

_ROW = "concat(name, changes::text, effect::text)"
PERSONAL = (
    Personal(
        "upload",
        ("name",),
        # across tables of one schema, which who erases is not in
        f"id IN (SELECT upload_id FROM membership.upload_part WHERE {by_text('rows')} UNION SELECT upload_id"
        f" FROM membership.upload_result WHERE {by_text(_ROW)})",
        "row",
    ),
    Personal("upload_result", ("name", "changes", "effect"), by_text(_ROW), "row"),
    Personal("upload_absent", ("name",), by_text("name"), "row"),
)
"""A sheet that names an erased person goes as a whole, with what it would need to be undone."""


class NoSuchUpload(NotFound):
    """There is no upload of this id, or it is another cluster's."""


class NotTheTime(Conflict):
    """The upload is at another step."""


class StillWorking(Conflict):
    """Another work on the same upload is under way."""


class ChangedSince(Conflict):
    """What the import brought was changed by somebody since, so that it stays."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One sheet of a cluster. `places` maps fields to columns, `rows` counts all rows of the sheet."""

    id: UUID
    cluster_id: UUID
    name: str
    rows: int
    step: Step
    header_row: int
    places: dict[str, int]
    announce: bool
    task_id: UUID | None
    counts: dict[str, int]
    by: str
    at: datetime
    moved: datetime
    version: int


def require_beginning(upload: Upload, work: Work, *, under_way: bool) -> None:
    """Whether a work may begin now. Raises `StillWorking`, `NotTheTime`."""
    if under_way:
        raise StillWorking("this sheet is being worked on; wait until it is done")
    if upload.step not in FROM[work] and upload.step != work:
        raise NotTheTime("this sheet is at another step; look at it again")


# --- effects -------------------------------------------------------------------------------------


class Touched(NamedTuple):
    """An aggregate after a row: its id and version, and what it was before; None when the row made it."""

    id: UUID
    version: int
    before: dict[str, Any] | None


class Effect(NamedTuple):
    """What one row did; `on` is the day from which it counted."""

    on: date
    organization: Touched | None
    membership: Touched | None
    person: Touched | None


def effect_of(plan: Plan, on: date) -> dict[str, Any] | None:
    """What a row did, as JSON; None when it did nothing."""
    if plan.outcome not in ("new", "changed"):
        return None
    made: dict[str, Any] = {"on": on.isoformat()}
    before = plan.before
    if plan.organization is not None and (plan.organization_is_new or plan.differences):
        made["organization"] = _touched(
            plan.organization, None if plan.organization_is_new else _organization(before.organization)
        )
    if plan.membership is not None:
        made["membership"] = _touched(
            plan.membership, None if plan.membership_is_new else _membership(before.membership)
        )
    if plan.person is not None:
        made["person"] = _touched(plan.person, None if plan.person_is_new else _person(before.person))
    return made


def effect_from(stored: Mapping[str, Any]) -> Effect:
    """An effect as it was kept."""
    return Effect(date.fromisoformat(stored["on"]), *(_read(stored.get(name)) for name in Effect._fields[1:]))


def _touched(after: Organization | Membership | Person, before: dict[str, Any] | None) -> dict[str, Any]:
    return {"id": str(after.id), "version": after.version, "before": before}


def _read(stored: Mapping[str, Any] | None) -> Touched | None:
    return None if stored is None else Touched(UUID(stored["id"]), stored["version"], stored["before"])


_PROFILE = ("legal_name", "trade_name", "type", "country", "state", "city", "tax_number")


def _organization(one: Organization | None) -> dict[str, Any]:
    assert one is not None
    return {name: getattr(one, name) for name in _PROFILE} | {
        "positions": [[p.position, p.since.isoformat(), p.until and p.until.isoformat()] for p in one.positions]
    }


def organization_before(present: Organization, before: Mapping[str, Any]) -> Organization:
    """The organisation as it was before the row, under its present slug and version."""
    positions = tuple(Position(name, date.fromisoformat(since), until and date.fromisoformat(until))
                      for name, since, until in before["positions"])  # fmt: skip
    return Organization(
        present.id, present.slug, **{name: before[name] for name in _PROFILE}, positions=positions,
        version=present.version,
    )  # fmt: skip


def _membership(one: Membership | None) -> dict[str, Any]:
    assert one is not None
    return {
        "category": one.category, "standing": one.standing,
        "days": [day and day.isoformat() for day in (one.applied_on, one.approved_on, one.since, one.until)],
        "bands": [[b.category, b.since.isoformat(), b.until and b.until.isoformat()] for b in one.bands],
    }  # fmt: skip


def membership_before(present: Membership, before: Mapping[str, Any]) -> Membership:
    """The membership as it was before the row, under its present version."""
    applied_on, approved_on, since, until = (day and date.fromisoformat(day) for day in before["days"])
    bands = tuple(Band(category, date.fromisoformat(since), until and date.fromisoformat(until))
                  for category, since, until in before["bands"])  # fmt: skip
    return Membership(
        present.id, present.organization_id, present.cluster_id, before["category"], before["standing"], applied_on,
        approved_on, since, until, bands, present.version,
    )  # fmt: skip


def _person(one: Person | None) -> dict[str, Any]:
    assert one is not None
    return {
        "organization_id": str(one.organization_id), "name": one.name, "mail": one.mail, "language": one.language,
        "represents": [[str(r.organization_id), r.role, r.main, r.phone, r.since.isoformat(),
                        r.until and r.until.isoformat()] for r in one.represents],
    }  # fmt: skip


def person_before(present: Person, before: Mapping[str, Any]) -> Person:
    """The representative as they were before the row, under the next version."""
    represents = tuple(
        Representation(UUID(id_), role, main, phone, date.fromisoformat(since), until and date.fromisoformat(until))
        for id_, role, main, phone, since, until in before["represents"]
    )
    return Person(
        present.id, UUID(before["organization_id"]), before["name"], before["mail"], before["language"],
        present.version + 1, represents,
    )  # fmt: skip
