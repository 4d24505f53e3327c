"""Keeps the copies of certificates, and asks for the reminders that one ends."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID, uuid5

from services.notifications.certificates import domain, store
from services.notifications.messages import commands as messages
from services.notifications.subjects.domain import Asked
from shared.messaging.events import Event
from shared.postgres.copies import erase, save
from shared.postgres.pool import Unit

REMINDERS = UUID("3c0a9a52-7a55-5a86-9c1f-1d6a4be20f77")
"""Namespace of the notices: one for each certificate, its end and how long before. A renewed one has another end."""


async def keep_certificates(unit: Unit, events: Sequence[Event]) -> None:
    """The certificates of organisations, as their profiles say now."""
    await messages.take_turn(unit)
    await erase(unit.connection, store.FORGET, [event.key_id for event in events])
    rows = [(c.certificate_id, event.data.organization_id, c.standard, c.body, c.until)
            for event in events if event.data is not None for c in event.data.certificates]  # fmt: skip
    await save(unit.connection, store.SAVE, rows)


async def remind(unit: Unit, today: date) -> int:
    """Asks for the reminders that are due. Returns how many certificates end soon; each is reminded of once a step."""
    asked: list[tuple[UUID, Asked]] = []
    for row in await unit.connection.fetch(store.ENDING, today):
        days = domain.due(row["until"], today)
        if days is None:
            continue
        id_ = uuid5(REMINDERS, f"{row['certificate_id']}/{row['until'].isoformat()}/{days}")
        asked.append((id_, Asked("certificate", row["organization_id"], None, "associate", row["until"],
                                 certificate_id=row["certificate_id"])))  # fmt: skip
    if asked:
        await messages.take_turn(unit)
        await messages.ask(unit, asked, cause="certificates")
    return len(asked)
