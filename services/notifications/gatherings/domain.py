"""When a reminder is due: on the day seven days before, and on the day before, as the days are where it is held."""

from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Reminder = Literal["reminder_week", "reminder_day"]
FROM_HOUR = 8
"""Nobody is reminded before eight in the morning of the place."""


def day_of(instant: datetime, zone: str) -> date:
    """The day of an instant where something is held."""
    return instant.astimezone(ZoneInfo(zone)).date()


def reminder(starts: datetime, zone: str, now: datetime) -> Reminder | None:
    """Which reminder is due now, None for neither. One that was missed on its day is not made up for."""
    here = now.astimezone(ZoneInfo(zone))
    if here.hour < FROM_HOUR:
        return None
    left = day_of(starts, zone) - here.date()
    if left == timedelta(days=7):
        return "reminder_week"
    return "reminder_day" if left == timedelta(days=1) else None
