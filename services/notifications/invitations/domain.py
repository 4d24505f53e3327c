"""A gathering as an invitation in a mail (iMIP, RFC 6047): METHOD REQUEST while it stands, CANCEL when it does not.

Pure. The UID is that of the calendar feeds, so that mail and feed show one entry; SEQUENCE is the gathering's own.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import icalendar

Method = Literal["REQUEST", "CANCEL"]


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the entry says, to whom and from whom. `uid` is the gathering's id."""

    uid: str
    sequence: int
    title: str
    summary: str
    starts: datetime
    ends: datetime
    zone: str
    place: str | None
    link: str | None
    page: str
    name: str
    mail: str
    organizer: str


def calendar(one: Invitation, method: Method, stamp: datetime) -> bytes:
    """The calendar of one entry. `stamp` is when the mail was made."""
    zone = ZoneInfo(one.zone)
    event = icalendar.Event()
    event.add("uid", f"{one.uid}@cumulo")
    event.add("sequence", one.sequence)
    event.add("dtstamp", stamp)
    event.add("dtstart", one.starts.astimezone(zone))
    event.add("dtend", one.ends.astimezone(zone))
    event.add("summary", one.title)
    event.add("description", "\n\n".join(part for part in (one.summary, one.link, one.page) if part))
    if where := one.place or one.link:
        event.add("location", where)
    event.add("url", one.page)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    organizer = icalendar.vCalAddress(f"mailto:{one.organizer}")
    event.add("organizer", organizer)
    attendee = icalendar.vCalAddress(f"mailto:{one.mail}")
    attendee.params["cn"] = icalendar.vText(one.name)
    attendee.params["partstat"] = icalendar.vText("ACCEPTED")
    attendee.params["rsvp"] = icalendar.vText("FALSE")
    event.add("attendee", attendee, encode=False)
    made = icalendar.Calendar()
    made.add("prodid", "-//Cumulo//ES")
    made.add("version", "2.0")
    made.add("method", method)
    made.add_component(event)
    made.add_missing_timezones(
        first_date=(one.starts - timedelta(days=400)).date(), last_date=(one.ends + timedelta(days=400)).date()
    )
    return bytes(made.to_ical())
