"""Upkeep of the inbox: partitions made ahead, ids older than the horizon forgotten a month at a time.

An event whose id lies below the horizon counts as known, so that forgetting never repeats an effect.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.runtime.service import Service

EVERY_SECONDS = 6 * 3600.0


async def keep(service: "Service") -> int:
    """One round. Returns how many partitions were dropped."""
    now = service.clock()
    async with service.database.connection() as connection, connection.transaction():
        # one replica at a time; the others find the work done
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.inbox', 0))")
        await connection.execute("SELECT inbox_partitions($1)", now)
        dropped = await connection.fetchval("SELECT inbox_prune($1)", now - timedelta(days=service.settings.inbox_days))
    return int(dropped)


async def upkeep(service: "Service") -> None:
    """The loop that every service runs."""
    while not service.stopping.is_set():
        if dropped := await keep(service):
            service.log.info("inbox.pruned", partitions=dropped)
        await service.pause(EVERY_SECONDS)
