"""Use cases of participant reports: read one, compare it with who is registered, note whom it shows as there."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.events.attendance import commands as attendance
from services.events.attendance.domain import Scan
from services.events.gatherings.domain import Gathering
from services.events.reports import views
from services.events.reports.domain.matching import Participant, matched
from services.events.reports.domain.reading import Report, read
from shared.postgres.pool import Connection, Unit
from shared.runtime import spreadsheets
from shared.runtime.spreadsheets import Limits

LIMITS = Limits(megabytes=5, rows=20_000)
"""A webinar of 5,000 whose people came and went."""

Shown = tuple[UUID, datetime]
"""A registration, and when that person came; a time ahead counts as now."""


async def note_shown(unit: Unit, gathering_id: UUID, shown: Sequence[Shown]) -> int:
    """All of them or none; how many were not noted before. Raises what `check_in` raises."""
    scans = [Scan(registration_id=id_, at=min(at, unit.now), method="report") for id_, at in shown]
    return sum(one.is_new for one in await attendance.check_in(unit, gathering_id, scans))


def reading(content: bytes, one: Gathering) -> Report:
    """The report in a file's bytes. Raises a `FileRefused`, `NotAParticipantReport`; takes as long as it is large."""
    zone = ZoneInfo(one.plan.zone)
    try:
        with spreadsheets.read(content, LIMITS) as table:
            return read(table.rows(), one.plan.starts.astimezone(zone).date(), zone)
    except spreadsheets.FileRefused as refusal:
        refusal.field = "report"
        raise


async def compared(connection: Connection, one: Gathering, report: Report, least: int) -> list[Participant]:
    """Each person of the report, beside who is registered."""
    return matched(report.joins, await views.registered(connection, one.id), least)


def came(found: Participant, one: Gathering) -> datetime:
    """When they were first seen; the beginning of the event where the report does not tell."""
    return found.first or one.plan.starts
