"""One organisation as a page: what it is, where it belongs and since when, its history, and the next step.

What is private (tax number, applications, the past, the change log) is shown within the reader's reach only.
"""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.membership.decisions import ChangedMeanwhile
from services.membership.history import views as history_views
from services.membership.history.views import Line
from services.membership.memberships import commands, store, views
from services.membership.memberships.domain import NoSuchMembership
from services.membership.organizations import store as organizations
from services.membership.organizations import views as organization_views
from services.membership.organizations.domain import NoSuchOrganization, Organization
from services.membership.words import CATEGORIES, LOGGED, POSITIONS, STANDINGS, TYPES
from shared.contracts.membership import Category
from shared.http.edge import unit_of
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, NotYours, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Row, Unit
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.drawing import Axis, Band, axis
from shared.web.forms import VERSION_FIELD
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tour import ticked

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

HISTORY_LINES = 100
PERSON = {"name": mark("Name"), "mail": mark("Mail"), "language": mark("Language"), "role": mark("Role"),
          "phone": mark("Telephone"), "main": mark("Main contact"), "since": mark("Since"),
          "until": mark("Until")}  # fmt: skip
"""What of a representative changed; never from what to what."""
Tab = Literal["profile", "memberships", "events", "history"]
Step = Literal["approve", "refuse", "activate", "category", "resign", "expel", "reinstate"]
STEPS: dict[Step, tuple[str, tuple[str, ...]]] = {
    "approve": (mark("Approve"), ("applied",)),
    "refuse": (mark("Refuse"), ("applied", "approved")),
    "activate": (mark("Bring into force"), ("approved",)),
    "category": (mark("Change the category"), ("active", "grace")),
    "resign": (mark("End the membership"), ("active", "grace")),
    "expel": (mark("Expel"), ("active", "grace")),
    "reinstate": (mark("Reinstate"), ("lapsed", "resigned", "expelled")),
}
"""A step: its words, and the standings from which it is taken."""
DONE: dict[Step, str] = {
    "approve": mark("Approved"), "refuse": mark("Refused"), "activate": mark("In force from today on"),
    "category": mark("The category holds from today on"), "resign": mark("It ends today"),
    "expel": mark("It ends today"), "reinstate": mark("In force from today on"),
}  # fmt: skip
WITH_REASON: frozenset[Step] = frozenset({"refuse", "expel"})
"""Steps about which the company will ask."""


class Eyes:
    """What the reader sees and may do here. `others` puts all of it away, to show what everybody else sees."""

    def __init__(
        self, reader: Annotated[Allowed, May("organizations.read")],
        private: Annotated[Allowed, Sees("organizations.private")],
        memberships: Annotated[Allowed, Sees("memberships.read")], history: Annotated[Allowed, Sees("history.read")],
        changing: Annotated[Allowed, Sees("organizations.change")], people: Annotated[Allowed, Sees("people.read")],
        applying: Annotated[Allowed, Sees("memberships.apply")],
        approving: Annotated[Allowed, Sees("memberships.approve")],
        activating: Annotated[Allowed, Sees("memberships.activate")],
        resigning: Annotated[Allowed, Sees("memberships.resign")],
        refusing: Annotated[Allowed, Sees("memberships.refuse")],
        expelling: Annotated[Allowed, Sees("memberships.expel")],
        reinstating: Annotated[Allowed, Sees("memberships.reinstate")],
        categorising: Annotated[Allowed, Sees("memberships.categorise")],
        writing: Annotated[Allowed, Sees("contacts.write")],
    ) -> None:  # fmt: skip
        self.reader = reader
        self.private, self.memberships, self.history = private, memberships, history
        self.changing, self.applying, self.writing, self.people = changing, applying, writing, people
        self.steps: dict[Step, Allowed] = {
            "approve": approving, "refuse": refusing, "activate": activating, "category": categorising,
            "resign": resigning, "expel": expelling, "reinstate": reinstating,
        }  # fmt: skip

    def others(self) -> None:
        nothing = Allowed(self.reader.viewer, "nothing", everything=False)
        self.private = self.memberships = self.history = self.changing = self.applying = self.people = nothing
        self.steps = dict.fromkeys(self.steps, nothing)


Looking = Annotated[Eyes, Depends(Eyes)]


@router.get("/organizations/{slug}", response_class=HTMLResponse)
async def organization(
    request: Request, service: Serving, eyes: Looking, slug: str, tab: Annotated[Tab, Query()] = "profile",
    seen_by: Annotated[Literal["others"] | None, Query()] = None,
) -> Response:  # fmt: skip
    """One organisation, by its slug or its id; with `seen_by=others` as somebody of another company sees it."""
    if seen_by:
        eyes.others()
    return await _page(request, service, eyes, slug, tab)


@router.post("/organizations/{slug}/memberships/{membership_id}/{step}", response_class=HTMLResponse)
async def take_step(
    request: Request, service: Serving, eyes: Looking, slug: str, membership_id: UUID, step: Step
) -> Response:
    """Approves, brings into force or ends a membership, from today on, for the reason that was typed."""
    caller = eyes.steps[step]
    speak = pages.language(request, eyes.reader.viewer)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    try:
        note = TypeAdapter(OptionalLine).validate_python(typed.get("note"))
        resolution = TypeAdapter(OptionalLine).validate_python(typed.get("resolution"))
    except ValidationError:
        text = speak(mark("Write the reason on one line of at most 300 characters"))
        return await _page(request, service, eyes, slug, "memberships", 422, wrong=(membership_id, text))
    if note is None and step in WITH_REASON:
        text = speak(mark("Write the reason: the company will ask for it"))
        return await _page(request, service, eyes, slug, "memberships", 422, wrong=(membership_id, text))
    category = next((one for one in CATEGORIES if one == typed.get("category")), None)
    if category is None and step == "category":
        text = speak(mark("Choose the category"))
        return await _page(request, service, eyes, slug, "memberships", 422, wrong=(membership_id, text))
    version = typed.get(VERSION_FIELD, "")
    expected = int(version) if version.isascii() and version.isdigit() and len(version) < 19 else None
    try:
        async with unit_of(request, caller.actor) as unit:
            await _require(unit, caller, membership_id)
            await _taken(unit, step, membership_id, note, category, resolution, expected)
    except ChangedMeanwhile:
        text = speak(mark("Somebody changed it meanwhile; this is how it is now. Nothing of yours was saved."))
        return await _page(request, service, eyes, slug, "memberships", 409, wrong=(membership_id, text))
    except Refusal as refusal:
        if refusal.status in (403, 404):
            raise
        text = reason(speak, refusal)
        return await _page(request, service, eyes, slug, "memberships", refusal.status, wrong=(membership_id, text))
    done = turn(f"/organizations/{slug}?tab=memberships", said=speak(DONE[step]))
    return ticked(request, done, "approve") if step == "approve" else done


@router.post("/organizations/{slug}/apply", response_class=HTMLResponse)
async def apply(request: Request, service: Serving, eyes: Looking, slug: str) -> Response:
    """Applies for membership in the cluster that was chosen."""
    caller = eyes.applying
    speak = pages.language(request, eyes.reader.viewer)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    try:
        cluster = TypeAdapter(UUID).validate_python(typed.get("cluster"))
        note = TypeAdapter(OptionalLine).validate_python(typed.get("note"))
    except ValidationError:
        text = speak(mark("Choose the cluster; the reason is one line of at most 300 characters"))
        return await _page(request, service, eyes, slug, "memberships", 422, wrong=(None, text))
    async with service.database.connection() as connection:
        one = await organizations.by_slug_or_id(connection, slug)
    if one is None:
        raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
    caller.require(cluster=cluster, organization=one.id)
    try:
        async with unit_of(request, caller.actor) as unit:
            await organization_views.require_entering(unit.connection, caller, one.id)
            await commands.apply_for_membership(unit, organization_id=one.id, cluster_id=cluster, note=note)
    except Refusal as refusal:
        text = reason(speak, refusal)
        return await _page(request, service, eyes, slug, "memberships", refusal.status, wrong=(None, text))
    return turn(f"/organizations/{slug}?tab=memberships", said=speak(mark("The application is in")))


async def _taken(
    unit: Unit, step: Step, id_: UUID, note: str | None, category: Category | None, resolution: str | None,
    expected: int | None,
) -> None:  # fmt: skip
    if step == "approve":
        await commands.approve_membership(unit, id_, note=note, resolution=resolution, expected=expected)
    elif step == "refuse":
        await commands.refuse_application(unit, id_, note=note or "", expected=expected)
    elif step == "activate":
        await commands.activate_membership(unit, id_, note=note, expected=expected)
    elif step == "category":
        await commands.change_category(unit, id_, category=category or "associate", note=note, expected=expected)
    elif step == "expel":
        await commands.expel_member(unit, id_, note=note or "", expected=expected)
    elif step == "reinstate":
        await commands.reinstate_member(unit, id_, note=note, expected=expected)
    else:
        await commands.resign_membership(unit, id_, note=note, expected=expected)


async def _require(unit: Unit, caller: Allowed, membership_id: UUID) -> None:
    found = await store.load(unit.connection, [membership_id])
    if not found:
        raise NoSuchMembership("there is no membership {id}", id=membership_id, field="membership_id")
    caller.require(cluster=found[0].cluster_id, organization=found[0].organization_id)


async def _page(
    request: Request, service: Service, eyes: Eyes, slug: str, tab: Tab, status: int = 200, *,
    wrong: tuple[UUID | None, str] | None = None,
) -> Response:  # fmt: skip
    speak = pages.language(request, eyes.reader.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        one = await organizations.by_slug_or_id(connection, slug)
        if one is None or one.id not in await organization_views.covered(connection, eyes.reader, [one.id]):
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
        private = bool(await organization_views.covered(connection, eyes.private, [one.id]))
        changes = bool(await organization_views.covered(connection, eyes.changing, [one.id]))
        people = bool(await organization_views.covered(connection, eyes.people, [one.id]))
        rows = await views.of_organization(connection, one.id, eyes.memberships)
        inherited = await views.inherited(connection, one.id)
        open_to = await views.open_to(connection, one.id, eyes.applying)
        reads_history = bool(await organization_views.covered(connection, eyes.history, [one.id]))
        if tab == "history" and not reads_history:
            raise NotYours("the history of this organisation is not yours to read", roles=("cluster_director",))
        lines = (
            await history_views.of_organization(connection, one.id, eyes.history, HISTORY_LINES)
            if tab == "history" else []
        )  # fmt: skip
    return pages.render(
        request, eyes.reader.viewer, "organization.html", status, one=one, tab=tab, private=private, changes=changes,
        people=people, inherited=[(row, speak(CATEGORIES[row["category"]])) for row in inherited],
        type=speak(TYPES[one.type]), positions=_positions(one, today, speak),
        categories=[(code, speak(words)) for code, words in CATEGORIES.items()],
        memberships=[_membership(row, eyes, speak) for row in rows], open_to=open_to, wrong=wrong,
        writes=eyes.writing.everything and one.id not in {held.id for held in eyes.reader.viewer.held} and any(
            row["standing"] in ("active", "grace") for row in rows),
        axis=_axis(rows, today, speak), history=[_entry(line, speak) for line in lines], reads_history=reads_history,
    )  # fmt: skip


def _positions(one: Organization, today: date, speak: Language) -> list[str]:
    return [speak(POSITIONS[p.position]) for p in one.positions
            if p.since <= today and (p.until is None or today < p.until)]  # fmt: skip


def _membership(row: Row, eyes: Eyes, speak: Language) -> dict[str, Any]:
    steps = [
        (step, speak(words)) for step, (words, standings) in STEPS.items()
        if row["standing"] in standings
        and eyes.steps[step].covers(cluster=row["cluster_id"], organization=row["organization_id"])
    ]  # fmt: skip
    words, tone = STANDINGS[row["standing"]]
    return {
        "id": row["id"], "cluster": row["cluster"], "slug": row["slug"], "words": speak(words), "tone": tone,
        "category": speak(CATEGORIES[row["category"]]), "since": row["since"], "until": row["until"],
        "applied_on": row["applied_on"], "standing": row["standing"],
        "version": row["version"], "steps": steps, "code": row["category"],
    }  # fmt: skip


def _axis(rows: list[Row], today: date, speak: Language) -> Axis | None:
    lanes = [
        (row["cluster"], [
            Band(speak(CATEGORIES[category]), since, until)
            for category, since, until in zip(row["categories"] or (), row["starts"] or (), row["ends"] or (),
                                              strict=True)
        ])
        for row in rows
    ]  # fmt: skip
    for row in rows:
        for name, days in orjson.loads(row["merged"]):
            lanes.append((f"{row['cluster']} · {name}", [
                Band(speak(CATEGORIES[category]), date.fromisoformat(since), until and date.fromisoformat(until))
                for category, since, until in days
            ]))  # fmt: skip
    lanes = [lane for lane in lanes if lane[1]]
    return axis(lanes, today) if lanes else None


def _entry(line: Line, speak: Language) -> dict[str, Any]:
    who = line.who or (speak(mark("the terminal")) if line.actor == "cli" else "Cumulo")
    if line.aggregate == "person":
        fields = ", ".join(speak(PERSON[name]) for name in line.fields if name in PERSON)
        words = (
            speak(mark("a representative: %(fields)s"), fields=fields) if fields else speak(mark("a representative"))
        )
        # what somebody wrote as the reason may name a person: it stands on the page of people only
        return {"when": line.at, "who": who, "words": words, "reason": None}
    changes = "; ".join(
        f"{speak(LOGGED.get(name, name))}: {_said(name, old, speak)} → {_said(name, new, speak)}"
        for name, (old, new) in line.fields.items()
    )
    kind = f"{speak(mark('membership'))}, {line.cluster}" if line.cluster else speak(mark("profile"))
    return {"when": line.at, "who": who, "words": f"{kind}: {changes}" if changes else kind, "reason": line.note}


def _said(name: str, value: Any, speak: Language) -> str:
    if value in (None, "", []):
        return "–"
    if name == "type":
        return speak(TYPES.get(value, value))
    if name == "standing":
        return speak(STANDINGS[value][0]) if value in STANDINGS else str(value)
    if isinstance(value, list):
        return ", ".join(speak(POSITIONS.get(one, str(one))) for one in value)
    return str(value)
