"""Links to figures as pages: made and taken back by who may, opened by whoever has one, without signing in."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError

from services.reporting.cards import Times, card_of, in_words
from services.reporting.catalogue import views
from services.reporting.catalogue.domain import CATALOGUE, DIMENSIONS, Dimension, indicator_named
from services.reporting.sharing import commands, store
from services.reporting.sharing.domain import LinkEnded, NoSuchLink
from shared.http.edge import unit_of
from shared.http.inputs import Day, Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import mark
from shared.web.refusals import reason
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Sharing = Annotated[Allowed, May("indicators.share")]
LINE: TypeAdapter[str] = TypeAdapter(Line)
DAY: TypeAdapter[date] = TypeAdapter(Day)
COLUMNS = (
    Column("label", mark("For whom")), Column("figure", mark("Figure")), Column("until", mark("Opens until")),
    Column("opened", mark("Opened"), numeric=True), Column("do", mark("Do")),
)  # fmt: skip


@router.get("/indicators/shared", response_class=HTMLResponse)
async def links(
    request: Request, service: Serving, caller: Sharing, code: Annotated[str | None, Query(max_length=60)] = None,
    by: Annotated[Dimension, Query()] = "cluster",
) -> Response:  # fmt: skip
    """Those that were made, and a form for another, filled in for the figure one comes from."""
    return await _page(request, service, caller, Form({"indicator": code or "members", "dimension": by}))


@router.post("/indicators/shared", response_class=HTMLResponse)
async def share(request: Request, service: Serving, caller: Sharing) -> Response:
    """A new link; its address is shown on the page that answers, and never again."""
    speak = pages.language(request, caller.viewer)
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    errors: dict[str, str] = {}
    days: dict[str, date | None] = {"as_of": None}
    label = ""
    try:
        label = LINE.validate_python(typed.get("label", ""))
    except ValidationError:
        errors["label"] = speak(mark("Write for whom it is, on one line of at most 300 characters"))
    for name in ("until", "as_of"):
        try:
            days[name] = DAY.validate_python(typed[name]) if typed.get(name) else None
        except ValidationError:
            errors[name] = speak(mark("Write a day such as 2027-03-31"))
    until = days.get("until")
    if until is None:
        errors.setdefault("until", speak(mark("Write a day such as 2027-03-31")))
    if not errors and until is not None:
        try:
            today = day_in(service.settings.network_zone, service.clock())
            async with unit_of(request, caller.actor) as unit:
                _, key = await commands.share(
                    unit, label=label, indicator=typed.get("indicator", "")[:60], until=until, today=today,
                    dimension=typed.get("dimension", "")[:60], as_of=days["as_of"],
                )  # fmt: skip
            return await _page(request, service, caller, Form({"indicator": typed.get("indicator", "")}),
                               address=f"{door_of(request)}/shared/{key}")  # fmt: skip
        except Refusal as refusal:
            known = ("until", "dimension", "indicator", "label", "as_of")
            errors[refusal.field if refusal.field in known else ""] = reason(speak, refusal)
    return await _page(request, service, caller, Form(typed, errors), 422)


@router.post("/indicators/shared/{link_id}/revoke", response_class=HTMLResponse)
async def revoke(request: Request, caller: Sharing, link_id: UUID) -> Response:
    speak = pages.language(request, caller.viewer)
    async with unit_of(request, caller.actor) as unit:
        await commands.revoke(unit, link_id, everybody=caller.everything)
    return turn("/indicators/shared", said=speak(mark("Taken back: it opens nothing any more")))


@router.get("/shared/{key}", response_class=HTMLResponse)
async def opened(request: Request, service: Serving, key: str) -> Response:
    """The figure of a link, for whoever has it."""
    speak = pages.language(request, None)
    today = day_in(service.settings.network_zone, service.clock())
    try:
        async with unit_of(request, "shared") as unit:
            one = await commands.opened(unit, key, today)
            indicator = indicator_named(one.indicator)
            times = Times(one.as_of or today, None, one.since)
            clusters = await views.cluster_labels(unit.connection)
            card = await card_of(unit.connection, indicator, times, one.dimension, clusters, speak)
    except (LinkEnded, NoSuchLink) as refusal:
        return pages.render(request, None, "shared_ended.html", refusal.status, why=reason(speak, refusal))
    return pages.render(request, None, "shared.html", one=card, times=times, until=one.until, opens_facts=False,
                        is_today=False, shared=True)  # fmt: skip


async def _page(
    request: Request, service: Service, caller: Allowed, form: Form, status: int = 200, *, address: str | None = None
) -> Response:
    speak = pages.language(request, caller.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        found = await store.links(connection, caller.actor, everybody=caller.everything)
    rows: list[dict[str, Any]] = [
        {"id": one.id, "label": one.label,
         "figure": in_words(CATALOGUE[one.indicator].name, speak) if one.indicator in CATALOGUE else one.indicator,
         "by": in_words(DIMENSIONS[one.dimension], speak), "until": one.until, "opened": one.opened,
         "open": one.revoked_at is None and today <= one.until, "revoked": one.revoked_at is not None}
        for one in found
    ]  # fmt: skip
    return pages.render(
        request, caller.viewer, "shared_links.html", status, listing=Listing(COLUMNS, rows), form=form, address=address,
        indicators=[(code, in_words(one.name, speak)) for code, one in CATALOGUE.items()],
        dimensions=[(code, in_words(words, speak)) for code, words in DIMENSIONS.items()],
    )  # fmt: skip
