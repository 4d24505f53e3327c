"""The figures as a page: each indicator with its chart and table, as of any day, and the facts behind it.

Every figure names the day it counts and its definition; the page follows the day in its address.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.reporting.indicators import domain, views
from services.reporting.indicators.domain import Dimension, Indicator, Words
from shared.http.exports import Ending, exported
from shared.http.inputs import Day
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.postgres.values import day_in
from shared.web.language import Language, mark
from shared.web.shell import pages_of
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("indicators.read")]
FACT_COLUMNS = (
    Column("recorded", mark("Recorded")), Column("type", mark("Fact")), Column("effective", mark("Counts from")),
    Column("category", mark("Category"), minor=True),
)  # fmt: skip


@router.get("/indicators", response_class=HTMLResponse)
async def indicators(
    request: Request, service: Serving, reader: Reader, facts: Annotated[Allowed, Sees("indicators.facts")],
    as_of: Annotated[Day | None, Query()] = None, compare: Annotated[Day | None, Query()] = None,
    by: Annotated[Dimension, Query()] = "cluster",
) -> Response:  # fmt: skip
    today = day_in(service.settings.network_zone, service.clock())
    day = as_of or today
    said = pages.language(request, reader.viewer)
    async with (
        service.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        shown = [await _shown(connection, one, day, compare, by, said) for one in domain.CATALOGUE.values()]
    return pages.render(
        request, reader.viewer, "indicators.html", shown=shown, day=day, compare=compare, by=by,
        dimensions=[(code, _in(words, said)) for code, words in domain.DIMENSIONS.items()],
        opens_facts=facts.everything or bool(facts.clusters), is_today=day == today,
    )  # fmt: skip


@router.get("/indicators/{code}.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Reader, code: str, ending: Ending,
    as_of: Annotated[Day | None, Query()] = None, by: Annotated[Dimension, Query()] = "cluster",
) -> StreamingResponse:  # fmt: skip
    """The table behind a chart as a file."""
    indicator = domain.indicator_named(code)
    said = pages.language(request, reader.viewer)
    day = as_of or day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        rows = await views.rows_of(connection, indicator.code, views.Asked(day, None), (by,))
        clusters = await views.cluster_labels(connection) if by == "cluster" else {}

    async def lines() -> AsyncIterator[Sequence[Any]]:
        for row in rows:
            yield _label(by, str(row[by]), clusters, said), row["value"]

    columns = [_in(domain.DIMENSIONS[by], said), f"{_in(indicator.name, said)}, {said.day(day)}"]
    return await exported(ending, code, columns, lines())


async def _shown(
    connection: Connection, indicator: Indicator, day: date, compare: date | None, by: Dimension, said: Language
) -> dict[str, Any]:
    asked = views.Asked(day, None)
    value = await views.value_of(connection, indicator.code, asked)
    rows = await views.rows_of(connection, indicator.code, asked, (by,))
    clusters = await views.cluster_labels(connection) if by == "cluster" else {}
    labels = [_label(by, str(row[by]), clusters, said) for row in rows]
    series = [{"name": said.day(day), "values": [row["value"] for row in rows]}]
    before = None
    if compare is not None:
        then = views.Asked(compare, None)
        before = await views.value_of(connection, indicator.code, then)
        earlier = {str(row[by]): row["value"] for row in await views.rows_of(connection, indicator.code, then, (by,))}
        series.insert(0, {"name": said.day(compare), "values": [earlier.get(str(row[by]), 0) for row in rows]})
    return {
        "code": indicator.code, "name": _in(indicator.name, said), "definition": _in(indicator.definition, said),
        "unit": _in(indicator.unit, said), "value": value, "before": before, "labels": labels, "series": series,
        "notes": [_in(note, said) for note in domain.notes_on(indicator, (by,))],
    }  # fmt: skip


@router.get("/indicators/{code}/facts", response_class=HTMLResponse)
async def facts_behind(
    request: Request, service: Serving, caller: Annotated[Allowed, May("indicators.facts")], code: str,
    as_of: Annotated[Day | None, Query()] = None, after: Annotated[UUID | None, Query()] = None,
) -> Response:  # fmt: skip
    """What was recorded about the memberships that the figure counts, within the reader's reach."""
    indicator = domain.indicator_named(code)
    day = as_of or day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        rows = await views.facts_behind(connection, views.Asked(day, None), after, 101, caller.span())
    said = pages.language(request, caller.viewer)
    categories = domain.LABELS["category"]
    shown = [
        {"recorded": row["recorded"], "type": row["type"], "effective": said.day(row["effective"]),
         "category": _in(categories[row["category"]], said) if row["category"] in categories else row["category"]}
        for row in rows[:100]
    ]  # fmt: skip
    listing = Listing(FACT_COLUMNS, shown, next=str(rows[99]["id"]) if len(rows) > 100 else None)
    return pages.render(request, caller.viewer, "facts.html", listing=listing, name=_in(indicator.name, said), day=day,
                        code=indicator.code)  # fmt: skip


@router.get("/indicators/{code}/facts.{ending}")
async def facts_as_file(
    request: Request, service: Serving, caller: Annotated[Allowed, May("indicators.facts")], code: str, ending: Ending,
    as_of: Annotated[Day | None, Query()] = None,
) -> StreamingResponse:  # fmt: skip
    """The facts behind a figure, whole, as a file."""
    domain.indicator_named(code)
    day = as_of or day_in(service.settings.network_zone, service.clock())

    async def lines() -> AsyncIterator[Sequence[Any]]:
        after: UUID | None = None
        while True:
            async with service.database.connection() as connection:
                rows = await views.facts_behind(connection, views.Asked(day, None), after, 1000, caller.span())
            for row in rows:
                yield tuple(row[column.key] for column in FACT_COLUMNS)
            if len(rows) < 1000:
                return
            after = rows[-1]["id"]

    said = pages.language(request, caller.viewer)
    return await exported(ending, f"{code}-facts", [said(column.words) for column in FACT_COLUMNS], lines())


def _label(dimension: Dimension, key: str, clusters: dict[str, Any], said: Language) -> str:
    if dimension == "cluster":
        return str(clusters[key]["name"]) if key in clusters else key
    return _in(domain.LABELS[dimension].get(key) or Words(key, key), said)


def _in(words: Words, said: Language) -> str:
    return words.es if said.code == "es" else words.en
