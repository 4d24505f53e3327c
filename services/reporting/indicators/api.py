"""Figures over HTTP: the catalogue, an indicator as of any day and as known on any day, the facts behind it.

Every answer names the times it speaks of, its unit and its definition.
"""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.reporting.indicators import domain, views
from services.reporting.indicators.domain import Words
from shared.http.examples import answers
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.runtime.service import Service

router = APIRouter(prefix="/reporting/indicators", tags=["indicators"], route_class=Route)

Reader = Annotated[Allowed, May("indicators.read")]
AsOf = Annotated[str | None, Query(max_length=40, description="the day it counts, 2026-03-31; default today")]
KnownOn = Annotated[
    str | None,
    Query(max_length=40, description="as it was known at the end of that day, or at that instant; default now"),
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


@router.get("", summary="The catalogue of indicators", responses=answers(_CATALOGUE))
async def catalogue(reader: Reader) -> dict[str, Any]:
    """Codes, names, meanings, units and the dimensions by which each divides."""
    return {"indicators": [_entry(indicator) for indicator in domain.CATALOGUE.values()]}


@router.get("/{indicator}", summary="One indicator, as of a day, as known on a day", responses=answers(_FIGURE))
async def figure(
    indicator: str, service: Serving, reader: Reader, as_of: AsOf = None, known_on: KnownOn = None,
    by: Annotated[list[str] | None, Query(description="up to two dimensions of the catalogue")] = None,
    cluster: Cluster = None,
) -> dict[str, Any]:  # fmt: skip
    """The total as `value`, and `rows` when it is divided."""
    chosen = domain.indicator_named(indicator)
    dimensions = domain.checked_dimensions(chosen, by or [])
    asked, known = _times(service, as_of, known_on, cluster)
    async with (
        service.database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        value = await views.value_of(connection, chosen.code, asked)
        rows = await views.rows_of(connection, chosen.code, asked, dimensions) if dimensions else []
        clusters = await views.cluster_labels(connection) if "cluster" in dimensions else {}
        in_network = await views.clusters_in_network(connection, asked) if "cluster" in dimensions else set()
    for row in rows:
        row["labels"] = {name: _label(name, row[name], clusters) for name in dimensions}
        if "cluster" in dimensions:
            row["in_network"] = row["cluster"] in in_network
    return {
        "indicator": chosen.code,
        "name": _said(chosen.name),
        "definition": _said(chosen.definition),
        "unit": _said(chosen.unit),
        "as_of": asked.as_of,
        "known_on": known,
        "zone": service.settings.network_zone,
        "cluster": cluster,
        "by": dimensions,
        "value": value,
        "rows": rows,
        "notes": [_said(note) for note in domain.notes_on(chosen, dimensions)],
    }


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
    domain.indicator_named(indicator)
    asked, known = _times(service, as_of, known_on, cluster)
    async with service.database.connection() as connection:
        rows = await views.facts_behind(connection, asked, after, limit, caller.span())
    listed = [{**dict(row), "type": f"org.cumulo.membership.{row['type']}.v1"} for row in rows]
    following = rows[-1]["id"] if len(rows) == limit else None
    return {"as_of": asked.as_of, "known_on": known, "facts": listed, "next": following}


def _times(
    service: Service, as_of: str | None, known_on: str | None, cluster: UUID | None
) -> tuple[views.Asked, datetime]:
    """What to ask for, and the instant that the answer names: what is known later is not known yet."""
    zone = service.settings.network_zone
    now = service.clock()
    day: date = domain.day_named(as_of, "as_of") if as_of is not None else day_in(zone, now)
    instant = domain.instant_named(known_on, "known_on", zone) if known_on is not None else now
    return views.Asked(day, instant if instant < now else None, cluster), min(instant, now)


def _label(dimension: domain.Dimension, key: str, clusters: dict[str, Any]) -> dict[str, str]:
    if dimension == "cluster":
        name = clusters[key]["name"] if key in clusters else key
        return {"es": name, "en": name}
    return _said(domain.LABELS[dimension].get(key) or Words(key, key))


def _said(words: Words) -> dict[str, str]:
    return {"es": words.es, "en": words.en}


def _entry(indicator: domain.Indicator) -> dict[str, Any]:
    return {
        "code": indicator.code,
        "name": _said(indicator.name),
        "definition": _said(indicator.definition),
        "unit": _said(indicator.unit),
        "dimensions": [{"code": d, "name": _said(domain.DIMENSIONS[d])} for d in indicator.dimensions],
    }
