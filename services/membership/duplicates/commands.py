"""Use case of likely duplicates: names and numbers that are new are compared with all others, once."""

from services.membership.duplicates import store, views
from shared.postgres.pool import Unit


async def compare(unit: Unit, limit: int) -> int:
    """Compares some of what was not compared yet; how many."""
    ids = await views.not_compared(unit.connection, limit)
    if ids:
        await store.take_turn(unit.connection, ids)
        await store.keep(unit.connection, ids, await views.similar(unit.connection, ids))
    return len(ids)
