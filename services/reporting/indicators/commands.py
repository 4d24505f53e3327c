"""Figures that move become facts: what a batch may have moved is marked, and a loop publishes what did move."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from services.reporting.catalogue.domain import PUBLISHED, Family, indicator_named
from services.reporting.indicators import store, views
from services.reporting.indicators.domain import (
    EVERYTHING,
    NETWORK,
    Figure,
    Move,
    cluster_of,
    moves,
    scope_of,
    too_early,
)
from shared.contracts.reporting import IndicatorChanged
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in


def check_indicator(code: str) -> None:
    """Raises `UnknownIndicator` (404) for a code that the catalogue does not have."""
    indicator_named(code)


async def mark_dirty(unit: Unit, clusters: Iterable[UUID], family: Family = "members") -> None:
    """The figures of these clusters, and with any of them those of the network, may have moved.

    Of other families than members any may have: whose they are is found out when they are computed.
    """
    if family != "members":
        await store.mark(unit.connection, family, [EVERYTHING])
        return
    scopes = {scope_of(cluster) for cluster in clusters}
    if scopes:
        await store.mark(unit.connection, family, {NETWORK, *scopes})


async def mark_everything(unit: Unit) -> None:
    """Every figure may have moved: at a start, after a rebuild."""
    for family in PUBLISHED:
        await store.mark(unit.connection, family, [EVERYTHING])


async def publish_figures(unit: Unit, zone: str) -> int:
    """Compares the marked figures with those published last, as of today in the zone, and records what moved.

    Returns how many were recorded. Does nothing while another replica does it; a figure that was published
    within the last second keeps its mark and waits.
    """
    connection = unit.connection
    if not await store.try_lock(connection):
        return 0
    today = day_in(zone, unit.now)
    marks = await store.marked(connection)
    known = await store.figures(connection)
    new_day = await store.day_of_figures(connection) != today
    count = 0
    for family in PUBLISHED:
        mine = {number: scope for number, (of, scope) in marks.items() if of == family}
        count += await _publish(unit, family, mine, known, today, new_day=new_day)
    if new_day:
        await store.set_day(connection, today)
    return count


async def _publish(
    unit: Unit, family: Family, marks: dict[int, str], known: Sequence[Figure], today: date, *, new_day: bool
) -> int:
    """The same for one family."""
    connection, codes = unit.connection, PUBLISHED[family]
    known = [figure for figure in known if figure.indicator in codes]
    everything = new_day or EVERYTHING in marks.values()
    early = too_early(known, unit.now)
    if not everything and set(marks.values()) <= early:
        return 0
    # counted after the marks were read: what a mark stands for was committed with it
    values = await views.values_now(connection, family, today)
    scopes = {scope for scope in marks.values() if scope != EVERYTHING}
    if everything:
        scopes |= {scope for _, scope in values} | {figure.scope for figure in known}
        await store.mark(connection, family, scopes & early)
    scopes -= early
    moved = moves(known, values, scopes, today, unit.now, codes)
    await store.save(connection, moved, codes, scopes, today)
    await store.unmark(connection, [number for number, scope in marks.items() if scope not in early])
    await record(unit, [_fact(move) for move in moved])
    return len(moved)


def _fact(move: Move) -> Record:
    figure = move.figure
    cluster = cluster_of(figure.scope)
    data = IndicatorChanged(
        indicator=figure.indicator,
        scope="cluster" if cluster else "network",
        cluster_id=cluster,
        as_of=figure.as_of,
        value=figure.value,
        previous=move.previous,
    )
    return Record(f"{figure.indicator}:{figure.scope}", figure.version, data, figure.as_of)
