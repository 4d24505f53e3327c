"""Participant reports over HTTP: what one says about who was there, and, when asked to, noted."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.events.gatherings import store as gatherings
from services.events.gatherings.domain import NoSuchGathering
from services.events.reports import commands
from services.events.reports.commands import came, compared, reading
from services.events.reports.domain.matching import Outcome, usual_least
from shared.http.edge import unit_of
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/events", tags=["attendance"], route_class=Route)


class ReportWriting(BaseModel):
    """The report as its program wrote it. `minutes`: what counts as attended; without it half of the event, at most 60.

    `record`: whoever was there long enough is noted; without it nothing is changed.
    """

    model_config = ConfigDict(extra="forbid")

    report: Annotated[
        str,
        Field(min_length=1, max_length=5_000_000, examples=[
            "Name,Email,Join time,Leave time,Duration (minutes)\nAna Ruiz,ana@empresa.example,"
            "2027-05-14 09:02:00,2027-05-14 10:31:00,89\n"]),
    ]  # fmt: skip
    minutes: Annotated[int | None, Field(ge=1, le=1440)] = None
    record: bool = False


class ParticipantView(BaseModel):
    """One person of the report. `new`: noted, when asked to; `similar`: only the names resemble, never noted here."""

    name: str
    mail: str | None
    minutes: int
    first: datetime | None
    registration_id: UUID | None
    outcome: Outcome


class ReportView(BaseModel):
    """What the report says. `unread_rows`: numbers of rows without a time that can be read.

    `other_day`: none of its times is near the day of the event; is it another meeting's?
    """

    minutes: int
    people: list[ParticipantView]
    unread_rows: list[int]
    other_day: bool
    recorded: int


async def _managed(
    service: Serving, caller: Annotated[Allowed, May("registrations.manage")], gathering_id: UUID
) -> Allowed:
    async with service.database.connection() as connection:
        found = await gatherings.load(connection, [gathering_id])
    if not found or found[0].status == "draft":
        raise NoSuchGathering("there is no event {id}", id=gathering_id, field="gathering_id")
    caller.require(cluster=found[0].plan.cluster_id)
    return caller


@router.post("/participant-reports/{gathering_id}", operation_id="read_participant_report",
             summary="Who was in an online event for how long, by its participant report")  # fmt: skip
async def read_report(
    request: Request, caller: Annotated[Allowed, Depends(_managed)], gathering_id: UUID, body: ReportWriting
) -> ReportView:
    async with unit_of(request, caller.actor) as unit:
        [one] = await gatherings.load(unit.connection, [gathering_id])
        report = reading(body.report.encode("utf-8", "replace"), one)
        least = body.minutes or usual_least(one.plan.starts, one.plan.ends)
        people = await compared(unit.connection, one, report, least)
        shown = [(found.registered.id, came(found, one)) for found in people
                 if found.registered and found.outcome == "new"]  # fmt: skip
        recorded = await commands.note_shown(unit, one.id, shown) if body.record else 0
    told = [ParticipantView(name=p.name, mail=p.mail, minutes=p.minutes, first=p.first, outcome=p.outcome,
                            registration_id=p.registered.id if p.registered else None) for p in people]  # fmt: skip
    return ReportView(minutes=least, people=told, unread_rows=report.unread, other_day=report.other_day,
                      recorded=recorded)  # fmt: skip
