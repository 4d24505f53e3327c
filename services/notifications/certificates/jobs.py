"""What time brings about around certificates: a reminder some time before one ends."""

from pydantic import JsonValue

from services.notifications.certificates import commands
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.runtime.jobs import Job, Turn


async def remind(unit: Unit, turn: Turn) -> JsonValue:
    """Asks for the reminders of the day; each is asked for once, however often."""
    today = day_in(turn.service.settings.network_zone, unit.now)
    turn.count("certificates that end soon", await commands.remind(unit, today))
    return None


JOBS = (Job("certificates", chunk=remind, each_day=False),)
"""Of days that were missed only the newest counts: who was not reminded is reminded of what is left."""
