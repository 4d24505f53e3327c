"""The register as a page and as files: found, filtered, ordered and paged by its address alone.

What is private (applications, the past) is shown, counted and filtered by within the reader's reach only.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.membership.organizations import views
from services.membership.organizations.views import Wanted
from services.membership.words import CATEGORIES, POSITIONS, STANDINGS, TYPES
from shared.contracts.membership import Category, ChainPosition, OrganizationType, Standing
from shared.http.exports import csv_response, xlsx_response
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection, Row
from shared.postgres.values import day_in
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.shell import pages_of, scope_of
from shared.web.tables import Choice, Column, Filter, Listing, Without

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of("services.membership.organizations")

Reader = Annotated[Allowed, May("organizations.read")]
Keeps = Annotated[Allowed, Sees("duplicates.read")]
Imports = Annotated[Allowed, Sees("uploads.prepare")]
Memberships = Annotated[Allowed, Sees("memberships.read")]
Cursor = Annotated[str | None, Query(max_length=2000)]
PAGE_ROWS = 50

COLUMNS = (
    Column("name", mark("Organisation"), sort="name"),
    Column("kind", mark("Type and position")),
    Column("clusters", mark("Clusters"), sort="cluster"),
    Column("since", mark("Since"), sort="since", minor=True),
    Column("place", mark("Place"), minor=True),
)
EXPORTED = (
    mark("Page"), mark("Trade name"), mark("Legal name"), mark("Type"), mark("Positions in the chain"),
    mark("Clusters"), mark("Since"), mark("City"), mark("State"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: the filters and the order."""

    wanted: Wanted
    sort: str
    falling: bool


def _asked(
    request: Request,
    q: Annotated[OptionalLine, Query()] = None,
    cluster: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{0,60}$")] = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    position: Annotated[ChainPosition | None, Query()] = None,
    category: Annotated[Category | None, Query()] = None,
    standing: Annotated[Standing | None, Query()] = None,
    sort: Annotated[str, Query(max_length=20)] = "name",
) -> Asked:
    scope = scope_of(request)
    try:
        within = UUID(scope) if scope and scope != "network" else None
    except ValueError:
        within = None
    return Asked(Wanted(q, cluster or None, type, position, category, standing, within), *views.order_of(sort))


Asking = Annotated[Asked, Depends(_asked)]


@router.get("/register", response_class=HTMLResponse)
async def register(
    request: Request, service: Serving, reader: Reader, memberships: Memberships, keeps: Keeps,
    importing: Imports, asked: Asking, after: Cursor = None, before: Cursor = None,
) -> Response:  # fmt: skip
    today = day_in(service.settings.network_zone, service.clock())
    back = before is not None and after is None
    cursor = before if back else after
    place = views.place_at(cursor, "before" if back else "after") if cursor else None
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        rows = [row async for row in views.register(
            connection, asked.wanted, today, reader=reader, memberships=memberships, sort=asked.sort,
            falling=asked.falling != back, after=place, limit=PAGE_ROWS + 1,
        )]  # fmt: skip
        more = len(rows) > PAGE_ROWS
        rows = rows[:PAGE_ROWS][::-1] if back else rows[:PAGE_ROWS]
        total = await views.count(connection, asked.wanted, today, reader=reader, memberships=memberships)
        clusters = {row["slug"]: row["name"] for row in await views.clusters(connection)}
        counts = await views.facets(connection, asked.wanted, today, reader=reader, memberships=memberships)
        filters = _filters(clusters, speak, counts)
        without = [] if total else await _without(connection, service, asked.wanted, reader, memberships, filters)
    listing = Listing(
        COLUMNS, [_shown(row, speak) for row in rows], filters,
        next=views.cursor_of(rows[-1]) if rows and (more or back) else None,
        previous=views.cursor_of(rows[0]) if rows and (more if back else place is not None) else None,
        total=total, without=without, default_sort="name", search=True,
    )  # fmt: skip
    query = request.url.query
    return pages.render(
        request,
        reader.viewer,
        "register.html",
        listing=listing,
        query=f"?{query}" if query else "",
        keeps=keeps.everything or bool(keeps.clusters),
        imports=importing.everything or bool(importing.clusters),
    )


@router.get("/register.csv")
async def as_csv(
    request: Request, service: Serving, reader: Reader, memberships: Memberships, asked: Asking
) -> StreamingResponse:
    speak = pages.language(request, reader.viewer)
    rows = _exported(service, asked, reader, memberships, speak)
    return csv_response("register", [speak(words) for words in EXPORTED], rows)


@router.get("/register.xlsx")
async def as_xlsx(
    request: Request, service: Serving, reader: Reader, memberships: Memberships, asked: Asking
) -> StreamingResponse:
    speak = pages.language(request, reader.viewer)
    rows = _exported(service, asked, reader, memberships, speak)
    return await xlsx_response("register", [speak(words) for words in EXPORTED], rows)


async def _exported(
    service: Service, asked: Asked, reader: Allowed, memberships: Allowed, speak: Language
) -> AsyncIterator[Sequence[Any]]:
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        async for row in views.register(
            connection, asked.wanted, today, reader=reader, memberships=memberships, sort=asked.sort,
            falling=asked.falling,
        ):  # fmt: skip
            shown = _shown(row, speak)
            yield (
                row["slug"], row["trade_name"], row["legal_name"], shown["type"], shown["positions"],
                [f"{one['cluster']} ({one['words']})" for one in shown["memberships"]], shown["since"],
                row["city"], row["state"],
            )  # fmt: skip


def _filters(clusters: dict[str, str], speak: Language, counts: dict[str, dict[str, int]]) -> tuple[Filter, ...]:
    def choices(key: str, words: dict[Any, str]) -> list[Choice]:
        return [Choice(code, speak(text), counts[key].get(code, 0)) for code, text in words.items()]

    standings = {code: words for code, (words, _) in STANDINGS.items()}
    named = [Choice(slug, name, counts["cluster"].get(slug, 0)) for slug, name in clusters.items()]
    return (
        Filter("cluster", mark("Cluster"), named, one=True),
        Filter("type", mark("Type"), choices("type", dict(TYPES)), one=True),
        Filter("position", mark("Position in the chain"), choices("position", dict(POSITIONS)), one=True),
        Filter("category", mark("Category"), choices("category", dict(CATEGORIES)), one=True),
        Filter("standing", mark("Standing"), choices("standing", standings), one=True),
    )


async def _without(
    connection: Connection, service: Service, wanted: Wanted, reader: Allowed, memberships: Allowed,
    filters: Sequence[Filter],
) -> list[Without]:  # fmt: skip
    """What taking each filter away would give, where that is something."""
    today = day_in(service.settings.network_zone, service.clock())
    made = []
    given = [(one.key, getattr(wanted, one.key), one.choices) for one in filters if getattr(wanted, one.key)]
    for key, value, choices in given:
        rest = wanted._replace(**{key: None})
        found = await views.count(connection, rest, today, reader=reader, memberships=memberships)
        words = next((choice.words for choice in choices if choice.value == value), value)
        made += [Without(key, value, words, found)] if found else []
    if wanted.text and given:
        rest = wanted._replace(text=None)
        found = await views.count(connection, rest, today, reader=reader, memberships=memberships)
        made += [Without("q", wanted.text, wanted.text, found)] if found else []
    return made


def _shown(row: Row, speak: Language) -> dict[str, Any]:
    memberships = row["memberships"] or ()
    return {
        "slug": row["slug"], "name": row["trade_name"], "legal": row["legal_name"],
        "type": speak(TYPES[row["type"]]),
        "positions": [speak(POSITIONS[position]) for position in row["positions"] or ()],
        "memberships": [
            {"cluster": name, "words": speak(STANDINGS[standing][0]), "tone": STANDINGS[standing][1]}
            for _, name, standing, _, _ in memberships
        ],
        "since": min((since for *_, since in memberships if since), default=None),
        "place": ", ".join(part for part in (row["city"], row["state"]) if part),
    }  # fmt: skip
