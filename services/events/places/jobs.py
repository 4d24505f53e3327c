"""What time brings about in places: an offer that was not accepted in time passes on to the next who waits."""

from datetime import timedelta

from pydantic import JsonValue

from services.events.places import commands, store
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn

AT_ONCE = 20


async def pass_on(unit: Unit, turn: Turn) -> JsonValue:
    """Offers of some gatherings, in order of their ids, so that two never wait for each other."""
    found = await store.with_ended_offers(unit.connection, unit.now, AT_ONCE)
    for gathering_id in found:
        turn.count("offers lapsed", await commands.lapse(unit, gathering_id))
    return True if len(found) == AT_ONCE else None


JOBS = (Job("waiting lists", every=timedelta(minutes=1), chunk=pass_on),)
