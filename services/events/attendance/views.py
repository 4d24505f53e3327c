"""What a scan is answered with, in one sentence; the same at the door, on a phone and on a page."""

from zoneinfo import ZoneInfo

from services.events.attendance.domain import Seen
from shared.web.language import Language, mark


def told(seen: Seen, speak: Language, zone: str) -> str:
    """Who is there since when, and whether that was known."""
    name = seen.registration.name or ""
    when = Language(speak.code, ZoneInfo(zone), speak.words).moment(seen.at)
    if seen.is_new:
        return speak(mark("%(name)s is there since %(when)s"), name=name, when=when)
    return speak(mark("%(name)s had been seen already, at %(when)s"), name=name, when=when)
