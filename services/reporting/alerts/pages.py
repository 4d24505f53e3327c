"""Alerts as a page: what is watched and how it stands, a form for another; what was raised waits on the first page."""

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError

from services.reporting.alerts import commands, store
from services.reporting.alerts.domain import Side
from services.reporting.cards import in_words
from services.reporting.catalogue import views
from services.reporting.catalogue.domain import CATALOGUE
from shared.http.edge import unit_of
from shared.http.inputs import Line
from shared.http.policy import Allowed, May, NotYours, Sees, Serving, Viewing, allowed
from shared.http.routes import Route
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reading = Annotated[Allowed, May("alerts.read")]
Setting = Annotated[Allowed, May("alerts.set")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
NETWORK = "network"
COLUMNS = (
    Column("label", mark("Alert")), Column("figure", mark("Figure")), Column("value", mark("Now"), numeric=True),
    Column("standing", mark("State of it")), Column("do", mark("Do")),
)  # fmt: skip
SIDES: dict[Side, str] = {"below": mark("below %(threshold)s"), "above": mark("above %(threshold)s")}


@router.get("/indicators/alerts", response_class=HTMLResponse)
async def alerts(request: Request, service: Serving, caller: Reading) -> Response:
    return await _page(request, service, caller, Form({"side": "below"}))


@router.post("/indicators/alerts", response_class=HTMLResponse)
async def watch(request: Request, service: Serving, caller: Setting) -> Response:
    speak = pages.language(request, caller.viewer)
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    errors: dict[str, str] = {}
    label, threshold = "", Decimal(0)
    try:
        label = LINE.validate_python(typed.get("label", ""))
    except ValidationError:
        errors["label"] = speak(mark("Write what it is called, on one line of at most 300 characters"))
    try:
        threshold = Decimal(typed.get("threshold", "").replace(",", "").strip()[:12])
        if not threshold.is_finite() or abs(threshold) > 10**9 or threshold != threshold.quantize(Decimal("0.1")):
            raise ValueError
    except (ValueError, ArithmeticError):
        errors["threshold"] = speak(mark("Write a number with one decimal at most, such as 15 or 83.5"))
    side: Side | None = next((one for one in SIDES if one == typed.get("side")), None)
    if side is None:
        errors["side"] = speak(mark("Choose below or above"))
    scopes = dict(await _scopes(service, caller, speak))
    scope = typed.get("scope", "")
    if scope not in scopes:
        errors["scope"] = speak(mark("Choose whose figure it is"))
    if not errors and side is not None:
        try:
            async with unit_of(request, caller.actor) as unit:
                await commands.watch(
                    unit, label=label, indicator=typed.get("indicator", "")[:60], side=side, threshold=threshold,
                    cluster_id=None if scope == NETWORK else UUID(scope), zone=service.settings.network_zone,
                )  # fmt: skip
            return turn("/indicators/alerts", said=speak(mark("It is watched from now on")))
        except Refusal as refusal:
            errors["indicator" if refusal.field == "indicator" else ""] = reason(speak, refusal)
    return await _page(request, service, caller, Form(typed, errors), 422)


@router.post("/indicators/alerts/{alert_id}/{step}", response_class=HTMLResponse)
async def step(request: Request, caller: Setting, alert_id: UUID, step: Literal["seen", "remove"]) -> Response:
    speak = pages.language(request, caller.viewer)
    async with unit_of(request, caller.actor) as unit:
        caller.require(cluster=(await commands.found(unit, alert_id)).cluster_id)
        if step == "seen":
            await commands.see(unit, alert_id)
        else:
            await commands.unwatch(unit, alert_id)
    return turn("/indicators/alerts", said=speak(mark("Noted")))


@router.get("/reporting/pages/home/pending", response_class=HTMLResponse)
async def pending(
    request: Request, service: Serving, viewer: Viewing, setting: Annotated[Allowed, Sees("alerts.set")]
) -> Response:
    """Alerts that were raised and that nobody of those who set them has looked at."""
    speak = pages.language(request, viewer)
    lines: list[tuple[str, str, str, str]] = []
    if setting.everything or setting.clusters:
        async with service.database.connection() as connection:
            found = await store.waiting(connection, setting.span())
        lines = [
            (speak(mark("%(label)s: the figure is %(value)s"), label=one.label, value=speak.number(one.value or 0, 1)
                   if one.value and one.value % 1 else speak.number(int(one.value or 0))),
             one.raised_at.date().isoformat(), speak(mark("Look at it")), "/indicators/alerts")
            for one in found if one.raised_at is not None
        ]  # fmt: skip
    return pages.fragment(request, viewer, "alerts_wait.html", lines=lines)


async def _page(request: Request, service: Service, caller: Allowed, form: Form, status: int = 200) -> Response:
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        found = await store.alerts(connection, caller.span())
        clusters = await views.cluster_labels(connection)
    rows: list[dict[str, Any]] = []
    for one in found:
        indicator = CATALOGUE.get(one.indicator)
        decimals = indicator.decimals if indicator else 0
        cluster = clusters.get(str(one.cluster_id))
        rows.append({
            "id": one.id, "label": one.label, "raised": one.raised_at, "seen": one.seen_at is not None,
            "figure": in_words(indicator.name, speak) if indicator else one.indicator,
            "whose": cluster["name"] if cluster else speak(mark("the network")),
            "rule": speak(SIDES[one.side], threshold=speak.number(one.threshold, 1 if one.threshold % 1 else 0)),
            "value": None if one.value is None else speak.number(one.value, decimals),
        })  # fmt: skip
    setting = _setting(service, caller)
    return pages.render(
        request, caller.viewer, "alerts.html", status, listing=Listing(COLUMNS, rows), form=form,
        scopes=await _scopes(service, setting, speak) if setting else [], sets=setting is not None,
        indicators=[(code, in_words(one.name, speak)) for code, one in CATALOGUE.items()],
        sides=[(side, speak(words, threshold="…")) for side, words in SIDES.items()],
    )  # fmt: skip


def _setting(service: Service, caller: Allowed) -> Allowed | None:
    """The caller's reach in setting alerts, None when there is none."""
    try:
        found = allowed(service.definition.policy, "alerts.set", caller.viewer)
    except NotYours:
        return None
    return found if found.everything or found.clusters else None


async def _scopes(service: Service, caller: Allowed, speak: Language) -> list[tuple[str, str]]:
    async with service.database.connection() as connection:
        clusters = await views.cluster_labels(connection)
    mine = sorted((str(row["name"]), key) for key, row in clusters.items() if caller.covers(cluster=UUID(key)))
    network = [(NETWORK, speak(mark("the network")))] if caller.everything else []
    return [*network, *((key, name) for name, key in mine)]
