"""The demo's announcements: one of two weeks ago with its receipts, and one that the assistant holds ready.

Made through the commands of this service once its copies are there. Nobody in it exists; the mails lie in the folder.
"""

import asyncio
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.notifications.announcements import commands
from services.notifications.announcements.domain import Writing
from shared.runtime.service import Service

WAITS_SECONDS = 60.0
HELD = "SELECT cardinality(organization_ids) FROM segment WHERE segment_id = $1"
REACHED = """
SELECT count(DISTINCT p.organization_id) FROM segment s, unnest(s.organization_ids) AS g (id)
JOIN person_organization p ON p.organization_id = g.id WHERE s.segment_id = $1
"""
WHO = "SELECT subject_id::text FROM access_copy WHERE name = $1"
THERE = "SELECT count(*) FROM announcement"
WITHOUT_MAIL = 12
"""How many organisations of the demo have no address."""
ASSISTANT, COORDINATOR = "Emilio Sosa Rangel", "Mariana Ibarra Quiroz"


class Written(NamedTuple):
    """An announcement of the demo: to which segment, how many days ago, whether it went out."""

    segment: str
    days: int
    released: bool
    writing: Writing


ANNOUNCEMENTS = (
    Written("Universidades", 14, True, Writing(
        "Calendario de capacitación del próximo semestre",
        "Ya está el calendario de capacitación de la red.\n\n- Doce webinars, abiertos a todos los asociados\n"
        "- Cuatro cursos en planta\n- Un diplomado con dos sedes\n\nEl registro de cada uno abre treinta días antes.",
        "Training calendar of the coming semester",
        "The training calendar of the network is ready.\n\n- Twelve webinars, open to all associates\n"
        "- Four courses on the shop floor\n- A diploma course at two sites\n\n"
        "Registration of each opens thirty days before.", acknowledge=True)),
    Written("Proveedores Tier 1", 0, False, Writing(
        "Encuentro de proveeduría: di qué buscas y qué ofreces",
        "En el próximo encuentro de proveeduría cada empresa llega con su agenda de citas.\n\n"
        "Para armarla necesitamos, en dos semanas:\n\n- qué procesos buscas\n- qué capacidad tienes libre\n\n"
        "Actualiza el perfil de tu empresa en Cumulo: de ahí se arman las citas.", "", "")),
)  # fmt: skip


async def make(service: Service, today: date, segments: dict[str, UUID]) -> None:
    """Makes the announcements that are not there. `segments`: the ids of the segments by name."""
    async with service.database.connection() as connection:
        done = await connection.fetchval(THERE)
    for one in ANNOUNCEMENTS[done:]:  # begun again after a crash: each is one transaction, in this order
        segment = segments[one.segment]
        async with asyncio.timeout(WAITS_SECONDS):
            while not await _arrived(service, segment):
                await service.pause(0.2)
        async with service.database.connection() as connection:
            emilio = await connection.fetchval(WHO, ASSISTANT)
            mariana = await connection.fetchval(WHO, COORDINATOR)
        hour = datetime.combine(today - timedelta(days=one.days), time(10), ZoneInfo(service.settings.network_zone))
        now = min(hour, service.clock())
        async with service.database.unit(actor=emilio, cause="demo", now=now) as unit:
            held = await commands.segment_of(unit.connection, segment)
            made = await commands.prepare(unit, await commands.write(unit, held, one.writing))
            if one.released:
                await commands.release(replace(unit, actor=mariana), made)


async def _arrived(service: Service, segment: UUID) -> bool:
    """Whether the segment and somebody who speaks for each of its organisations are known here."""
    async with service.database.connection() as connection:
        held, reached = await connection.fetchval(HELD, segment), await connection.fetchval(REACHED, segment)
    return bool(held) and reached >= held - WITHOUT_MAIL
