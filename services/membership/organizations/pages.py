"""The register and one organisation as pages: who is in the network, what they are, since when they belong.

What is private (tax number, applications, the change log) is shown within the reader's reach only.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.membership.organizations import store, views
from services.membership.organizations.domain import NoSuchOrganization
from services.membership.organizations.views import Wanted
from shared.contracts.membership import ChainPosition, OrganizationType
from shared.http.exports import csv_response, xlsx_response
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Row
from shared.postgres.values import day_in, normalised_name
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.drawing import Band, axis
from shared.web.language import Language, mark
from shared.web.shell import pages_of, scope_of
from shared.web.tables import Choice, Column, Filter, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("organizations.read")]
Private = Annotated[Allowed, Sees("organizations.private")]
Memberships = Annotated[Allowed, Sees("memberships.read")]
History = Annotated[Allowed, Sees("history.read")]
PAGE_ROWS = 50

TYPES: dict[OrganizationType, str] = {
    "company": mark("company"), "university": mark("university"), "research_centre": mark("research centre"),
    "government": mark("government"), "association": mark("association"),
}  # fmt: skip
POSITIONS: dict[ChainPosition, str] = {
    "oem": mark("vehicle maker (OEM)"), "tier1": "Tier 1", "tier2": "Tier 2", "tier3": "Tier 3",
    "service": mark("service company"), "raw_material": mark("raw material"),
}  # fmt: skip
STANDINGS = {
    "applied": (mark("application"), "warn"), "approved": (mark("approved"), "calm"),
    "active": (mark("member"), "good"),
    "grace": (mark("grace period"), "warn"), "lapsed": (mark("lapsed"), "bad"), "resigned": (mark("left"), "plain"),
    "expelled": (mark("expelled"), "bad"), "refused": (mark("refused"), "plain"),
}  # fmt: skip
CATEGORIES = {"associate": mark("associate"), "affiliate": mark("affiliate"), "honorary": mark("honorary member")}
COLUMNS = (
    Column("name", mark("Organisation")),
    Column("kind", mark("Type and position")),
    Column("clusters", mark("Clusters")),
    Column("place", mark("Place"), minor=True),
)
EXPORTED = ("slug", "nombre comercial", "razón social", "tipo", "posiciones", "clústeres", "ciudad", "estado")


class MalformedPlace(Refusal):
    """The cursor of a page is not one of ours."""


def _asked(
    q: Annotated[OptionalLine, Query()] = None,
    cluster: Annotated[str | None, Query(max_length=60)] = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    position: Annotated[ChainPosition | None, Query()] = None,
) -> Wanted:
    return Wanted(q, cluster or None, type, position)


def _after(cursor: str | None) -> tuple[str, UUID] | None:
    if not cursor:
        return None
    try:
        key, id_ = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
        return str(key).replace("\x00", ""), UUID(id_)
    except (ValueError, TypeError):
        raise MalformedPlace("after: this is no place in the list", field="after") from None


def _cursor(row: Row) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([row["sort_key"], str(row["id"])])).decode().rstrip("=")


@router.get("/register", response_class=HTMLResponse)
async def register(
    request: Request, service: Serving, reader: Reader, memberships: Memberships,
    q: Annotated[OptionalLine, Query()] = None,
    cluster: Annotated[str | None, Query(max_length=60)] = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    position: Annotated[ChainPosition | None, Query()] = None,
    after: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:  # fmt: skip
    wanted = _asked(q, cluster, type, position)
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        rows = [row async for row in views.register(
            connection, wanted, today, reader=reader, memberships=memberships, after=_after(after), limit=PAGE_ROWS + 1
        )]  # fmt: skip
        every = await views.clusters(connection)
    speak = pages.language(request, reader.viewer)
    filters = (
        Filter("cluster", mark("Cluster"), [Choice(c["slug"], c["name"]) for c in every], one=True),
        Filter("type", mark("Type"), [Choice(code, speak(words)) for code, words in TYPES.items()], one=True),
        Filter("position", mark("Position in the chain"),
               [Choice(code, speak(words)) for code, words in POSITIONS.items()], one=True),
    )  # fmt: skip
    listing = Listing(
        COLUMNS, [_shown(row, speak) for row in rows[:PAGE_ROWS]], filters,
        next=_cursor(rows[PAGE_ROWS - 1]) if len(rows) > PAGE_ROWS else None, search=True,
    )  # fmt: skip
    query = request.url.query
    return pages.render(request, reader.viewer, "register.html", listing=listing, query=f"?{query}" if query else "")


@router.get("/register.csv")
async def as_csv(
    service: Serving, reader: Reader, memberships: Memberships,
    q: Annotated[OptionalLine, Query()] = None,
    cluster: Annotated[str | None, Query(max_length=60)] = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    position: Annotated[ChainPosition | None, Query()] = None,
) -> Response:  # fmt: skip
    return csv_response("register", EXPORTED, _rows(service, _asked(q, cluster, type, position), reader, memberships))


@router.get("/register.xlsx")
async def as_xlsx(
    service: Serving, reader: Reader, memberships: Memberships,
    q: Annotated[OptionalLine, Query()] = None,
    cluster: Annotated[str | None, Query(max_length=60)] = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    position: Annotated[ChainPosition | None, Query()] = None,
) -> Response:  # fmt: skip
    rows = _rows(service, _asked(q, cluster, type, position), reader, memberships)
    return await xlsx_response("register", EXPORTED, rows)


async def _rows(
    service: Service, wanted: Wanted, reader: Allowed, memberships: Allowed
) -> AsyncIterator[Sequence[Any]]:
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        async for row in views.register(
            connection, wanted, today, reader=reader, memberships=memberships, after=None, limit=None
        ):
            yield (
                row["slug"], row["trade_name"], row["legal_name"], row["type"], row["positions"] or (),
                [slug for slug, _, standing, _, _ in row["memberships"] or () if standing == "active"],
                row["city"], row["state"],
            )  # fmt: skip


def _shown(row: Row, speak: Language) -> dict[str, Any]:
    return {
        "slug": row["slug"], "name": row["trade_name"], "legal": row["legal_name"],
        "type": speak(TYPES[row["type"]]),
        "positions": [speak(POSITIONS[position]) for position in row["positions"] or ()],
        "memberships": [
            {"cluster": name, "words": speak(STANDINGS[standing][0]), "tone": STANDINGS[standing][1]}
            for _, name, standing, _, _ in row["memberships"] or ()
        ],
        "place": ", ".join(part for part in (row["city"], row["state"]) if part),
    }  # fmt: skip


@router.get("/organizations/{slug}", response_class=HTMLResponse)
async def organization(
    request: Request, service: Serving, reader: Reader, private: Private, memberships: Memberships, history: History,
    slug: str,
) -> Response:  # fmt: skip
    """One organisation, by its slug or its id."""
    speak = pages.language(request, reader.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        id_ = _uuid(slug) or await store.id_of_slug(connection, slug.replace("\x00", ""))
        found = await store.load(connection, [id_]) if id_ else []
        if not found:
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
        [one] = found
        if one.id not in await views.covered(connection, reader, [one.id]):
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
        is_covered = one.id in await views.covered(connection, private, [one.id])
        rows = await views.memberships_of(connection, one.id, memberships)
        logged = await views.history_of(connection, one.id, history)
    lanes = [
        (row["cluster"], [
            Band(speak(CATEGORIES[category]), since, until)
            for category, since, until in zip(row["categories"] or (), row["starts"] or (), row["ends"] or (),
                                              strict=True)
        ])
        for row in rows
    ]  # fmt: skip
    return pages.render(
        request, reader.viewer, "organization.html", one=one, private=is_covered,
        type=speak(TYPES[one.type]),
        positions=[speak(POSITIONS[p.position]) for p in one.positions if p.since <= today and
                   (p.until is None or today < p.until)],
        memberships=[
            {"cluster": row["cluster"], "words": speak(STANDINGS[row["standing"]][0]),
             "tone": STANDINGS[row["standing"]][1], "category": speak(CATEGORIES[row["category"]]),
             "since": row["since"]}
            for row in rows
        ],
        axis=axis([lane for lane in lanes if lane[1]], today) if any(bands for _, bands in lanes) else None,
        history=[_entry(row, speak) for row in logged],
    )  # fmt: skip


@router.get("/search/suggestions", response_class=HTMLResponse)
async def suggestions(
    request: Request, service: Serving, reader: Reader, memberships: Memberships,
    q: Annotated[OptionalLine, Query()] = None,
) -> Response:  # fmt: skip
    """What is found while typing: organisations and clusters."""
    speak = pages.language(request, reader.viewer)
    found: list[tuple[str, str, str]] = []
    near: list[tuple[str, str, str]] = []
    if q is not None:
        today = day_in(service.settings.network_zone, service.clock())
        async with service.database.connection() as connection:
            found = [
                (f"/organizations/{row['slug']}", row["trade_name"], row["legal_name"])
                async for row in views.register(
                    connection, Wanted(q), today, reader=reader, memberships=memberships, after=None, limit=8
                )
            ]
            wanted = normalised_name(q)
            near = [
                (f"/register?cluster={row['slug']}", row["name"], "")
                for row in await views.clusters(connection) if wanted and wanted in normalised_name(row["name"])
            ]  # fmt: skip
    groups = [(speak(mark("Organisations")), found), (speak(mark("Clusters")), near)]
    return pages.fragment(request, reader.viewer, "suggestions.html", groups=groups, query=q or "")


@router.get("/membership/fragments/scopes", response_class=HTMLResponse)
async def scopes(request: Request, service: Serving, reader: Reader, memberships: Memberships) -> Response:
    """The menu of the clusters that the viewer reaches; empty for who reaches none or one."""
    async with service.database.connection() as connection:
        found = [(str(row["id"]), row["name"]) for row in await views.scopes(connection, memberships)]
    return pages.fragment(request, reader.viewer, "scopes.html", scopes=found, current=scope_of(request))


def _entry(row: Row, speak: Language) -> dict[str, Any]:
    fields = orjson.loads(row["fields"]) if row["fields"] else {}
    changes = "; ".join(f"{name}: {old if old is not None else '–'} → {new if new is not None else '–'}"
                        for name, (old, new) in fields.items())  # fmt: skip
    kind = speak(mark("membership")) if row["aggregate"] == "membership" else speak(mark("profile"))
    return {"when": row["at"], "who": row["who"] or row["actor"], "words": changes or kind, "reason": row["note"]}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
