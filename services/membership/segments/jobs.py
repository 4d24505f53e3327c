"""What time brings about in segments: each day whom they hold is looked at again."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from services.membership.segments import commands
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.runtime.jobs import Job, Turn


async def draw(unit: Unit, turn: Turn) -> JsonValue:
    """Draws the segments that were not drawn today, one at a time."""
    zone = turn.service.settings.network_zone
    midnight = datetime.combine(turn.day, time(0), ZoneInfo(zone))
    if not await commands.draw_old(unit, midnight, today=day_in(zone, unit.now)):
        return None
    turn.count("segments drawn", 1)
    return True


JOBS = (Job("segments", chunk=draw, each_day=False),)
