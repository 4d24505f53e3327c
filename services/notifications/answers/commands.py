"""Use case of answers: a reader read a message on the page, or said that they took note of it."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from services.notifications.answers import store
from services.notifications.messages import commands as messages
from shared.contracts.notifications import MessageAnswered
from shared.postgres.pool import Unit


async def answer(unit: Unit, ids: Sequence[UUID], how: Literal["read", "acknowledged"]) -> None:
    """Tells it once, however often; who took note has read it."""
    new = await store.answer(unit.connection, ids, how, unit.now)
    if new:
        await messages.tell(unit, new, MessageAnswered, how=how)
