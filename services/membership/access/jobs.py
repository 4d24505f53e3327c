"""What time brings about in access: the next signing key, and that ended links and sign-ins are forgotten."""

from datetime import timedelta

from pydantic import JsonValue

from services.membership.access import store
from services.membership.access.commands import keys
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn
from shared.runtime.service import Service

KEPT = timedelta(days=30)
"""How long an ended sign-in is kept, for who asks where they were signed in."""


async def tend(unit: Unit, turn: Turn) -> JsonValue:
    """Makes the next key in time, drops those that verify nothing, forgets what ended long ago."""
    if await keys.rotate(unit):
        turn.count("keys changed", 1)
    await store.forget(unit.connection, unit.now - KEPT)
    return None


JOBS = (Job("sign-in", every=timedelta(hours=6), chunk=tend),)


async def first_key(service: Service) -> None:
    """Makes the first key as soon as the service starts, so that every copy has it before anybody signs in."""
    async with service.unit(actor="service:membership", cause="start") as unit:
        await keys.rotate(unit)
