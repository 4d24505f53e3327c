"""What time brings about in the log: lines of facts that concerned nobody go after three months."""

from datetime import timedelta

from pydantic import JsonValue

from services.notifications.logbook import commands
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn


async def forget(unit: Unit, turn: Turn) -> JsonValue:
    """Removes old lines, some at a time."""
    count = await commands.forget_old(unit)
    turn.count("lines forgotten", count)
    return True if count == commands.AT_ONCE else None


JOBS = (Job("log", every=timedelta(hours=12), chunk=forget),)
