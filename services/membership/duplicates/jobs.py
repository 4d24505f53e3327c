"""What time brings about in likely duplicates: names and numbers that are new are compared with all others."""

from datetime import timedelta

from pydantic import JsonValue

from services.membership.duplicates import commands
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn

AT_ONCE = 200


async def compare(unit: Unit, turn: Turn) -> JsonValue:
    """Compares what is new, some at a time."""
    count = await commands.compare(unit, AT_ONCE)
    turn.count("organisations compared", count)
    return True if count == AT_ONCE else None


JOBS = (Job("likely duplicates", every=timedelta(minutes=1), chunk=compare),)
