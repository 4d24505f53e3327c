"""What time brings about, declared as data: a `Job` says what a day or a stretch of time means for a service.

Pure but for what the job itself does: which turn is due, which follows, how long a failed one waits. The runner
(shared.runtime.job_runner) works them, one replica at a time.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from shared.postgres.pool import Connection, Unit
from shared.postgres.values import day_in

if TYPE_CHECKING:
    from shared.runtime.service import Service

ONE_DAY = timedelta(days=1)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(slots=True)
class Turn:
    """One chunk of a job's work: `day` in `zone`, from `resume` on (None: from the beginning).

    `now` is the present, which lies after `day` when a missed day is caught up; facts take their effective day
    from `day`. `count` notes what was done, for `cumulo jobs`; what a chunk noted is lost with it.
    """

    service: "Service"
    day: date
    zone: str
    resume: JsonValue
    now: datetime
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, more: int = 1) -> None:
        """Notes that so much more was done, e.g. `count("memberships lapsed", 12)`."""
        if more:
            self.counts[what] = self.counts.get(what, 0) + more


Chunk = Callable[[Unit, Turn], Awaitable[JsonValue]]
Apart = Callable[[Turn], Awaitable[JsonValue]]
Zones = Callable[[Connection], Awaitable[Iterable[str]]]


@dataclass(frozen=True, slots=True)
class Job:
    """What time brings about. Exactly one of `chunk` and `apart` does a piece of it.

    `chunk` works in the transaction that also keeps the place it returns; None: the turn is done. `apart` is for
    what is not one transaction (a broker, a file store): it makes its own, and may run again from the same place.
    Either must find nothing to do where it has been: what is due by `day` and not done, never "what day it is".

    `every` "day": a turn for each day of each zone, from `at` on; `zones` names the zones of those concerned
    (None: the network's). With `each_day` missed days are worked one by one, else only the newest counts.
    `every` a length of time: a turn when so much has passed since the last.
    """

    name: str
    every: timedelta | Literal["day"] = "day"
    chunk: Chunk | None = None
    apart: Apart | None = None
    zones: Zones | None = None
    at: time = time(0)
    each_day: bool = True

    def __post_init__(self) -> None:
        if (self.chunk is None) == (self.apart is None):
            raise ValueError(f"{self.name}: one of chunk and apart")
        if self.every != "day" and self.zones is not None:
            raise ValueError(f"{self.name}: only days have zones")

    def begins(self, day: date, zone: str) -> datetime:
        """The instant from which a day's turn may be worked."""
        return datetime.combine(day, self.at, ZoneInfo(zone)).astimezone(UTC)

    def newest(self, zone: str, now: datetime) -> date:
        """The last day whose turn may be worked."""
        today = day_in(zone, now)
        return today if self.begins(today, zone) <= now else today - ONE_DAY


class Place(NamedTuple):
    """How far a job is in a zone."""

    day: date
    due: datetime
    resume: JsonValue = None
    counts: Mapping[str, int] = {}


class Ran(NamedTuple):
    """What became of one turn. `error` is None when it was done to its end or the service stopped midway."""

    job: str
    zone: str
    day: date
    done: bool
    counts: dict[str, int]
    error: str | None = None


def first_place(job: Job, zone: str, now: datetime) -> Place:
    """Where a job begins that has never run: with today, or after the first stretch of its time."""
    today = day_in(zone, now)
    return Place(today, job.begins(today, zone) if job.every == "day" else now + job.every)


def due_place(job: Job, zone: str, place: Place, now: datetime) -> Place | None:
    """The turn that may be worked now; None when none may.

    A place further ahead than it can be was written under a clock that was wrong, and counts for nothing.
    """
    if job.every != "day":
        if now < place.due <= now + job.every:
            return None
        return place if place.resume is not None else place._replace(day=day_in(zone, now))
    newest = job.newest(zone, now)
    if place.day == newest + ONE_DAY:
        return None
    if place.day > newest or (place.day < newest and not job.each_day):
        return Place(newest, now)
    return place


def following(job: Job, zone: str, day: date, now: datetime) -> Place:
    """The place after a turn that is done."""
    if job.every != "day":
        return Place(day, now + job.every)
    return Place(day + ONE_DAY, job.begins(day + ONE_DAY, zone))


def retry_after(failures: int) -> timedelta:
    """How long a job waits that failed, `failures` times in a row before this one: 30 seconds to an hour."""
    return min(timedelta(seconds=30 * 2 ** min(failures, 10)), LONGEST_WAIT)
