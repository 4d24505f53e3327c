"""The jobs that every service has: what is kept for a while is forgotten, what may differ is compared.

Each piece is small and finds nothing to do where it has been.
"""

from collections.abc import Sequence
from datetime import timedelta

from pydantic import JsonValue

from shared.messaging import inbox, reconcile
from shared.postgres.pool import Unit
from shared.runtime import tasks
from shared.runtime.files import open_files
from shared.runtime.jobs import Job, Turn
from shared.runtime.service import Definition
from shared.runtime.settings import Settings

ANSWERS_KEPT = timedelta(days=1)
"""How long an answer is kept for its Idempotency-Key, and that somebody tried something."""
PIECE = 5000

FORGET_ANSWERS = """
DELETE FROM idempotency WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency WHERE at < $1 LIMIT $2))
"""
FORGET_ATTEMPTS = "DELETE FROM attempt WHERE ctid = ANY (ARRAY(SELECT ctid FROM attempt WHERE at < $1 LIMIT $2))"


async def forget_requests(unit: Unit, turn: Turn) -> JsonValue:
    """One piece of the answers and attempts that are older than a day."""
    most = 0
    for what, statement in (("answers forgotten", FORGET_ANSWERS), ("attempts forgotten", FORGET_ATTEMPTS)):
        done = await unit.connection.execute(statement, unit.now - ANSWERS_KEPT, PIECE)
        count = int(done.split()[-1])
        turn.count(what, count)
        most = max(most, count)
    return "more" if most == PIECE else None


async def forget_tasks(unit: Unit, turn: Turn) -> JsonValue:
    """One piece of the tasks that ended long ago."""
    count = await tasks.forget(unit.connection, PIECE, now=unit.now)
    turn.count("tasks forgotten", count)
    return "more" if count == PIECE else None


async def sweep_files(turn: Turn) -> JsonValue:
    """Deletes content that no file has named for a day."""
    service = turn.service
    files = open_files(service.settings, service.name)
    turn.count("contents deleted", await files.sweep(service.database, now=turn.now))
    return None


REQUESTS = Job("requests", every=timedelta(hours=1), chunk=forget_requests)
TASKS = Job("tasks", every=timedelta(hours=6), chunk=forget_tasks)
FILES = Job("files", every=timedelta(hours=24), apart=sweep_files)


def jobs_of(definition: Definition, settings: Settings) -> Sequence[Job]:
    """A service's own jobs and those that every service with these settings has.

    Raises `ValueError` for two of one name. Where nothing is published no state is compared either.
    """
    jobs = [inbox.UPKEEP, REQUESTS, TASKS]
    if settings.files:
        jobs.append(FILES)
    if definition.states and settings.relay_enabled:
        jobs.append(reconcile.HOURLY)
    jobs += definition.jobs
    names = [job.name for job in jobs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{definition.name} has two jobs of one name: {', '.join(sorted(twice))}")
    return jobs
