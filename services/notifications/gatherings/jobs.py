"""What time brings about around gatherings: a reminder a week before and one the day before."""

from datetime import timedelta

from pydantic import JsonValue

from services.notifications.gatherings import commands
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn


async def remind(unit: Unit, turn: Turn) -> JsonValue:
    """Asks for the reminders of the day; each is asked for once, however often."""
    turn.count("gatherings reminded of", await commands.remind(unit))
    return None


JOBS = (Job("reminders", every=timedelta(minutes=15), chunk=remind),)
