"""The figures as pages: cards by group with chart and table, as of any day, compared, divided; what each one counts.

Every figure names the days it speaks of and its definition; the page follows what stands in its address, and a figure
of today moves as the facts arrive.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.reporting.cards import Times, card_of, division, in_words, label, times_of
from services.reporting.catalogue import views
from services.reporting.catalogue.domain import (
    CATALOGUE,
    DIMENSIONS,
    GROUPS,
    HIDDEN,
    LABELS,
    Dimension,
    Group,
    indicator_named,
)
from shared.http.exports import Ending, exported
from shared.http.inputs import Day
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Row
from shared.postgres.values import day_in
from shared.web.language import Language, mark
from shared.web.shell import pages_of
from shared.web.tables import Column, Listing
from shared.web.tour import reached

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("indicators.read")]
Facts = Annotated[Allowed, May("indicators.facts")]
AsOf = Annotated[Day | None, Query()]
By = Annotated[Dimension, Query()]
COUNTED = (
    Column("what", mark("What")), Column("cluster", mark("Cluster"), minor=True), Column("day", mark("Day")),
    Column("detail", mark("Detail")), Column("type", mark("Newest fact"), minor=True),
    Column("recorded", mark("Recorded"), minor=True),
)  # fmt: skip
DETAILS = {"kept": mark("goes on"), "lost": mark("left"), "came": mark("came"), "absent": mark("did not come"),
           "answered": mark("answered"), "sent": mark("sent")}  # fmt: skip
ROWS = 100


@router.get("/indicators", response_class=HTMLResponse)
async def indicators(
    request: Request, service: Serving, reader: Reader, facts: Annotated[Allowed, Sees("indicators.facts")],
    sharing: Annotated[Allowed, Sees("indicators.share")], as_of: AsOf = None,
    compare: Annotated[Day | None, Query()] = None, since: Annotated[Day | None, Query()] = None,
    by: By = "cluster", group: Annotated[Group, Query()] = "membership",
) -> Response:  # fmt: skip
    """The cards of one group."""
    today = day_in(service.settings.network_zone, service.clock())
    times = times_of(today, as_of, compare, since)
    said = pages.language(request, reader.viewer)
    async with (
        service.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        clusters = await views.cluster_labels(connection)
        shown = [await card_of(connection, one, times, by, clusters, said)
                 for one in CATALOGUE.values() if one.group == group]  # fmt: skip
    if times.day.month == 3 and times.day.day == 31:
        reached(request, "day")
    return pages.render(
        request, reader.viewer, "indicators.html", shown=shown, times=times, by=by, group=group,
        groups=[(code, in_words(words, said)) for code, words in GROUPS.items()],
        dimensions=[(code, in_words(words, said)) for code, words in DIMENSIONS.items()
                    if any(code in one.dimensions for one in CATALOGUE.values() if one.group == group)],
        opens_facts=facts.everything or bool(facts.clusters), is_today=times.day == today and compare is None,
        shares=sharing.everything or bool(sharing.clusters),
    )  # fmt: skip


@router.get("/indicators/{code}/card", response_class=HTMLResponse)
async def card(
    request: Request, service: Serving, reader: Reader, facts: Annotated[Allowed, Sees("indicators.facts")], code: str,
    by: By = "cluster",
) -> Response:  # fmt: skip
    """One card as of today, when its figure has moved."""
    indicator = indicator_named(code)
    times = Times(day_in(service.settings.network_zone, service.clock()), None, None)
    said = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        shown = await card_of(connection, indicator, times, by, await views.cluster_labels(connection), said)
    return pages.fragment(request, reader.viewer, "indicator_card.html", one=shown, times=times, is_today=True,
                          opens_facts=facts.everything or bool(facts.clusters))  # fmt: skip


@router.get("/indicators/{code}.{ending}")
async def as_file(
    request: Request, service: Serving, reader: Reader, code: str, ending: Ending, as_of: AsOf = None,
    since: Annotated[Day | None, Query()] = None, by: By = "cluster",
) -> StreamingResponse:  # fmt: skip
    """The table behind a chart as a file."""
    indicator = indicator_named(code)
    said = pages.language(request, reader.viewer)
    times = times_of(day_in(service.settings.network_zone, service.clock()), as_of, None, since)
    chosen = division(indicator, by)
    async with service.database.connection() as connection:
        found = await views.figure_of(connection, indicator, times.asked(indicator), (chosen,))
        clusters = await views.cluster_labels(connection)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        for row in found.rows:
            value = in_words(HIDDEN, said) if row.get("hidden") else row["value"]
            yield label(chosen, str(row[chosen]), clusters, said), value

    columns = [in_words(DIMENSIONS[chosen], said), f"{in_words(indicator.name, said)}, {said.day(times.day)}"]
    return await exported(ending, code, columns, lines())


@router.get("/indicators/{code}/facts", response_class=HTMLResponse)
async def counted(
    request: Request, service: Serving, caller: Facts, code: str, as_of: AsOf = None,
    since: Annotated[Day | None, Query()] = None, after: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:  # fmt: skip
    """What the figure counts, one by one, with the newest fact about each, within the reader's reach."""
    indicator = indicator_named(code)
    times = times_of(day_in(service.settings.network_zone, service.clock()), as_of, None, since)
    said = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        rows = await views.counted(connection, indicator, times.asked(indicator), _key(after), ROWS + 1, caller.span())
        clusters = await views.cluster_labels(connection)
    shown = [_counted(row, clusters, said) for row in rows[:ROWS]]
    listing = Listing(COUNTED, shown, next=rows[ROWS - 1]["key"] if len(rows) > ROWS else None)
    asked = times.asked(indicator)
    return pages.render(
        request, caller.viewer, "facts.html", listing=listing, name=in_words(indicator.name, said), on=times.day,
        definition=in_words(indicator.definition, said), formula=in_words(indicator.formula, said),
        facts=indicator.facts, code=code,
        since=asked.since if indicator.flow else None, everything=caller.everything,
    )  # fmt: skip


@router.get("/indicators/{code}/facts.{ending}")
async def counted_as_file(
    request: Request, service: Serving, caller: Facts, code: str, ending: Ending, as_of: AsOf = None,
    since: Annotated[Day | None, Query()] = None,
) -> StreamingResponse:  # fmt: skip
    """The same, whole, as a file."""
    indicator = indicator_named(code)
    times = times_of(day_in(service.settings.network_zone, service.clock()), as_of, None, since)
    said = pages.language(request, caller.viewer)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        after: str | None = None
        async with service.database.connection() as connection:
            clusters = await views.cluster_labels(connection)
        while True:
            async with service.database.connection() as connection:
                rows = await views.counted(connection, indicator, times.asked(indicator), after, 1000, caller.span())
            for row in rows:
                told = _counted(row, clusters, said)
                yield tuple(told[column.key] for column in COUNTED)
            if len(rows) < 1000:
                return
            after = rows[-1]["key"]

    return await exported(ending, f"{code}-facts", [said(column.words) for column in COUNTED], lines())


def _counted(row: Row, clusters: Mapping[str, Any], said: Language) -> dict[str, Any]:
    cluster = clusters.get(str(row["cluster_id"]))
    detail = row["detail"]
    if detail in DETAILS:
        detail = said(DETAILS[detail])
    elif detail and detail.isdigit():
        detail = said.plural("%(num)s day", "%(num)s days", int(detail))
    gathering = row["gathering_id"] is not None
    id_ = row["gathering_id"] or row["organization_id"]
    return {
        "what": (row["gathering"] if gathering else row["organization"]) or (str(id_) if id_ else "–"),
        "address": (f"/agenda/{row['gathering_slug']}" if row["gathering_slug"] else None) if gathering
        else f"/organizations/{id_}" if id_ else None,
        "whose": row["organization"] if gathering else None,
        "cluster": cluster["name"] if cluster else in_words(LABELS["cluster"][""], said),
        "day": said.day(row["day"]) if row["day"] else "–", "detail": detail or "–", "type": row["type"] or "–",
        "recorded": row["recorded"],
    }  # fmt: skip


def _key(after: str | None) -> str | None:
    return (after or "").replace("\x00", "") or None
