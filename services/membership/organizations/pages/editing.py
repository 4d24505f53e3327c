"""The form that changes an organisation: what is wrong stands at its field, what is doubtful is asked once.

Who saves from an older version sees both values and chooses; nothing is overwritten unseen.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from services.membership.decisions import ChangedMeanwhile
from services.membership.organizations import commands, store, views
from services.membership.organizations.domain import NoSuchOrganization, Organization
from services.membership.tax_numbers import tax_number
from services.membership.words import FIELDS, POSITIONS, TYPES
from shared.contracts.membership import ChainPosition, OrganizationType
from shared.http.edge import unit_of
from shared.http.inputs import Country, Line, OptionalLine
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import CONFIRM_FIELD, VERSION_FIELD, Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of("services.membership.organizations")

Changing = Annotated[Allowed, May("organizations.change")]
Named = Annotated[list[ChainPosition], Field(max_length=len(get_args(ChainPosition)))]

WRONG = {
    "legal_name": mark("Write the legal name on one line of at most 300 characters"),
    "trade_name": mark("Write the name by which people know it, on one line of at most 300 characters"),
    "type": mark("Choose one of the list"),
    "positions": mark("Choose from the list"),
    "country": mark("Write two capital letters, such as MX"),
}
TOO_LONG = mark("Write at most 300 characters on one line")
DOUBTFUL = mark("The check digit does not fit; so it is with 1 to 2 of 100 real ones.")


class Edited(BaseModel):
    """The fields of the form."""

    model_config = ConfigDict(extra="ignore")

    legal_name: Line
    trade_name: Line
    type: OrganizationType
    country: Country
    state: OptionalLine = None
    city: OptionalLine = None
    tax_number: OptionalLine = None
    positions: Named = []
    note: OptionalLine = None
    version: int = Field(ge=1, lt=2**63)


@router.get("/organizations/{slug}/edit", response_class=HTMLResponse)
async def edit(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    one = await _within(service, caller, slug)
    return _page(request, caller, one, Form(_values(one), version=one.version))


@router.post("/organizations/{slug}/edit", response_class=HTMLResponse)
async def save(request: Request, service: Serving, caller: Changing, slug: str) -> Response:
    one = await _within(service, caller, slug)
    speak = pages.language(request, caller.viewer)
    sent = await request.form()
    values: dict[str, Any] = {name: value for name, value in sent.items() if not isinstance(value, UploadFile)} | {
        "positions": [value for value in sent.getlist("positions") if isinstance(value, str)]
    }
    try:
        edited = Edited.model_validate(values)
    except ValidationError as error:
        wrong = {str(item["loc"][0]): speak(WRONG.get(str(item["loc"][0]), TOO_LONG)) for item in error.errors()}
        if wrong.pop(VERSION_FIELD, None) is not None:
            wrong[""] = speak(mark("Open the page again: this form was not made here"))
        return _page(request, caller, one, Form(values, wrong, version=one.version), 422)
    try:
        if values.get(CONFIRM_FIELD) != "yes" and _is_doubtful(one, edited):
            doubts = {"tax_number": speak(DOUBTFUL)}
            return _page(request, caller, one, Form(values, warnings=doubts, version=edited.version))
        changes = edited.model_dump(exclude={"positions", "note", "version"})
        async with unit_of(request, caller.actor) as unit:
            await commands.change_organization(
                unit, one.id, changes, positions=edited.positions, note=edited.note, expected=edited.version
            )
    except ChangedMeanwhile:
        return await _conflict(request, service, caller, one.id, values, speak)
    except Refusal as refusal:
        why = reason(speak, refusal).removeprefix("tax number: ").removeprefix(f"{refusal.field}: ")
        shown = Form.refused(values, refusal, reason=why, version=edited.version)
        return _page(request, caller, one, shown, refusal.status)
    return turn(f"/organizations/{one.slug}", said=speak(mark("Saved")))


def _is_doubtful(one: Organization, edited: Edited) -> bool:
    if not edited.tax_number or (edited.tax_number, edited.country) == (one.tax_number, one.country):
        return False
    read = tax_number(edited.country, edited.tax_number)
    return bool(read.warnings) and read.number != one.tax_number


async def _within(service: Service, caller: Allowed, slug: str) -> Organization:
    async with service.database.connection() as connection:
        found = await store.by_slug_or_id(connection, slug)
        if found is None:
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
        await views.require(connection, caller, found.id)
    return found


async def _conflict(
    request: Request, service: Service, caller: Allowed, id_: UUID, yours: Mapping[str, Any], speak: Language
) -> Response:
    """Both values side by side; "mine anyway" sends the same again, made from the version that is there now."""
    async with service.database.connection() as connection:
        [one] = await store.load(connection, [id_])
        last = await views.last_change(connection, id_)
    theirs = _values(one)
    fields = [(speak(words), _said(name, theirs.get(name), speak), _said(name, yours.get(name), speak))
              for name, words in FIELDS.items()]  # fmt: skip
    again = [(name, value) for name in (*FIELDS, "note") if name != "positions" and (value := yours.get(name))]
    again += [("positions", value) for value in yours["positions"]]
    who, when = (last["who"], last["at"]) if last else ("Cumulo", service.clock())
    return pages.render(
        request, caller.viewer, "organization_conflict.html", 409, one=one, who=who, when=when, fields=fields,
        again=again, form=Form(version=one.version),
    )  # fmt: skip


def _page(request: Request, caller: Allowed, one: Organization, form: Form, status: int = 200) -> Response:
    speak = pages.language(request, caller.viewer)
    return pages.render(
        request, caller.viewer, "organization_edit.html", status, one=one, form=form,
        types=[(code, speak(words)) for code, words in TYPES.items()],
        positions=[(code, speak(words)) for code, words in POSITIONS.items()],
    )  # fmt: skip


def _values(one: Organization) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in FIELDS if name != "positions"}
    return {**fields, "positions": [code for code in POSITIONS if code in one.open_positions]}


def _said(name: str, value: Any, speak: Language) -> str:
    if name == "positions":
        return ", ".join(speak(POSITIONS[code]) for code in POSITIONS if code in (value or ()))
    return speak(TYPES[value]) if name == "type" and value in TYPES else str(value or "")
