"""Programs: their tokens, made and shown once, listed, revoked.

A token travels from the form to the page that shows it in a cookie for that page only, which the page takes back:
it stands in no table, no address and no kept answer.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Cookie, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import TypeAdapter, ValidationError

from services.membership.access import store, views
from services.membership.access.commands import accounts, giving
from services.membership.access.domain import Account
from services.membership.access.pages.parts import identifier, over, pages, reaches, sent, who
from shared.http import limits
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.runtime.settings import SERVICES
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.navigation import ROLE_WORDS
from shared.web.refusals import reason
from shared.web.shell import turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)

TokenReader = Annotated[Allowed, May("tokens.read")]
MayMake = Annotated[Allowed, Sees("tokens.manage")]
TokenMaker = Annotated[Allowed, May("tokens.manage")]
MayRevoke = Annotated[Allowed, Sees("tokens.revoke")]
TokenRevoker = Annotated[Allowed, May("tokens.revoke")]

MADE_COOKIE = "cumulo_made"
"""The token that was just made, until its page has shown it."""
ROWS = 50
COLUMNS = (
    Column("name", mark("Program")),
    Column("role", mark("Reads as")),
    Column("services", mark("Opens"), minor=True),
    Column("until", mark("Until")),
    Column("by", mark("Made by"), minor=True),
    Column("act", mark("Revoke")),
)
LASTS = (30, 90, 180, 365)
"""The days that the form offers."""
FIELDS = {"cluster_id": "cluster"}


@router.get("/tokens", response_class=HTMLResponse)
async def tokens(
    request: Request, service: Serving, reader: TokenReader, making: MayMake, revoking: MayRevoke,
    after: UUID | None = None,
    made: Annotated[str | None, Cookie(alias=MADE_COOKIE, max_length=4000)] = None,
) -> Response:  # fmt: skip
    """The programs, and once the token that was just made."""
    said = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        found = await store.programs(connection, after, ROWS + 1)
        names = await views.scopes(connection, found)
        called = await views.actors(connection, {one.made_by for one in found})
    rows = [_row(service, said, one, names, called) for one in found[:ROWS]]
    columns = COLUMNS if reaches(revoking) else COLUMNS[:-1]
    listing = Listing(columns, rows, next=str(found[ROWS - 1].id) if len(found) > ROWS else None)
    answer = pages.render(
        request, reader.viewer, "tokens.html", listing=listing, may_make=reaches(making), may_revoke=reaches(revoking),
        made=made, address=str(request.base_url).rstrip("/"),
    )  # fmt: skip
    if made is not None:
        answer.delete_cookie(MADE_COOKIE, path="/tokens")
        answer.headers["Cache-Control"] = "no-store"
    return answer


@router.get("/tokens.{ending}")
async def as_file(request: Request, service: Serving, reader: TokenReader, ending: Ending) -> StreamingResponse:
    """All programs, whole, as a file; no token stands in it."""
    said = pages.language(request, reader.viewer)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        after: UUID | None = None
        while True:
            async with service.database.connection() as connection:
                found = await store.programs(connection, after, ROWS)
                names = await views.scopes(connection, found)
                called = await views.actors(connection, {one.made_by for one in found})
            for row in (_row(service, said, one, names, called) for one in found):
                roles = [f"{role} ({over})" for role, over in row["roles"]]
                until = row["until"].date() if row["until"] else None
                ended = said(mark("ended")) if row["ended"] else None
                yield row["name"], roles, row["services"], until, ended, row["by"]
            if len(found) < ROWS:
                return
            after = found[-1].id

    columns = [said(words) for words in (mark("Program"), mark("Reads as"), mark("Opens"), mark("Until"),
                                         mark("State of the token"), mark("Made by"))]  # fmt: skip
    return await exported(ending, "tokens", columns, lines())


def _row(
    service: Service, said: Language, one: Account, names: dict[UUID, str], called: dict[str, str]
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": one.id, "name": one.name, "until": one.until,
        "ended": one.until is not None and one.until <= service.clock(),
        "roles": [(said(ROLE_WORDS[g.role]), over(said, g.scope_id, names)) for g in one.grants],
        "services": [said(SERVICE_WORDS[name]) for name in one.services or ()],
        "by": who(said, one.made_by, called), "at": one.made_at,
    }  # fmt: skip


@router.get("/tokens/new", response_class=HTMLResponse)
async def new(request: Request, service: Serving, making: TokenMaker) -> Response:
    return await _page(request, service, making, Form({"role": "service", "days": "90", "services": []}))


async def _page(request: Request, service: Service, making: Allowed, form: Form, status: int = 200) -> Response:
    said = pages.language(request, making.viewer)
    async with service.database.connection() as connection:
        clusters = await views.all_clusters(connection, making.span())
    roles = [
        ("service", said(mark("Program")), said(mark("follows what happens, by feed and topics"))),
        ("partner", said(mark("Partner")), said(mark("reads the directory and published figures"))),
    ]
    lasts = [(str(days), said.duration(timedelta(days=days))) for days in LASTS]
    opens = [(name, said(SERVICE_WORDS[name])) for name in SERVICES]
    return pages.render(
        request, making.viewer, "token_new.html", status, form=form, roles=roles, clusters=clusters, lasts=lasts,
        opens=opens,
    )  # fmt: skip


SERVICE_WORDS = {
    "membership": mark("register, memberships, people"),
    "events": mark("events"),
    "notifications": mark("notices"),
    "reporting": mark("indicators"),
}
"""What each service is to who gives a program access."""


@router.post("/tokens/new", response_class=HTMLResponse)
async def make(request: Request, service: Serving, making: TokenMaker) -> Response:
    """Makes a token; the next page shows it. What is wrong stands at its field."""
    said = pages.language(request, making.viewer)
    values: dict[str, Any] = await sent(request)
    values["services"] = [one for one in (await request.form()).getlist("services") if one in SERVICES]
    errors: dict[str, str] = {}
    try:
        name = TypeAdapter(Line).validate_python(values.get("name", ""))
    except ValidationError:
        errors["name"] = said(mark("Write what the program is called, in at most 300 characters"))
    role = next((one for one in get_args(giving.TokenRole) if one == values.get("role")), None)
    if role is None:
        errors["role"] = said(mark("Choose a role"))
    cluster = identifier(values.get("cluster", ""))
    if values.get("cluster") and cluster is None:
        errors["cluster"] = said(mark("Choose the cluster"))
    lasts = values.get("days", "")
    if not (lasts.isascii() and lasts.isdigit() and len(lasts) < 6):
        errors["days"] = said(mark("Choose how long it lasts"))
    if errors or role is None:
        return await _page(request, service, making, Form(values, errors), 422)
    try:
        async with service.database.connection() as connection:
            bucket = f"tokens of {making.actor}"
            await limits.allow(connection, bucket, 30, timedelta(hours=1), now=service.clock())
        async with unit_of(request, making.actor) as unit:
            await giving.require_known_scope(unit.connection, cluster, None)
            made = await accounts.make_token(
                unit, name, role=role, days=int(lasts), cluster=cluster, services=values["services"],
                today=day_in(service.settings.network_zone, unit.now),
            )  # fmt: skip
    except Refusal as refusal:
        field = FIELDS.get(refusal.field or "", refusal.field or "")
        return await _page(request, service, making, Form(values, {field: reason(said, refusal)}), refusal.status)
    answer = turn("/tokens")
    answer.set_cookie(
        MADE_COOKIE, made.token, max_age=120, path="/tokens", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/tokens/{token_id}/revoke", response_class=HTMLResponse)
async def revoke(request: Request, making: TokenRevoker, token_id: UUID) -> Response:
    said = pages.language(request, making.viewer)
    async with unit_of(request, making.actor) as unit:
        account = await accounts.revoke_token(unit, token_id)
    return turn("/tokens", said=said(mark("%(name)s opens nothing any more"), name=account.name))
