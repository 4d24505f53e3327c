"""The calendar as pages: a year of twelve months, the list with its filters, how a calendar program follows it."""

import calendar as months
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, get_day_names
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.events.calendars import commands
from services.events.edges import reach, span
from services.events.gatherings import views
from services.events.gatherings.views import Asked
from services.events.words import KINDS, MODES, STATUSES
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.identity import Viewer
from shared.http.policy import Allowed, May, MaybeViewing, Serving
from shared.http.routes import Route
from shared.http.sessions import door_of
from shared.postgres.pool import Row
from shared.postgres.values import day_in
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.shell import pages_of, turn
from shared.web.tables import Choice, Column, Filter, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Owner = Annotated[Allowed, May("calendars.own")]
Year = Annotated[int, Path(ge=2000, le=2100)]
Several = Annotated[list[str] | None, Query(max_length=40)]
Shown = Annotated[str | None, Query(max_length=20)]
FEW = 4
MOST = 500
COLUMNS = (
    Column("title", mark("Event")), Column("when", mark("When")), Column("kind", mark("Kind"), minor=True),
    Column("host", mark("Who holds it"), minor=True), Column("places", mark("Places"), numeric=True),
    Column("status", mark("State of it")),
)  # fmt: skip
EXPORTED = (
    mark("Event"), mark("Kind"), mark("How"), mark("Begins"), mark("Ends"), mark("Time zone"), mark("Where"),
    mark("Who holds it"), mark("State of it"), mark("Places"), mark("Taken"), mark("Waiting"),
)  # fmt: skip


@router.get("/calendar", response_class=HTMLResponse)
async def this_year(request: Request, service: Serving, viewer: MaybeViewing, cluster: Several = None) -> Response:
    """The present year."""
    return await _year(request, service, viewer, day_in(service.settings.network_zone, service.clock()).year, cluster)


@router.get("/calendar/subscribe", response_class=HTMLResponse)
async def subscribe(request: Request, service: Serving, caller: Owner) -> Response:
    """The addresses that a calendar program follows: of the network, of a cluster, of what one takes part in."""
    door = door_of(request)
    own = None
    if caller.viewer.kind == "person" and caller.viewer.subject is not None:
        async with unit_of(request, caller.actor) as unit:
            own = f"{door}/calendar/people/{await commands.address_of(unit, caller.viewer.subject)}.ics"
    async with service.database.connection() as connection:
        hosts = await views.clusters(connection)
    return pages.render(
        request, caller.viewer, "subscribe.html", own=own, network=f"{door}/calendar/network.ics",
        clusters=[(host.name, f"{door}/calendar/clusters/{host.slug}.ics") for host in hosts],
    )  # fmt: skip


@router.post("/calendar/subscribe/renew", response_class=HTMLResponse)
async def renew(request: Request, caller: Owner) -> Response:
    """Another address; the old one opens nothing any more."""
    if caller.viewer.kind == "person" and caller.viewer.subject is not None:
        async with unit_of(request, caller.actor) as unit:
            await commands.address_of(unit, caller.viewer.subject, renew=True)
    said = pages.language(request, caller.viewer)(mark("Your calendar has another address; the old one is of no use"))
    return turn("/calendar/subscribe", said=said)


@router.get("/calendar/{year}", response_class=HTMLResponse)
async def year(
    request: Request, service: Serving, viewer: MaybeViewing, year: Year, cluster: Several = None
) -> Response:
    """Twelve months."""
    return await _year(request, service, viewer, year, cluster)


@router.get("/agenda", response_class=HTMLResponse)
async def agenda(
    request: Request, service: Serving, viewer: MaybeViewing, kind: Several = None, cluster: Several = None,
    status: Several = None, q: Annotated[str | None, Query(max_length=100)] = None, shown: Shown = None,
) -> Response:  # fmt: skip
    """What is on, soonest first; what was, with `shown=past`; one day with `shown=2027-05-14`."""
    speak = pages.language(request, viewer)
    asked = _asked(service, viewer, kind, cluster, status, q, shown)
    async with service.database.connection() as connection:
        found = await views.gatherings(connection, asked, MOST)
        hosts = await views.clusters(connection)
    rows = [_row(row, speak) for row in found]
    listing = Listing(COLUMNS, rows, _filters(speak, hosts), total=len(rows), search=True,
                      keep={"shown": shown} if shown else {})  # fmt: skip
    query = request.url.query
    return pages.render(
        request, viewer, "agenda.html", listing=listing, query=f"?{query}" if query else "", shown=shown,
        year=day_in(service.settings.network_zone, service.clock()).year, day_shown=_day(shown),
        prepares=reach(service, "gatherings.prepare", viewer) is not None,
    )  # fmt: skip


@router.get("/agenda.{ending}")
async def as_file(
    request: Request, service: Serving, viewer: MaybeViewing, ending: Ending, kind: Several = None,
    cluster: Several = None, status: Several = None, q: Annotated[str | None, Query(max_length=100)] = None,
    shown: Shown = None,
) -> StreamingResponse:  # fmt: skip
    """The same list as a file."""
    speak = pages.language(request, viewer)
    asked = _asked(service, viewer, kind, cluster, status, q, shown)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        async with service.database.connection() as connection:
            found = await views.gatherings(connection, asked, 10_000)
        for row in found:
            zone = ZoneInfo(row["zone"])
            yield (
                row["title"], speak(KINDS[row["kind"]]), speak(MODES[row["mode"]]),
                row["starts"].astimezone(zone).isoformat(timespec="minutes"),
                row["ends"].astimezone(zone).isoformat(timespec="minutes"), row["zone"], row["place"], row["host"],
                speak(STATUSES[row["status"]][0]), row["capacity"], row["taken"], row["waiting"],
            )  # fmt: skip

    return await exported(ending, "eventos", [speak(words) for words in EXPORTED], lines())


async def _year(
    request: Request, service: Service, viewer: Viewer | None, number: int, clusters: list[str] | None
) -> Response:
    speak = pages.language(request, viewer)
    zone = ZoneInfo(service.settings.network_zone)
    begin = datetime(number, 1, 1, tzinfo=zone)
    asked = Asked(
        begin, datetime(number + 1, 1, 1, tzinfo=zone), clusters=_plain(clusters), member=viewer is not None,
        statuses=["published", "postponed", "held", "cancelled"],
    )  # fmt: skip
    async with service.database.connection() as connection:
        found = await views.gatherings(connection, asked, 2000)
        hosts = await views.clusters(connection)
    today = day_in(service.settings.network_zone, service.clock())
    return pages.render(
        request, viewer, "year.html", year=number,
        months=[_month(number, month, found, today, speak) for month in range(1, 13)],
        weekdays=_weekdays(speak), filters=Listing((), (), (_hosts(hosts),)), count=len(found),
        prepares=reach(service, "gatherings.prepare", viewer) is not None,
    )  # fmt: skip


def _month(year: int, month: int, rows: Sequence[Row], today: date, speak: Language) -> dict[str, Any]:
    """One month: its weeks of days, on each how many gatherings there are, and the first of them in words."""
    of_day: dict[date, list[Row]] = defaultdict(list)
    own = []
    for row in rows:
        zone = ZoneInfo(row["zone"])
        day, last = row["starts"].astimezone(zone).date(), row["ends"].astimezone(zone).date()
        if (day.year, day.month) == (year, month):
            own.append({"title": row["title"], "slug": row["slug"], "day": day.day,
                        "off": row["status"] in ("cancelled", "postponed")})  # fmt: skip
        if row["status"] in ("cancelled", "postponed"):
            continue
        for step in range(min((last - day).days, 40) + 1):
            of_day[day + timedelta(days=step)].append(row)
    first = Locale.parse(speak.locale).first_week_day
    weeks = [
        [
            {"day": day, "here": day.month == month, "count": len(of_day[day]), "today": day == today,
             "href": f"/agenda/{of_day[day][0]['slug']}" if len(of_day[day]) == 1 else f"/agenda?shown={day}"}
            for day in week
        ]
        for week in months.Calendar(first).monthdatescalendar(year, month)
    ]  # fmt: skip
    name = format_date(date(year, month, 1), "LLLL", locale=speak.locale)
    return {"name": name[:1].upper() + name[1:], "number": month, "weeks": weeks, "gatherings": own[:FEW],
            "more": max(len(own) - FEW, 0), "shown": f"{year}-{month:02}"}  # fmt: skip


def _weekdays(speak: Language) -> list[str]:
    names = get_day_names("narrow", "stand-alone", locale=speak.locale)
    first = Locale.parse(speak.locale).first_week_day
    return [names[(first + n) % 7] for n in range(7)]


def _day(shown: str | None) -> date | None:
    try:
        return date.fromisoformat(shown) if shown and shown != "past" and len(shown) == 10 else None
    except ValueError:
        return None


def _asked(
    service: Service, viewer: Viewer | None, kinds: list[str] | None, clusters: list[str] | None,
    statuses: list[str] | None, text: str | None, shown: str | None,
) -> Asked:  # fmt: skip
    zone = ZoneInfo(service.settings.network_zone)
    since: datetime | None = service.clock()
    until: datetime | None = None
    if (day := _day(shown)) is not None and 2000 <= day.year <= 2100:
        since = datetime.combine(day, time(0), zone)
        until = since + timedelta(days=1)
    elif (
        month := _day(f"{shown}-01") if shown and len(shown) == 7 else None
    ) is not None and 2000 <= month.year <= 2100:
        since = datetime.combine(month, time(0), zone)
        until = datetime.combine((month + timedelta(days=32)).replace(day=1), time(0), zone)
    elif shown == "past":
        since, until = datetime(1900, 1, 1, tzinfo=UTC), service.clock()
    return Asked(
        since, until, _plain(kinds), _plain(clusters), _plain(statuses), viewer is not None,
        span(reach(service, "gatherings.prepare", viewer)), (text or "").replace("\x00", "").strip() or None,
        newest_first=shown == "past",
    )  # fmt: skip


def _plain(values: list[str] | None) -> list[str] | None:
    return [value.replace("\x00", "")[:60] for value in values] if values else None


def _hosts(hosts: Sequence[views.Host]) -> Filter:
    return Filter("cluster", mark("Who holds it"), [Choice(host.slug, host.name) for host in hosts])


def _filters(speak: Language, hosts: Sequence[views.Host]) -> tuple[Filter, ...]:
    kinds = Filter("kind", mark("Kind"), [Choice(code, speak(words)) for code, words in KINDS.items()])
    states = Filter("status", mark("State of it"),
                    [Choice(code, speak(words)) for code, (words, _) in STATUSES.items()])  # fmt: skip
    return kinds, _hosts(hosts), states


def _row(row: Row, speak: Language) -> dict[str, Any]:
    local = Language(speak.code, ZoneInfo(row["zone"]), speak.words)
    words, tone = STATUSES[row["status"]]
    return {
        "slug": row["slug"], "title": row["title"], "kind": speak(KINDS[row["kind"]]),
        "mode": speak(MODES[row["mode"]]),
        "when": local.moment(row["starts"]), "host": row["host"], "capacity": row["capacity"], "taken": row["taken"],
        "waiting": row["waiting"], "status": (speak(words), tone), "place": row["place"],
    }  # fmt: skip
