"""Use cases of calendars: an address of one's own, made when first asked for, renewed when too many know it."""

import secrets
from uuid import UUID

from services.events.calendars import store
from shared.postgres.pool import Unit


async def address_of(unit: Unit, person_id: UUID, *, renew: bool = False) -> str:
    """The secret part of somebody's address: 256 random bits."""
    found = await store.token(unit.connection, person_id)
    if found is not None and not renew:
        return found
    made = secrets.token_urlsafe(32)
    await store.keep(unit.connection, person_id, made, unit.now)
    return made
