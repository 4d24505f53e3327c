"""What time brings about in uploads: sheets that nothing has moved for a month go, with the names in them."""

from datetime import timedelta

from pydantic import JsonValue

from services.membership.uploads import store
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn

KEPT = timedelta(days=30)
AT_ONCE = 20


async def forget(unit: Unit, turn: Turn) -> JsonValue:
    """Deletes old sheets, some at a time."""
    count = await store.forget(unit.connection, unit.now - KEPT, AT_ONCE)
    turn.count("sheets forgotten", count)
    return True if count == AT_ONCE else None


JOBS = (Job("old sheets", every=timedelta(hours=24), chunk=forget),)
