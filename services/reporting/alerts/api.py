"""Alerts over HTTP: watch a figure, list, look at one, stop watching."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.reporting.alerts import commands, store
from services.reporting.alerts.domain import Alert, Side
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/reporting/alerts", tags=["alerts"], route_class=Route)

Reading = Annotated[Allowed, May("alerts.read")]
Setting = Annotated[Allowed, May("alerts.set")]
Threshold = Annotated[Decimal, Field(ge=-(10**9), le=10**9, max_digits=11, decimal_places=1, allow_inf_nan=False,
                                     examples=["15"])]  # fmt: skip


class Watching(BaseModel):
    """What to watch for: a figure below or above a threshold. Without `cluster_id` that of the whole network."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[Line, Field(examples=["Menos de quince miembros"])]
    indicator: Annotated[str, Field(max_length=60, examples=["members"])]
    side: Side
    threshold: Threshold
    cluster_id: UUID | None = None


class AlertView(BaseModel):
    """An alert as it stands: `raised_at` since when the figure lies on that side, null while it does not."""

    id: UUID
    label: str
    indicator: str
    cluster_id: UUID | None
    side: Side
    threshold: float
    value: float | None
    made_by: str
    made_at: datetime
    raised_at: datetime | None
    seen_at: datetime | None


async def _set(service: Serving, caller: Setting, alert_id: UUID) -> Allowed:
    """Whoever may set this one."""
    async with service.unit(actor=caller.actor, cause="look") as unit:
        caller.require(cluster=(await commands.found(unit, alert_id)).cluster_id)
    return caller


@router.get("", summary="What is watched, raised ones first", operation_id="list_alerts")
async def alerts(service: Serving, caller: Reading) -> list[AlertView]:
    async with service.database.connection() as connection:
        return [_view(one) for one in await store.alerts(connection, caller.span())]


@router.post("", status_code=201, summary="Watch a figure", operation_id="watch_figure")
async def watch(request: Request, service: Serving, caller: Setting, body: Watching) -> AlertView:
    caller.require(cluster=body.cluster_id)
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.watch(unit, **body.model_dump(), zone=service.settings.network_zone))


@router.post("/{alert_id}/seen", summary="Somebody has looked at it", operation_id="see_alert")
async def seen(request: Request, caller: Annotated[Allowed, Depends(_set)], alert_id: UUID) -> AlertView:
    async with unit_of(request, caller.actor) as unit:
        return _view(await commands.see(unit, alert_id))


@router.delete("/{alert_id}", status_code=204, summary="Stop watching", operation_id="remove_alert")
async def unwatch(request: Request, caller: Annotated[Allowed, Depends(_set)], alert_id: UUID) -> Response:
    async with unit_of(request, caller.actor) as unit:
        await commands.unwatch(unit, alert_id)
    return Response(status_code=204)


def _view(one: Alert) -> AlertView:
    return AlertView(
        id=one.id, label=one.label, indicator=one.indicator, cluster_id=one.cluster_id, side=one.side,
        threshold=float(one.threshold), value=None if one.value is None else float(one.value), made_by=one.made_by,
        made_at=one.made_at, raised_at=one.raised_at, seen_at=one.seen_at,
    )  # fmt: skip
