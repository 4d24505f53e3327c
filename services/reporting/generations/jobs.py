"""The job that removes what a killed rebuild left behind, so that facts are not written twice for ever."""

from datetime import timedelta

from pydantic import JsonValue

from services.reporting.generations import commands
from shared.runtime.jobs import Job, Turn


async def tidy(turn: Turn) -> JsonValue:
    """Removes it; a rebuild at work is left alone."""
    turn.count("generations tidied", int(await commands.tidy_up(turn.service.database)))
    return None


JOBS = (Job("generations", every=timedelta(minutes=1), apart=tidy),)
