"""Upkeep of the inbox: partitions made ahead, ids older than the horizon forgotten a month at a time.

An event whose id lies below the horizon counts as known, so that forgetting never repeats an effect.
"""

from datetime import timedelta

from pydantic import JsonValue

from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn


async def keep(unit: Unit, turn: Turn) -> JsonValue:
    """One round, in which the service's role may do no more than these two functions of the database do."""
    await unit.connection.execute("SELECT inbox_partitions($1)", unit.now)
    before = unit.now - timedelta(days=turn.service.settings.inbox_days)
    turn.count("partitions dropped", await unit.connection.fetchval("SELECT inbox_prune($1)", before))
    return None


UPKEEP = Job("inbox", every=timedelta(hours=6), chunk=keep)
