"""Keeps the copies of gatherings and registrations, and asks for reminders. A change may let notices find people."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from services.notifications.gatherings import domain, store
from services.notifications.messages import commands as messages
from services.notifications.subjects.domain import Asked
from shared.messaging.events import Event
from shared.postgres.copies import erase, save
from shared.postgres.pool import Unit

REMINDERS = UUID("5d3d6c1a-5c8a-5c86-8f5b-64b1d2a3e4f5")
"""Namespace of the notices of reminders: one for each gathering, its day and how long before."""


async def keep_gatherings(unit: Unit, events: Sequence[Event]) -> None:
    """Gatherings as they are now."""
    await messages.take_turn(unit)
    data = [event.data for event in events if event.data is not None]
    rows = [(g.gathering_id, g.cluster_id, g.slug, g.status, g.kind, g.title, g.summary, g.mode, g.starts, g.ends,
             g.zone, g.place, g.sequence) for g in data]  # fmt: skip
    await save(unit.connection, store.SAVE_GATHERINGS, rows)
    await erase(unit.connection, store.ERASE_GATHERINGS, [event.key_id for event in events if event.data is None])
    await messages.address_registered(unit, {row[0] for row in rows})


async def keep_registrations(unit: Unit, events: Sequence[Event]) -> None:
    """Who is registered. An erased one leaves nothing behind: what was due for them is given up."""
    await messages.take_turn(unit)
    data = [event.data for event in events if event.data is not None]
    rows = [(r.registration_id, r.gathering_id, r.organization_id, r.status, r.name, r.email, r.language,
             r.price.amount, r.price.currency, r.price.group, r.offer_until, r.join_url, r.check_in_code)
            for r in data]  # fmt: skip
    await save(unit.connection, store.SAVE_REGISTRATIONS, rows)
    erased = [event.key_id for event in events if event.data is None]
    await erase(unit.connection, store.ERASE_REGISTRATIONS, erased)
    await messages.give_up_for(unit, erased)
    await messages.address_registered(unit, {row[1] for row in rows})


async def remind(unit: Unit) -> int:
    """Asks for the reminders that are due now: a week and a day before. Returns for how many gatherings.

    Each is asked for once for each day on which a gathering was to begin, however often this runs.
    """
    asked: list[tuple[UUID, Asked]] = []
    found = await unit.connection.fetch(store.NEAR, unit.now, unit.now + timedelta(days=8))
    for row in found:
        subject = domain.reminder(row["starts"], row["zone"], unit.now)
        if subject is None:
            continue
        day = domain.day_of(row["starts"], row["zone"])
        id_ = uuid5(REMINDERS, f"{row['gathering_id']}/{day.isoformat()}/{subject}")
        asked.append((id_, Asked(subject, None, row["cluster_id"], "associate", day, None, row["gathering_id"])))
    if asked:
        await messages.take_turn(unit)
        await messages.ask(unit, asked, cause="reminders")
    return len(asked)
