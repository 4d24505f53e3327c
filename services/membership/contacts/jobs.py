"""What time brings about in contacts: what was written is erased after a week, here and everywhere."""

from datetime import timedelta

from pydantic import JsonValue

from services.membership.contacts import commands
from services.membership.contacts.domain import KEPT
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn

AT_ONCE = 200


async def forget(unit: Unit, turn: Turn) -> JsonValue:
    """Erases old texts, some at a time."""
    count = await commands.forget_old(unit, unit.now - KEPT, AT_ONCE)
    turn.count("texts erased", count)
    return True if count == AT_ONCE else None


JOBS = (Job("old texts", every=timedelta(hours=6), chunk=forget),)
