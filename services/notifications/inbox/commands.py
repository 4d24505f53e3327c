"""Use case of the inbox: what one has read. Nobody reads what is another's."""

from collections.abc import Sequence
from uuid import UUID

from services.notifications.answers import commands as answers
from services.notifications.inbox import store, views
from shared.postgres.pool import Unit


async def mark_read(unit: Unit, address: str, reader: UUID, ids: Sequence[UUID] | None = None) -> int:
    """The named ones, or all, that are the reader's own and were not read; how many. Of others nothing is said."""
    mine = await views.unread_among(unit.connection, address, reader, ids)
    await store.read(unit.connection, mine, reader, unit.now)
    await answers.answer(unit, mine, "read")
    return len(mine)
