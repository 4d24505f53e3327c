"""The demo's gatherings: two years that were held, with who came, and the next weeks with lists that fill.

Made through the commands of this service once its copy of who is a member is there. Nobody in it exists, and nobody is
written to: who is on a list registered some days ago.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.events.attendance import commands as attendance
from services.events.attendance.domain import Scan
from services.events.gatherings import commands as gatherings
from services.events.gatherings.domain import Plan, Tariff
from services.events.places.domain import Registration
from services.events.registrations import commands as registrations
from services.events.registrations.commands import Person
from shared.contracts.events import GatheringKind, Mode
from shared.postgres.pool import Unit
from shared.runtime.service import Service

SEED = 2025
ZONE = "America/Mexico_City"
WAITS_SECONDS = 60.0
MEMBERS = "SELECT count(*) FROM standing"
ORGANIZATIONS = """
SELECT o.organization_id, o.trade_name, o.slug FROM organization o
WHERE EXISTS (SELECT FROM standing s WHERE s.organization_id = o.organization_id AND s.standing = 'active')
ORDER BY o.organization_id
"""
CLUSTERS = "SELECT slug, cluster_id FROM cluster"
THERE = "SELECT count(*) FROM gathering"
FULL, WAITING = 60, 23
"""Places of the webinar that everybody wants, and how many wait for one."""
THREE_PRICES = (Tariff("own", Decimal("500.00")), Tariff("network", Decimal("850.00")),
                Tariff("own", Decimal("650.00"), "affiliate", benefit="Convenio de afiliados"),
                Tariff("public", Decimal("1400.00")))  # fmt: skip
_GIVEN = ("Abril", "Benito", "Carlota", "Damián", "Elisa", "Fermín", "Gloria", "Hilario", "Ivonne", "Jacinto", "Karla",
          "Leandro", "Maite", "Nicolás", "Olga", "Paulina", "Rodrigo", "Sabina", "Teodoro", "Ximena")  # fmt: skip
_FAMILY = ("Arriaga", "Bustos", "Corona", "Duarte", "Espino", "Fierro", "Gallegos", "Hinojosa", "Jasso", "Lerma",
           "Mireles", "Navarrete", "Olmos", "Partida", "Rangel", "Solís", "Tovar", "Vela", "Zavala")  # fmt: skip


class Kept(NamedTuple):
    """A gathering of the demo: `days` from today (behind it: negative), who holds it (None: the network)."""

    days: int
    kind: GatheringKind
    title: str
    host: str | None
    mode: Mode
    hour: int
    hours: int
    capacity: int | None
    people: int
    paid: bool = False
    place: str | None = None


_WEBINARS = ("Reglas de origen del T-MEC", "Ciberseguridad en planta", "Costeo por pieza", "IATF 16949: cambios",
             "Nearshoring y proveeduría local", "Manufactura digital paso a paso")  # fmt: skip
_COURSES = ("Core Tools: APQP y PPAP", "Auditor interno IATF 16949", "Metrología dimensional", "Liderazgo en piso")
_HOSTS = ("regiomontano-norte", "bajio-guanajuatense", "semidesierto", "valle-de-lerma", "altiplano",
          "sierra-y-desierto", "sureste-del-desierto", "dos-volcanes", "costa-y-agave")  # fmt: skip


def programme() -> list[Kept]:
    """Two years behind and two months ahead, the oldest first."""
    found = []
    for month in range(24, 0, -1):
        days = -30 * month + 9
        found.append(Kept(days, "webinar", _WEBINARS[month % len(_WEBINARS)], None, "online", 10, 1, 200,
                          22 + 7 * (month % 5)))  # fmt: skip
        host = _HOSTS[month % len(_HOSTS)]
        if month % 2:
            found.append(Kept(days + 6, "course", _COURSES[month % len(_COURSES)], host, "in_place", 9, 8, 25,
                              14 + month % 9, place="Aula del clúster"))  # fmt: skip
        if month % 3 == 0:
            found.append(Kept(days + 12, "business_round", f"Ronda de proveeduría {host.replace('-', ' ').title()}",
                              host, "in_place", 9, 8, 150, 48 + 5 * (month % 7), paid=True,
                              place="Centro de convenciones"))  # fmt: skip
        if month % 4 == 0:
            found.append(Kept(days + 16, "plant_visit", "Visita a planta: cómo planea una armadora", host, "in_place",
                              11, 3, 20, 18, place="Planta anfitriona"))  # fmt: skip
    return [
        *found,
        Kept(6, "webinar", "T-MEC: calcula tu contenido regional", None, "online", 10, 2, FULL, FULL + WAITING),
        Kept(13, "course", "Core Tools: APQP y PPAP", "semidesierto", "in_place", 9, 8, 25, 19,
             place="Aula del clúster"),
        Kept(21, "business_round", "Ronda de proveeduría Regiomontano Norte", "regiomontano-norte", "in_place", 9, 8,
             150, 96, paid=True, place="Centro de convenciones, sala B"),
        Kept(29, "plant_visit", "Visita a planta: la pequeña ve a la grande", "bajio-guanajuatense", "in_place", 11, 3,
             20, 12, place="Planta anfitriona"),
        Kept(41, "forum", "Foro de la cadena automotriz", None, "both", 9, 9, 300, 74, paid=True,
             place="Auditorio de la red"),
        Kept(55, "conference", "Vehículos eléctricos: qué piezas cambian", "costa-y-agave", "both", 16, 3, 120, 9,
             place="Casa del clúster"),
    ]  # fmt: skip


async def make(service: Service, today: date, members: int) -> None:
    """Makes the programme where there is none. `members` memberships have to have come before."""
    async with asyncio.timeout(WAITS_SECONDS):
        while await _value(service, MEMBERS) < members:
            await service.pause(0.2)
    done = await _value(service, THERE)
    async with service.database.connection() as connection:
        companies = [tuple(row) for row in await connection.fetch(ORGANIZATIONS)]
        hosts = {row["slug"]: row["cluster_id"] for row in await connection.fetch(CLUSTERS)}
    for number, one in enumerate(programme()):
        if number < done:  # begun again after a crash: each is one transaction, in this order
            continue
        chance = Random(SEED + number)  # noqa: S311 - the same guests for everybody, nothing secret
        async with service.unit(actor="demo", cause="demo") as unit:
            await _gathering(unit, one, today, hosts.get(one.host or ""), companies, chance)


async def _value(service: Service, statement: str) -> int:
    async with service.database.connection() as connection:
        return int(await connection.fetchval(statement))


async def _gathering(
    unit: Unit, one: Kept, today: date, host: UUID | None, companies: Sequence[tuple[UUID, str, str]], chance: Random
) -> None:  # fmt: skip
    day = today + timedelta(days=one.days)
    day -= timedelta(days=max(0, day.weekday() - 4))  # on a Friday instead of a weekend
    starts = datetime.combine(day, time(one.hour), ZoneInfo(ZONE))
    ends = starts + timedelta(hours=one.hours)
    made = await gatherings.draft(unit, Plan(
        kind=one.kind, title=one.title, mode=one.mode, starts=starts, ends=ends, zone=ZONE, cluster_id=host,
        summary="Evento de la demostración: quien lo organiza y quien asiste son inventados.", place=one.place,
        country="MX" if one.place else None, capacity=one.capacity,
        join_url="https://reunion.example/sala" if one.mode != "in_place" else None,
        prices=THREE_PRICES if one.paid else (),
    ))  # fmt: skip
    announced = min(starts.date(), today) - timedelta(days=35)
    await gatherings.publish(unit, made.id, announced)
    guests = chance.sample(companies, k=min(one.people, len(companies)))
    known: list[Registration] = []
    for company, _, slug in guests:
        given, family = chance.choice(_GIVEN), chance.choice(_FAMILY)
        person = Person(f"{given} {family} {chance.choice(_FAMILY)}", f"{len(known)}.{made.slug[:20]}@{slug}.example")
        asked = datetime.combine(announced + timedelta(days=3 + len(known) * 25 // one.people), time(17), UTC)
        known += await registrations.register(
            unit, made.id, [person], organization_id=company, organizer=True, at=asked
        )
    if one.days < 0:
        came = [guest for guest in known if guest.status == "confirmed" and chance.random() < 0.78]
        await attendance.check_in(unit, made.id, [
            Scan(registration_id=guest.id, at=starts + timedelta(minutes=chance.randint(-20, 15)), method="qr")
            for guest in came
        ])  # fmt: skip
        await gatherings.hold(unit, made.id)
