"""Figures over HTTP: the catalogue, an indicator as of any day and as known on any day, the facts behind it.

Every answer names the times it speaks of, its unit and its definition.
"""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.reporting.catalogue import views as figures
from services.reporting.catalogue.domain import (
    CATALOGUE,
    DIMENSIONS,
    HIDDEN,
    LABELS,
    Dimension,
    Indicator,
    Words,
    checked_dimensions,
    indicator_named,
    notes_on,
    period_of,
)
from services.reporting.indicators import domain, views
from services.reporting.places.domain import state_name
from shared.http.examples import answers
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.refusal import NotFound
from shared.runtime.service import Service

router = APIRouter(prefix="/reporting/indicators", tags=["indicators"], route_class=Route)

Reader = Annotated[Allowed, May("indicators.read")]
AsOf = Annotated[str | None, Query(max_length=40, description="the day it counts, 2026-03-31; default today")]
KnownOn = Annotated[
    str | None,
    Query(max_length=40, description="as it was known at the end of that day, or at that instant; default now"),
]
Since = Annotated[
    str | None, Query(max_length=40, description="first day of the period, where one is counted; default 1 January")
]
Cluster = Annotated[UUID | None, Query(description="only this cluster")]


_MEMBERS = {
    "name": {"es": "Membresías", "en": "Memberships"},
    "definition": {"es": "Membresías en vigor ese día.", "en": "Memberships in force on that day."},
    "unit": {"es": "membresías", "en": "memberships"},
}
_TIMES = {"as_of": "2026-03-31", "known_on": "2026-04-02T05:59:59Z"}
_CATALOGUE = {"indicators": [{
    "code": "members", **_MEMBERS, "dimensions": [{"code": "category", "name": {"es": "Categoría", "en": "Category"}}],
}]}  # fmt: skip
_FIGURE = {
    "indicator": "members", **_MEMBERS, **_TIMES, "zone": "America/Mexico_City", "cluster": None, "by": ["category"],
    "value": 612, "notes": [],
    "rows": [{"category": "associate", "value": 612, "labels": {"category": {"es": "Asociada", "en": "Associate"}}}],
}  # fmt: skip
_FACTS = {
    **_TIMES, "next": None,
    "facts": [{
        "id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e01", "type": "org.cumulo.membership.membership-activated.v1",
        "membership_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02", "version": 3,
        "organization_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e03", "cluster_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e04",
        "category": "associate", "effective": "2026-01-15", "recorded": "2026-01-14T17:20:00Z",
    }],
}  # fmt: skip


_COUNTED = {
    **_TIMES, "since": None, "next": None,
    "counted": [{
        "key": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e03", "day": "2026-03-31", "detail": None,
        "organization_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e03", "organization": "Troquelados Peña Alta",
        "organization_slug": "troquelados-pena-alta", "cluster_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e04",
        "gathering_id": None, "gathering": None, "gathering_slug": None,
        "fact_id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e01", "type": "MembershipActivated", "version": 3,
        "effective": "2026-01-15", "recorded": "2026-01-14T17:20:00Z",
    }],
}  # fmt: skip


class NoFactsList(NotFound):
    """The facts behind a figure are told with what it counts."""


@router.get("", summary="The catalogue of indicators", responses=answers(_CATALOGUE))
async def catalogue(reader: Reader) -> dict[str, Any]:
    """Codes, names, meanings, units and the dimensions by which each divides."""
    return {"indicators": [_entry(indicator) for indicator in CATALOGUE.values()]}


@router.get("/{indicator}", summary="One indicator, as of a day, as known on a day", responses=answers(_FIGURE))
async def figure(
    indicator: str, service: Serving, reader: Reader, as_of: AsOf = None, known_on: KnownOn = None,
    by: Annotated[list[str] | None, Query(description="up to two dimensions of the catalogue")] = None,
    cluster: Cluster = None, since: Since = None,
) -> dict[str, Any]:  # fmt: skip
    """The total as `value`, and `rows` when it is divided. What counts a period does from `since` on.

    A value is null where there is nothing to compare, and where fewer than five organisations are behind it
    and the indicator hides those.
    """
    chosen = indicator_named(indicator)
    dimensions = checked_dimensions(chosen, by or [], of_cluster=cluster is not None)
    asked, known = _times(service, chosen, as_of, known_on, cluster, since)
    async with (
        service.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        found = await figures.figure_of(connection, chosen, asked, dimensions)
        clusters = await figures.cluster_labels(connection) if "cluster" in dimensions else {}
        in_network = await figures.clusters_in_network(connection, asked) if "cluster" in dimensions else set()
    for row in found.rows:
        row["labels"] = {name: _label(name, row[name], clusters) for name in dimensions}
        if "cluster" in dimensions:
            row["in_network"] = row["cluster"] in in_network
    return {
        "indicator": chosen.code,
        "name": _said(chosen.name),
        "definition": _said(chosen.definition),
        "unit": _said(chosen.unit),
        "since": asked.since if chosen.flow else None,
        "as_of": asked.as_of,
        "known_on": known,
        "zone": service.settings.network_zone,
        "cluster": cluster,
        "by": dimensions,
        "value": found.value,
        "hidden": found.hidden,
        "rows": found.rows,
        "notes": [_said(note) for note in notes_on(chosen, dimensions)] + ([_said(HIDDEN)] if chosen.hides else []),
    }


@router.get("/{indicator}/counted", summary="What a figure counts, one by one", operation_id="list_counted",
            responses=answers(_COUNTED))  # fmt: skip
async def counted(
    indicator: str, service: Serving, caller: Annotated[Allowed, May("indicators.facts")],
    as_of: AsOf = None, known_on: KnownOn = None, since: Since = None, cluster: Cluster = None,
    after: Annotated[str | None, Query(max_length=100, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:  # fmt: skip
    """Each thing once, within the caller's reach, with the newest fact about it, by key, in pages."""
    chosen = indicator_named(indicator)
    asked, known = _times(service, chosen, as_of, known_on, cluster, since)
    key = (after or "").replace("\x00", "") or None
    async with service.database.connection() as connection:
        rows = await figures.counted(connection, chosen, asked, key, limit, caller.span())
    following = rows[-1]["key"] if len(rows) == limit else None
    return {"as_of": asked.as_of, "since": asked.since if chosen.flow else None, "known_on": known,
            "counted": [dict(row) for row in rows], "next": following}  # fmt: skip


@router.get("/{indicator}/facts", summary="The facts behind a figure", operation_id="read_facts_behind_figure",
            responses=answers(_FACTS))  # fmt: skip
async def facts(
    indicator: str, service: Serving, caller: Annotated[Allowed, May("indicators.facts")],
    as_of: AsOf = None, known_on: KnownOn = None,
    cluster: Cluster = None,
    after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:  # fmt: skip
    """What was recorded about the memberships that the figure counts, by id, in pages."""
    chosen = indicator_named(indicator)
    if chosen.source != "in_force":
        raise NoFactsList("what {indicator} counts is listed one by one, with its facts, under /counted",
                          indicator=chosen.code, field="indicator")  # fmt: skip
    asked, known = _times(service, chosen, as_of, known_on, cluster, None)
    async with service.database.connection() as connection:
        rows = await views.facts_behind(connection, asked, after, limit, caller.span())
    listed = [{**dict(row), "type": f"org.cumulo.membership.{row['type']}.v1"} for row in rows]
    following = rows[-1]["id"] if len(rows) == limit else None
    return {"as_of": asked.as_of, "known_on": known, "facts": listed, "next": following}


def _times(
    service: Service, indicator: Indicator, as_of: str | None, known_on: str | None, cluster: UUID | None,
    since: str | None,
) -> tuple[figures.Asked, datetime]:  # fmt: skip
    """What to ask for, and the instant that the answer names: what is known later is not known yet."""
    zone = service.settings.network_zone
    now = service.clock()
    day: date = domain.day_named(as_of, "as_of") if as_of is not None else day_in(zone, now)
    instant = domain.instant_named(known_on, "known_on", zone) if known_on is not None else now
    first = period_of(indicator, day, domain.day_named(since, "since") if since is not None else None)
    return figures.Asked(day, instant if instant < now else None, cluster, first), min(instant, now)


def _label(dimension: Dimension, key: str, clusters: dict[str, Any]) -> dict[str, str]:
    if dimension == "cluster" and key:
        name = clusters[key]["name"] if key in clusters else key
        return {"es": name, "en": name}
    name = state_name(key) if dimension == "state" else key
    return _said(LABELS[dimension].get(key) or Words(name, name))


def _said(words: Words) -> dict[str, str]:
    return {"es": words.es, "en": words.en}


def _entry(indicator: Indicator) -> dict[str, Any]:
    return {
        "code": indicator.code,
        "name": _said(indicator.name),
        "definition": _said(indicator.definition),
        "unit": _said(indicator.unit),
        "formula": _said(indicator.formula),
        "group": indicator.group,
        "period": indicator.flow,
        "hides_small_groups": indicator.hides,
        "published": indicator.published,
        "facts": list(indicator.facts),
        "dimensions": [{"code": d, "name": _said(DIMENSIONS[d])} for d in indicator.dimensions],
    }
