"""Gatherings as iCalendar (RFC 5545): a stable UID, SEQUENCE raised at each change, what is called off told as such.

Pure. A feed has no METHOD, since nobody is invited by it; each has the zones it names. A gathering of several sessions
is one entry for each.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import icalendar

from services.events.gatherings.domain import Gathering
from shared.contracts.events import RegistrationStatus
from shared.runtime.privacy import Personal

MEDIA = "text/calendar; charset=utf-8"
PERSONAL = (Personal("calendar_feed", ("token",), "person_id::text = ANY ($1)", "row"),)
"""What access and erasure of a person concern: by the token their calendar is read."""


class Entry(NamedTuple):
    """A gathering, as one calendar shows it. `status` is that of the calendar's person, None in a feed for all."""

    gathering: Gathering
    status: RegistrationStatus | None = None


def calendar(name: str, entries: Sequence[Entry], door: str, language: str = "es") -> bytes:
    """A whole calendar. `door` is the address of the installation, to which every entry leads back."""
    made = icalendar.Calendar()
    made.add("prodid", f"-//Cumulo//{language.upper()}")
    made.add("version", "2.0")
    made.add("x-wr-calname", name)
    made.add("name", name)
    made.add("refresh-interval", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", "PT1H")
    for entry in entries:
        for event in _events(entry, door):
            made.add_component(event)
    if times := [moment for entry in entries for moment in (entry.gathering.plan.starts, entry.gathering.plan.ends)]:
        made.add_missing_timezones(
            first_date=(min(times) - timedelta(days=400)).date(), last_date=(max(times) + timedelta(days=400)).date()
        )
    return bytes(made.to_ical())


def _events(entry: Entry, door: str) -> Sequence[icalendar.Event]:
    one = entry.gathering
    plan = one.plan
    if not plan.sessions:
        return [_event(entry, door, f"{one.id}@cumulo", plan.title, plan.starts, plan.ends, plan.place)]
    return [
        _event(entry, door, f"{one.id}.{number}@cumulo", f"{plan.title}: {session.title}", session.starts,
               session.ends, session.place or plan.place)
        for number, session in enumerate(plan.sessions, start=1)
    ]  # fmt: skip


def _event(
    entry: Entry, door: str, uid: str, title: str, starts: datetime, ends: datetime, place: str | None
) -> icalendar.Event:
    one = entry.gathering
    zone = ZoneInfo(one.plan.zone)
    link = one.plan.join_url if entry.status == "confirmed" else None
    about = "\n\n".join(part for part in (one.plan.summary, link, f"{door}/agenda/{one.slug}") if part)
    values: Mapping[str, Any] = {
        "uid": uid, "dtstamp": one.changed_at, "last-modified": one.changed_at, "sequence": one.sequence,
        "dtstart": starts.astimezone(zone), "dtend": ends.astimezone(zone), "summary": title, "description": about,
        "location": place or link, "url": f"{door}/agenda/{one.slug}", "status": _status(entry),
        "categories": [one.plan.kind],
    }  # fmt: skip
    made = icalendar.Event()
    for name, value in values.items():
        if value is not None:
            made.add(name, value)
    return made


def _status(entry: Entry) -> str:
    # what is put off without a day is off its old one: a calendar has no entry without a time
    if entry.gathering.status in ("cancelled", "postponed"):
        return "CANCELLED"
    return "TENTATIVE" if entry.status in ("waiting", "offered") else "CONFIRMED"
