"""Two organisations side by side, for who decides whether they are one: what stays, what is taken from the other."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from services.membership.decisions import ChangedMeanwhile
from services.membership.memberships import views as memberships
from services.membership.merges import commands
from services.membership.merges.commands import CHOSEN
from services.membership.organizations import store as organizations
from services.membership.organizations import views as organization_views
from services.membership.organizations.domain import NoSuchOrganization, Organization
from services.membership.people import store as people
from services.membership.places import state_name
from services.membership.words import CATEGORIES, FIELDS, POSITIONS, STANDINGS, TYPES
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Merging = Annotated[Allowed, May("organizations.merge")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
NO_REASON = mark("Write why they are one, on one line of at most 300 characters")


@router.get("/register/merge", response_class=HTMLResponse)
async def compare(
    request: Request, service: Serving, caller: Merging, one: Annotated[UUID, Query()], other: Annotated[UUID, Query()]
) -> Response:
    """Both side by side; the one that has more memberships is proposed to stay."""
    both = await _both(service, caller, one, other)
    return await _page(request, service, caller, both, Form())


@router.post("/register/merge", response_class=HTMLResponse)
async def merge(request: Request, service: Serving, caller: Merging) -> Response:
    speak = pages.language(request, caller.viewer)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    one, other = _id(typed.get("one")), _id(typed.get("other"))
    both = await _both(service, caller, one, other)
    stays, goes = both if typed.get("stays") != str(both[1].id) else (both[1], both[0])
    try:
        note = LINE.validate_python(typed.get("note", ""))
    except ValidationError:
        form = Form(typed, {"note": speak(NO_REASON)})
        return await _page(request, service, caller, both, form, 422)
    chosen = {name: both[0] if typed.get(name) == "one" else both[1] for name in CHOSEN if typed.get(name)}
    values = {name: getattr(of, name) for name, of in chosen.items() if getattr(of, name) != getattr(stays, name)}
    try:
        async with unit_of(request, caller.actor) as unit:
            left = await commands.merge_organizations(
                unit, stays.id, goes.id, values=values, note=note,
                stays_at=_version(typed, both, stays), goes_at=_version(typed, both, goes),
            )  # fmt: skip
    except ChangedMeanwhile:
        text = speak(mark("Somebody changed one of them meanwhile; this is how they are now. Nothing was merged."))
        return await _page(request, service, caller, both, Form(typed, {"": text}), 409)
    except Refusal as refusal:
        form = Form(typed, {refusal.field if refusal.field in CHOSEN else "": reason(speak, refusal)})
        return await _page(request, service, caller, both, form, refusal.status)
    return turn(f"/organizations/{left.slug}", said=speak(mark("They are one now; the old address leads here")))


@router.post("/register/apart", response_class=HTMLResponse)
async def apart(request: Request, service: Serving, caller: Merging) -> Response:
    """The pair is no longer listed."""
    speak = pages.language(request, caller.viewer)
    typed = {name: value for name, value in (await request.form()).items() if not isinstance(value, UploadFile)}
    both = await _both(service, caller, _id(typed.get("one")), _id(typed.get("other")))
    async with unit_of(request, caller.actor) as unit:
        await commands.keep_apart(unit, both[0].id, both[1].id)
    return turn("/register/duplicates", said=speak(mark("They stay two and are no longer listed")))


def _id(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise NoSuchOrganization("there is no organisation {id}", id=(text or "")[:40], field="one") from None


def _version(typed: dict[str, str], both: tuple[Organization, Organization], of: Organization) -> int | None:
    text = typed.get("one-version" if of is both[0] else "other-version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


async def _both(service: Service, caller: Allowed, one: UUID, other: UUID) -> tuple[Organization, Organization]:
    async with service.database.connection() as connection:
        found = {o.id: o for o in await organizations.load(connection, [one, other])}
        for id_ in (one, other):
            if id_ not in found:
                raise NoSuchOrganization("there is no organisation {id}", id=id_, field="one")
            await organization_views.require(connection, caller, id_)
    if one == other:
        raise commands.TheSame("these are one organisation already", field="other")
    return found[one], found[other]


async def _page(
    request: Request, service: Service, caller: Allowed, both: tuple[Organization, Organization], form: Form,
    status: int = 200,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    if status == 409:
        both = await _both(service, caller, both[0].id, both[1].id)
    async with service.database.connection() as connection:
        sides = [await _side(connection, caller, one, speak) for one in both]
    proposed = max(both, key=lambda one: (len(sides[both.index(one)]["memberships"]), one is both[0]))
    values = {"stays": str(proposed.id), "note": "", **form.values}
    fields = [
        (name, speak(FIELDS[name]), _said(name, both[0], speak), _said(name, both[1], speak),
         form.values.get(name) or _preferred(name, both, proposed))
        for name in CHOSEN if getattr(both[0], name) != getattr(both[1], name)
    ]  # fmt: skip
    return pages.render(
        request, caller.viewer, "merge.html", status, one=both[0], other=both[1], sides=sides, fields=fields,
        form=Form(values, form.errors),
    )  # fmt: skip


def _preferred(name: str, both: tuple[Organization, Organization], proposed: Organization) -> str:
    """From which side a field comes unless somebody says otherwise: of the one that stays, where it says something."""
    first = proposed is both[0]
    if getattr(proposed, name) is None:
        first = not first
    return "one" if first else "other"


def _said(name: str, one: Organization, speak: Language) -> str:
    value = getattr(one, name)
    if value is None:
        return "–"
    if name == "type":
        return speak(TYPES[one.type])
    return state_name(one.country, one.state) or str(value) if name == "state" else str(value)


async def _side(connection: Connection, caller: Allowed, one: Organization, speak: Language) -> dict[str, Any]:
    rows = await memberships.of_organization(connection, one.id, caller)
    representatives = await people.of(connection, one.id)
    return {
        "positions": [speak(POSITIONS[p.position]) for p in one.positions if p.until is None],
        "memberships": [
            {"cluster": row["cluster"], "words": speak(STANDINGS[row["standing"]][0]),
             "tone": STANDINGS[row["standing"]][1], "category": speak(CATEGORIES[row["category"]]),
             "since": row["since"]}
            for row in rows
        ],
        "people": len(representatives),
    }  # fmt: skip
