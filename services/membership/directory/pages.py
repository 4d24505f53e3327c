"""The directory as pages and files: facets with counts, table, cards and map, who is near; and what the public sees.

Everything that is chosen lives in the address. The public sees companies that show something in public, and only
what they show.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.membership.directory import views
from services.membership.directory.domain import FACETS, Asked, Facet
from services.membership.directory.views import Audience, Counts, Place
from services.membership.organizations import store as organizations
from services.membership.places import STATES, state_name
from services.membership.profiles.domain import codes
from services.membership.words import POSITIONS, TYPES
from shared.http.exports import Ending, exported
from shared.http.identity import Viewer
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection, Row
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.shell import pages_of
from shared.web.tables import Choice, Column, Filter, Listing, Without

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("organizations.read")]
Cursor = Annotated[str | None, Query(max_length=2000)]
View = Literal["table", "cards", "map"]
PAGE_ROWS = 48
MOST_VALUES = 12
"""So many values of a facet are offered, the commonest first; those that are chosen always."""

COLUMNS = (
    Column("name", mark("Organisation")),
    Column("does", mark("Processes and products")),
    Column("standards", mark("Certificates in force"), minor=True),
    Column("clusters", mark("Clusters"), minor=True),
    Column("place", mark("Place")),
)
EXPORTED = (
    mark("Trade name"), mark("Legal name"), mark("Type"), mark("Positions in the chain"), mark("Processes"),
    mark("Sectors"), mark("Products by HS"), mark("Certificates in force"), mark("Size"), mark("Clusters"),
    mark("City"), mark("State"),
)  # fmt: skip
FACET_WORDS: dict[Facet, str] = {
    "process": mark("Process"), "standard": mark("Certificate in force"), "sector": mark("Sector"),
    "position": mark("Position in the chain"), "type": mark("Type"), "size": mark("Size"), "state": mark("State"),
    "cluster": mark("Cluster"),
}  # fmt: skip
SIZES = {"micro": mark("micro"), "small": mark("small"), "medium": mark("medium"), "large": mark("large")}
_SHORT = Query(max_length=40)
Values = list[Annotated[str, Query(max_length=60)]]


class NoPlaceInTheList(Refusal):
    """The cursor of a page is not one of ours."""


def _asked(
    q: Annotated[OptionalLine, Query()] = None,
    process: Annotated[Values, _SHORT] = [],  # noqa: B006  # FastAPI copies them
    standard: Annotated[Values, _SHORT] = [],  # noqa: B006
    sector: Annotated[Values, _SHORT] = [],  # noqa: B006
    position: Annotated[Values, _SHORT] = [],  # noqa: B006
    type: Annotated[Values, _SHORT] = [],  # noqa: A002, B006
    size: Annotated[Values, _SHORT] = [],  # noqa: B006
    state: Annotated[Values, _SHORT] = [],  # noqa: B006
    cluster: Annotated[Values, _SHORT] = [],  # noqa: B006
) -> Asked:
    given = (process, standard, sector, position, type, size, state, cluster)
    return Asked(q, *(tuple(value for value in one if value and "\x00" not in value) for one in given))


Asking = Annotated[Asked, Depends(_asked)]


@router.get("/directory", response_class=HTMLResponse)
async def directory(
    request: Request, service: Serving, reader: Reader, asked: Asking, view: View = "table",
    after: Cursor = None, before: Cursor = None,
) -> Response:  # fmt: skip
    """The members of all clusters, as table, cards or map."""
    return await _page(request, service, reader.viewer, asked, view, "network", after, before)


@router.get("/companies", response_class=HTMLResponse)
async def companies(
    request: Request, service: Serving, asked: Asking, view: View = "cards", after: Cursor = None,
    before: Cursor = None,
) -> Response:  # fmt: skip
    """What companies show in public, for whoever looks."""
    return await _page(request, service, None, asked, view, "public", after, before)


@router.get("/directory.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Reader, asked: Asking, ending: Ending
) -> StreamingResponse:
    """The same companies, whole, as a file."""
    speak = pages.language(request, reader.viewer)
    return await exported(ending, "directory", [speak(words) for words in EXPORTED], _exported(service, asked, speak))


async def _exported(service: Service, asked: Asked, speak: Language) -> AsyncIterator[Sequence[Any]]:
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        async for some in views.every(connection, asked, today, "network"):
            for row in some:
                one = _shown(row, speak)
                yield (
                    row["trade_name"], row["legal_name"], one["type"], one["positions"], one["processes"],
                    one["sectors"], row["products"], one["standards"], one["size"], row["names"], row["city"],
                    state_name(row["country"], row["state"]),
                )  # fmt: skip


async def _page(
    request: Request, service: Service, viewer: Viewer | None, asked: Asked, view: View, audience: Audience,
    after: str | None, before: str | None,
) -> Response:  # fmt: skip
    speak = pages.language(request, viewer)
    today = day_in(service.settings.network_zone, service.clock())
    back = before is not None and after is None
    cursor = before if back else after
    place = _read(cursor, "before" if back else "after") if cursor else None
    async with service.database.connection() as connection:
        near = await _own_place(connection, viewer)
        counted = await views.counts(connection, asked, today, audience)
        found = await views.rows(
            connection, asked, today, audience, after=None if back else place, before=place if back else None,
            limit=PAGE_ROWS + 1, near=near,
        )  # fmt: skip
        clusters = await views.clusters(connection)
        filters = _filters(asked, counted, clusters, speak)
        without = [] if counted.total else await _without(connection, asked, today, audience, filters)
    more = len(found) > PAGE_ROWS
    found = found[:PAGE_ROWS][::-1] if back else found[:PAGE_ROWS]
    listing = Listing(
        COLUMNS, [_shown(row, speak) for row in found], filters,
        next=_cursor(found[-1]) if found and (more or back) else None,
        previous=_cursor(found[0]) if found and (more if back else place is not None) else None,
        total=counted.total, without=without, search=True, keep={"view": view},
    )  # fmt: skip
    return pages.render(
        request, viewer, "directory.html", listing=listing, view=view, public=audience == "public",
        query=f"?{request.url.query}" if request.url.query else "",
        near=near[0] if near[0] in STATES else None, near_words=STATES.get(near[0] or ""),
        map=_map(counted, speak) if view == "map" else None,
    )  # fmt: skip


async def _own_place(connection: Connection, viewer: Viewer | None) -> tuple[str | None, str | None]:
    """State and city of the company for which somebody speaks."""
    own = next((one.id for one in viewer.held if one.scope == "organization" and one.id), None) if viewer else None
    found = await organizations.load(connection, [own]) if own else []
    return (found[0].state, found[0].city) if found and found[0].country == "MX" else (None, None)


def _words(facet: Facet, value: str, clusters: Mapping[str, str], speak: Language) -> str:
    if facet == "process":
        return codes.called("processes", value, speak.code)
    if facet == "standard":
        return codes.called("standards", value, speak.code)
    if facet == "sector":
        return codes.called("sectors", value, speak.code)
    if facet == "state":
        return STATES.get(value, value)
    if facet == "cluster":
        return clusters.get(value, value)
    words: Mapping[str, str] = {"position": POSITIONS, "type": TYPES, "size": SIZES}[facet]  # type: ignore[assignment]
    return speak(words[value]) if value in words else value


def _filters(asked: Asked, counted: Counts, clusters: Mapping[str, str], speak: Language) -> list[Filter]:
    made = []
    for facet in FACETS:
        counts, chosen = counted.facets[facet], getattr(asked, facet)
        common = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_VALUES]
        values = [*dict.fromkeys((*chosen, *common))]
        choices = [Choice(value, _words(facet, value, clusters, speak), counts.get(value, 0)) for value in values]
        if choices:
            made.append(Filter(facet, FACET_WORDS[facet], choices))
    return made


async def _without(
    connection: Connection, asked: Asked, today: Any, audience: Audience, filters: Sequence[Filter]
) -> list[Without]:
    """What taking each chosen value away would give, where that is something."""
    made = []
    chosen = [(one.key, choice) for one in filters for choice in one.choices if choice.value in getattr(asked, one.key)]
    for key, choice in chosen[:5]:
        kept: dict[str, Any] = {key: tuple(v for v in getattr(asked, key) if v != choice.value)}
        rest = asked._replace(**kept)
        found = (await views.counts(connection, rest, today, audience)).total
        made += [Without(key, choice.value, choice.words, found)] if found else []
    if asked.text and chosen:
        found = (await views.counts(connection, asked._replace(text=None), today, audience)).total
        made += [Without("q", asked.text, asked.text, found)] if found else []
    return made


def _shown(row: Row, speak: Language) -> dict[str, Any]:
    return {
        "slug": row["slug"], "name": row["trade_name"], "legal": row["legal_name"], "type": speak(TYPES[row["type"]]),
        "positions": [speak(POSITIONS[one]) for one in row["positions"]],
        "processes": [codes.called("processes", one, speak.code) for one in row["processes"]],
        "sectors": [codes.called("sectors", one, speak.code) for one in row["sectors"]],
        "products": [f"{one[:4]}.{one[4:]}" if len(one) > 4 else one for one in row["products"]],
        "standards": [codes.called("standards", one, speak.code) for one in row["standards"]],
        "size": speak(SIZES[row["size"]]) if row["size"] else None, "clusters": row["names"],
        "place": ", ".join(one for one in (row["city"], state_name(row["country"], row["state"])) if one),
        "near": row["same_city"], "around": row["same_state"],
    }  # fmt: skip


class _Map:
    """Mexico's states with how many companies each has, in five shades."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.view_box: str = _outlines()["viewBox"]
        most = max(counts.values(), default=0)
        self.states = [
            (code, STATES[code], path, counts.get(code, 0), _shade(counts.get(code, 0), most))
            for code, path in _outlines()["states"].items()
        ]
        self.rows = sorted(((STATES.get(code, code), code, n) for code, n in counts.items()), key=lambda r: -r[2])


def _shade(count: int, most: int) -> int:
    """0 for none, 1 to 5 by the share of the largest."""
    return 0 if not count else 1 + min(4, 5 * (count - 1) // most)


def _map(counted: Counts, _speak: Language) -> _Map:
    return _Map({code: n for code, n in counted.facets["state"].items() if code in STATES})


@cache
def _outlines() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(files(__package__).joinpath("data/mexico.json").read_bytes())
    return found


def _read(cursor: str, field: str) -> Place:
    try:
        key, id_ = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
        if not isinstance(key, str) or not isinstance(id_, str) or "\x00" in key + id_:
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise NoPlaceInTheList("{named}: this is no place in the list", named=field, field=field) from None
    return key, id_


def _cursor(row: Row) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([row["sort_key"], str(row["id"])])).decode().rstrip("=")
