"""People and access: who may sign in and as what, by role, scope and name; one person's roles, and their end."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.membership.access import store, views
from services.membership.access.commands import giving, inviting
from services.membership.access.domain import Account, Grant, NoSuchAccount, NoSuchGrant
from services.membership.access.pages.parts import days, identifier, over, pages, reaches, sent, who
from services.membership.access.pages.waiting import waiting
from shared.contracts.membership import Role
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.policy import Allowed, May, NotYours, Sees, Serving, Span
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.navigation import ROLE_WORDS
from shared.web.refusals import reason
from shared.web.shell import scope_of, turn
from shared.web.tables import Choice, Column, Filter, Listing, Without

router = APIRouter(include_in_schema=False, route_class=Route)

Reader = Annotated[Allowed, May("access.read")]
Exporting = Annotated[Allowed, May("people.export")]
MayExport = Annotated[Allowed, Sees("people.export")]
Preparing = Annotated[Allowed, Sees("access.prepare")]
Releasing = Annotated[Allowed, Sees("access.release")]
MayWithdraw = Annotated[Allowed, Sees("access.withdraw")]
Withdrawing = Annotated[Allowed, May("access.withdraw")]
Values = Annotated[list[str], Query(max_length=40)]

ROWS = 50
COLUMNS = (
    Column("name", mark("Person")),
    Column("roles", mark("Roles")),
    Column("seen", mark("Last here"), minor=True),
)


@router.get("/access", response_class=HTMLResponse)
async def access(
    request: Request, service: Serving, reader: Reader, preparing: Preparing, releasing: Releasing,
    exporting: MayExport,
    role: Values = [], over: Values = [],  # noqa: B006  # FastAPI copies them
    q: Annotated[str, Query(max_length=100)] = "", after: UUID | None = None,
) -> Response:  # fmt: skip
    """The people within reach, and above them what waits to be released."""
    said = pages.language(request, reader.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    asked = views.Asked(role, over, q.replace("\x00", ""))
    span = _narrowed(reader, scope_of(request))
    async with service.database.connection() as connection:
        ids = await views.people(connection, asked, span, today, after, ROWS + 1)
        loaded = {one.id: one for one in await store.load(connection, ids)}
        found = [loaded[id_] for id_ in ids if id_ in loaded]
        counted = await views.counts(connection, asked, span, today)
        clusters = dict(await views.all_clusters(connection, span))
        names = await views.scopes(connection, found)
        seen = await views.seen(connection, [one.id for one in found])
        prepared = await waiting(connection, preparing, releasing, said) if reaches(preparing) else []
        without = [] if found else await _without(connection, asked, span, today, said, clusters)
    rows = [
        {"id": one.id, "name": one.name, "mail": one.mail, "seen": seen.get(one.id),
         "roles": [(said(ROLE_WORDS[g.role]), _over(said, g, names)) for g in _in_force(one, today)]}
        for one in found[:ROWS]
    ]  # fmt: skip
    listing = Listing(
        COLUMNS, rows, _filters(asked, counted, clusters, said), next=str(found[ROWS - 1].id) if len(found) > ROWS
        else None, total=counted.total, without=without, search=True,
    )  # fmt: skip
    return pages.render(
        request, reader.viewer, "access.html", listing=listing, waiting=prepared, may_invite=reaches(preparing),
        may_export=reaches(exporting), query=f"?{request.url.query}" if request.url.query else "",
    )  # fmt: skip


@router.get("/access.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Exporting, ending: Ending,
    role: Values = [], over: Values = [],  # noqa: B006  # FastAPI copies them
    q: Annotated[str, Query(max_length=100)] = "",
) -> StreamingResponse:  # fmt: skip
    """The same people, whole, as a file; for who may export people."""
    said = pages.language(request, reader.viewer)
    asked = views.Asked(role, over, q.replace("\x00", ""))
    rows = _exported(service, asked, _narrowed(reader, scope_of(request)), said)
    return await exported(ending, "access", [said(mark("Person")), said(mark("Mail")), said(mark("Roles"))], rows)


@router.get("/access/waiting.{ending}")
async def waiting_as_file(
    request: Request, service: Serving, reader: Exporting, preparing: Preparing, releasing: Releasing, ending: Ending
) -> StreamingResponse:
    """What was prepared and waits to be released, as a file; for who may export people."""
    said = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        found = await waiting(connection, preparing, releasing, said)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        for one in found:
            yield one.name, one.mail, one.role, one.over, one.by, one.at.date()

    columns = [said(words) for words in (mark("Person"), mark("Mail"), mark("Role"), mark("Over"), mark("Prepared by"),
                                         mark("Since"))]  # fmt: skip
    return await exported(ending, "waiting", columns, lines())


async def _exported(service: Service, asked: views.Asked, span: Span, said: Language) -> AsyncIterator[Sequence[Any]]:
    today = day_in(service.settings.network_zone, service.clock())
    after: UUID | None = None
    while True:
        async with service.database.connection() as connection:
            ids = await views.people(connection, asked, span, today, after, ROWS)
            loaded = {one.id: one for one in await store.load(connection, ids)}
            names = await views.scopes(connection, list(loaded.values()))
        for one in (loaded[id_] for id_ in ids if id_ in loaded):
            roles = [f"{said(ROLE_WORDS[g.role])} ({_over(said, g, names)})" for g in _in_force(one, today)]
            yield one.name, one.mail, roles
        if len(ids) < ROWS:
            return
        after = ids[-1]


def _narrowed(reader: Allowed, chosen: str | None) -> Span:
    """The reach, narrowed to the cluster that the switch above says."""
    cluster = identifier(chosen or "")
    return (False, [cluster], []) if cluster is not None and reader.covers(cluster=cluster) else reader.span()


def _in_force(account: Account, today: date) -> list[Grant]:
    """The roles that hold today or will."""
    return [grant for grant in account.grants if grant.until is None or grant.until > today]


def _over(said: Language, grant: Grant, names: dict[UUID, str]) -> str:
    return over(said, grant.scope_id, names)


def _filters(asked: views.Asked, counted: views.Counts, clusters: dict[UUID, str], said: Language) -> list[Filter]:
    roles = [
        Choice(role, said(words), counted.roles.get(role, 0))
        for role, words in ROLE_WORDS.items() if role in counted.roles or role in asked.roles
    ]  # fmt: skip
    overs = [
        Choice(value, _over_words(value, clusters, said), counted.overs.get(value, 0))
        for value in ("network", *(str(id_) for id_ in clusters), "organization")
        if value in counted.overs or value in asked.overs
    ]  # fmt: skip
    return [Filter("role", mark("Role"), roles), Filter("over", mark("Over what"), overs)]


def _over_words(value: str, clusters: dict[UUID, str], said: Language) -> str:
    if value in ("network", "organization"):
        return said(mark("whole network") if value == "network" else mark("one organisation"))
    return clusters.get(identifier(value) or UUID(int=0), value)


async def _without(
    connection: Connection, asked: views.Asked, span: Span, today: date, said: Language, clusters: dict[UUID, str]
) -> list[Without]:
    """What taking each filter value away would give."""
    given = [("role", one, said(ROLE_WORDS.get(one, one))) for one in asked.roles]  # type: ignore[call-overload]
    given += [("over", one, _over_words(one, clusters, said)) for one in asked.overs]
    made = []
    for key, value, words in given[:5]:
        rest = asked._replace(
            roles=[one for one in asked.roles if (key, one) != ("role", value)],
            overs=[one for one in asked.overs if (key, one) != ("over", value)],
        )
        made.append(Without(key, value, words, (await views.counts(connection, rest, span, today)).total))
    return made


@router.get("/access/{account_id}", response_class=HTMLResponse)
async def person(
    request: Request, service: Serving, reader: Reader, withdrawing: MayWithdraw, account_id: UUID
) -> Response:
    return await _person(request, service, reader, withdrawing, account_id)


async def _person(
    request: Request, service: Service, reader: Allowed, withdrawing: Allowed, account_id: UUID,
    refused: dict[UUID, Form] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """One person's roles; with `refused`, what was not taken at the role where it was asked."""
    said = pages.language(request, reader.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        if not await views.reached(connection, account_id, reader.span(), today):
            raise NoSuchAccount("there is no account {id}", id=account_id, field="account_id")
        [found] = await store.load(connection, [account_id])
        names = await views.scopes(connection, [found])
        called = await views.actors(connection, {grant.granted_by for grant in found.grants})
        roles = [
            await _role(connection, grant, withdrawing, said, names, called, today, found)
            for grant in sorted(found.grants, key=lambda g: (g.until is not None and g.until <= today, g.since))
        ]
    return pages.render(request, reader.viewer, "person.html", status, person=found, roles=roles,
                        forms=refused or {}, fresh=Form)  # fmt: skip


async def _role(
    connection: Connection, grant: Grant, withdrawing: Allowed, said: Language, names: dict[UUID, str],
    called: dict[str, str], today: date, account: Account,
) -> dict[str, Any]:  # fmt: skip
    ended = grant.until is not None and grant.until <= today
    own = str(account.id) == withdrawing.actor
    return {
        "id": grant.id, "role": said(ROLE_WORDS[grant.role]), "over": _over(said, grant, names), "ended": ended,
        "days": days(said, grant.since, grant.until), "by": who(said, grant.granted_by, called),
        "may_end": not ended and not own and await _gives(connection, withdrawing, grant.role, grant),
    }  # fmt: skip


async def _gives(connection: Connection, caller: Allowed, role: Role, grant: Grant) -> bool:
    cluster = grant.scope_id if grant.scope == "cluster" else None
    organization = grant.scope_id if grant.scope == "organization" else None
    try:
        await giving.require_giving(connection, caller, role, cluster, organization)
    except NotYours:
        return False
    return reaches(caller)


@router.post("/access/{account_id}/roles/{grant_id}/withdraw", response_class=HTMLResponse)
async def withdraw(
    request: Request, service: Serving, reader: Reader, withdrawing: Withdrawing, account_id: UUID, grant_id: UUID
) -> Response:
    """Ends a role today; the reason is asked for, since the person may ask why."""
    said = pages.language(request, reader.viewer)
    values = await sent(request)
    note = " ".join(values.get("reason", "").replace("\x00", "").split())
    if not 3 <= len(note) <= 300:
        wrong = said(mark("Write why, in 3 to 300 characters"))
        form = Form(values, {"reason": wrong})
        return await _person(request, service, reader, withdrawing, account_id, {grant_id: form}, 422)
    try:
        async with unit_of(request, reader.actor) as unit:
            today = day_in(service.settings.network_zone, unit.now)
            await inviting.withdraw(unit, withdrawing, account_id, grant_id, today=today, note=note)
    except NoSuchAccount:
        raise
    except NoSuchGrant:
        return turn(f"/access/{account_id}", said=said(mark("This role had ended already")))
    except Refusal as refusal:
        form = Form(values, {"reason": reason(said, refusal)})
        return await _person(request, service, reader, withdrawing, account_id, {grant_id: form}, refusal.status)
    return turn(f"/access/{account_id}", said=said(mark("The role ended")))
