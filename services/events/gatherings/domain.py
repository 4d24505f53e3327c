"""Gatherings: what people attend, from the draft to the day after; what somebody pays for one, and why. Pure.

DOMAIN sections 2 and 7. A draft is nobody's business: facts begin with its publishing. `revision` counts every saving,
`sequence` what calendars must follow (RFC 5545).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from services.events.decisions import Decided
from shared.contracts.events import (
    GatheringCancelled,
    GatheringChanged,
    GatheringHeld,
    GatheringKind,
    GatheringPostponed,
    GatheringPublished,
    Mode,
    PriceGroup,
)
from shared.contracts.membership import Category
from shared.postgres.values import day_in, sort_key
from shared.refusal import Conflict, NotFound, Refusal, Word
from shared.runtime.privacy import Personal, by_text

Status = Literal["draft", "published", "postponed", "cancelled", "held"]
INTERNAL: frozenset[GatheringKind] = frozenset({"committee_meeting", "board_meeting", "annual_assembly"})
"""Kinds that only members see: meetings of who decides are no offer to the public."""
MOST_SESSIONS = 60
MOST_PRICES = 30
LOGGED = ("description", "summary", "speakers", "join_url")
"""Fields of which the change log says that they changed, not from what to what: long, or for who takes part only."""
PERSONAL = (
    Personal("gathering", ("speakers", "title", "summary", "description", "series"),
             by_text("concat_ws(' ', title, summary, description, speakers, series)"), "values",
             "speakers = 'erased', description = 'erased', summary = 'erased', title = 'erased', series = NULL"),
    Personal("gathering_session", ("speaker",), by_text("speaker"), "values", "speaker = 'erased'"),
)  # fmt: skip
"""Who speaks is published by the organiser; it goes when that person is erased."""


class NoSuchGathering(NotFound):
    """There is no gathering under this id or slug, or it is a draft that the caller may not see."""


class MalformedGathering(Refusal):
    """A gathering that could not be held as it is described."""


class NotADraft(Conflict):
    """It was published already."""


class NotPublished(Conflict):
    """It is a draft, or over: nothing of that kind can be done with it any more."""


class NotOver(Conflict):
    """It has not begun yet."""


class HostUnknown(Conflict):
    """The network or cluster that holds it is not known here yet."""


@dataclass(frozen=True, slots=True)
class Session:
    """A part of a gathering with its own time."""

    title: str
    starts: datetime
    ends: datetime
    place: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a group pays from a day on (None: from the beginning); `benefit` says why, e.g. for affiliates."""

    group: PriceGroup
    amount: Decimal
    category: Category | None = None
    since: date | None = None
    benefit: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an organiser writes about a gathering. `closes` None: registration closes when it starts.

    Gatherings of one host with the same `series` are editions of the same thing and are compared.
    """

    kind: GatheringKind
    title: str
    mode: Mode
    starts: datetime
    ends: datetime
    zone: str
    cluster_id: UUID | None = None
    summary: str = ""
    description: str = ""
    speakers: str = ""
    language: Literal["es", "en"] = "es"
    place: str | None = None
    country: str | None = None
    state: str | None = None
    join_url: str | None = None
    capacity: int | None = None
    waiting_list: bool = True
    accept_hours: int = 24
    closes: datetime | None = None
    currency: str = "MXN"
    series: str | None = None
    sessions: tuple[Session, ...] = ()
    prices: tuple[Tariff, ...] = ()


@dataclass(frozen=True, slots=True)
class Gathering:
    """A gathering as it is. `version` counts its facts (0: a draft), `revision` its savings."""

    id: UUID
    slug: str
    plan: Plan
    status: Status = "draft"
    network_id: UUID | None = None
    sequence: int = 0
    published_on: date | None = None
    changed_at: datetime | None = None
    version: int = 0
    revision: int = 1

    @property
    def closes(self) -> datetime:
        """When registration closes."""
        return self.plan.closes or self.plan.starts

    @property
    def is_open(self) -> bool:
        """Whether places are given at all; until when, `closes` says."""
        return self.status == "published"

    @property
    def is_internal(self) -> bool:
        """Whether only members see it."""
        return self.plan.kind in INTERNAL

    def today(self, now: datetime) -> date:
        """The day where it is held."""
        return day_in(self.plan.zone, now)


@dataclass(frozen=True, slots=True)
class Changed:
    """What a step made of a gathering: as it is, its fact if it has one, from what to what."""

    gathering: Gathering
    facts: tuple[Decided, ...] = ()
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)


def drafted(id_: UUID, plan: Plan, now: datetime, *, taken: Sequence[str] = ()) -> Gathering:
    """A new draft, under an address made of its title and year. Raises `MalformedGathering`."""
    checked(plan)
    return Gathering(id_, slug_of(plan, taken), plan, changed_at=now)


def published(one: Gathering, network_id: UUID | None, now: datetime, effective: date | None = None) -> Changed:
    """Everybody may see it and register. Raises `NotADraft`, `HostUnknown`, `MalformedGathering`.

    `effective` is for what is entered afterwards: the day on which it was announced, not after its beginning.
    """
    if one.status != "draft":
        raise NotADraft("it was published already", field="status")
    if network_id is None:
        raise HostUnknown("who holds it is not known here yet; try again in a moment", field="cluster_id")
    today = one.today(now)
    on = effective or min(today, one.today(one.plan.starts))
    if on > today or on > one.today(one.plan.starts):
        raise MalformedGathering("the day of publishing lies neither ahead nor after it starts", field="effective")
    plan = one.plan
    fact = GatheringPublished(
        gathering_id=one.id, network_id=network_id, cluster_id=plan.cluster_id, kind=plan.kind, mode=plan.mode,
        starts=plan.starts, ends=plan.ends, zone=plan.zone, capacity=plan.capacity, country=plan.country,
        state=plan.state,
    )  # fmt: skip
    after = replace(one, status="published", network_id=network_id, published_on=on, changed_at=now,
                    version=one.version + 1, revision=one.revision + 1)  # fmt: skip
    return Changed(after, (Decided(fact, on),), {"status": ("draft", "published")})


def changed(one: Gathering, plan: Plan, now: datetime) -> Changed:
    """Other words, places, times or prices. Raises `MalformedGathering`, `NotPublished`.

    The host stays who it is. Of a draft there is no fact; nothing at all happens when nothing differs.
    """
    if one.status not in ("draft", "published"):
        raise NotPublished("it is {status}: it cannot be changed any more", status=Word(one.status), field="status")
    checked(plan)
    if one.status != "draft" and plan.cluster_id != one.plan.cluster_id:
        raise MalformedGathering("who holds it does not change once it is published", field="cluster_id")
    differing = {
        f.name: (getattr(one.plan, f.name), getattr(plan, f.name))
        for f in fields(Plan)
        if getattr(one.plan, f.name) != getattr(plan, f.name)
    }
    if not differing:
        return Changed(one)
    logged = {
        name: ("…", "…") if name in LOGGED else (_told(old), _told(new)) for name, (old, new) in differing.items()
    }
    after = replace(one, plan=plan, changed_at=now, revision=one.revision + 1)
    if one.status == "draft":
        return Changed(after, (), logged)
    after = replace(after, sequence=one.sequence + 1, version=one.version + 1)
    fact = GatheringChanged(
        gathering_id=one.id, fields=sorted(differing), sequence=after.sequence, kind=plan.kind, mode=plan.mode,
        starts=plan.starts, ends=plan.ends, zone=plan.zone, capacity=plan.capacity, country=plan.country,
        state=plan.state,
    )  # fmt: skip
    return Changed(after, (Decided(fact, one.today(now)),), logged)


def postponed(one: Gathering, starts: datetime | None, ends: datetime | None, now: datetime) -> Changed:
    """It is held on another day, which may still have to be said. Raises `NotPublished`, `MalformedGathering`."""
    if one.status not in ("published", "postponed"):
        raise NotPublished("it is {status}: it cannot be postponed", status=Word(one.status), field="status")
    if (starts is None) != (ends is None):
        raise MalformedGathering("write both, when it starts and when it ends, or neither", field="ends")
    plan = one.plan
    if starts is not None and ends is not None:
        shift = starts - plan.starts
        sessions = tuple(replace(s, starts=s.starts + shift, ends=s.ends + shift) for s in plan.sessions)
        plan = replace(plan, starts=starts, ends=ends, sessions=sessions,
                       closes=plan.closes + shift if plan.closes else None)  # fmt: skip
        checked(plan)
        if starts <= now:
            raise MalformedGathering("the new day lies ahead", field="starts")
    after = replace(
        one, plan=plan, status="published" if starts is not None else "postponed", sequence=one.sequence + 1,
        changed_at=now, version=one.version + 1, revision=one.revision + 1,
    )  # fmt: skip
    fact = GatheringPostponed(gathering_id=one.id, sequence=after.sequence, starts=starts, ends=ends)
    logged = {"starts": (_told(one.plan.starts), _told(starts)), "status": (one.status, after.status)}
    return Changed(after, (Decided(fact, one.today(now)),), logged)


def cancelled(one: Gathering, now: datetime) -> Changed:
    """It is not held. Raises `NotPublished`."""
    if one.status not in ("published", "postponed"):
        raise NotPublished("it is {status}: it cannot be cancelled", status=Word(one.status), field="status")
    after = replace(one, status="cancelled", sequence=one.sequence + 1, changed_at=now, version=one.version + 1,
                    revision=one.revision + 1)  # fmt: skip
    fact = GatheringCancelled(gathering_id=one.id, sequence=after.sequence)
    return Changed(after, (Decided(fact, one.today(now)),), {"status": (one.status, "cancelled")})


def held(one: Gathering, now: datetime) -> Changed:
    """It took place; the day is that of its end, or today while it still goes on. Raises `NotPublished`, `NotOver`."""
    if one.status != "published":
        raise NotPublished("it is {status}: it was not held", status=Word(one.status), field="status")
    if now < one.plan.starts:
        raise NotOver("it has not begun yet", field="status")
    after = replace(one, status="held", changed_at=now, version=one.version + 1, revision=one.revision + 1)
    on = one.today(min(now, one.plan.ends))
    return Changed(after, (Decided(GatheringHeld(gathering_id=one.id), on),), {"status": (one.status, "held")})


def checked(plan: Plan) -> None:
    """Raises `MalformedGathering` at the field that is wrong."""
    if plan.ends <= plan.starts:
        raise MalformedGathering("it ends after it starts", field="ends")
    if (plan.ends - plan.starts).days > 366:
        raise MalformedGathering("it lasts a year at most", field="ends")
    if plan.closes is not None and plan.closes > plan.ends:
        raise MalformedGathering("registration closes before it ends", field="closes")
    if plan.mode != "online" and not plan.place:
        raise MalformedGathering("write where it is held", field="place")
    if len(plan.sessions) > MOST_SESSIONS:
        raise MalformedGathering("at most {most} sessions", most=MOST_SESSIONS, field="sessions")
    for one in plan.sessions:
        if not plan.starts <= one.starts < one.ends <= plan.ends:
            raise MalformedGathering("{title}: a session lies between beginning and end", title=one.title[:80],
                                     field="sessions")  # fmt: skip
    if len(plan.prices) > MOST_PRICES:
        raise MalformedGathering("at most {most} prices", most=MOST_PRICES, field="prices")
    kinds = [(one.group, one.category, one.since) for one in plan.prices]
    if len(set(kinds)) < len(kinds):
        raise MalformedGathering("a price is written twice", field="prices")
    if any(one.group == "public" and one.category is not None for one in plan.prices):
        raise MalformedGathering("the public has no category", field="prices")
    if plan.prices and not any(one.group == "public" for one in plan.prices):
        raise MalformedGathering("write what the public pays", field="prices")


def slug_of(plan: Plan, taken: Sequence[str] = ()) -> str:
    """An address that people can read: "Foro AIAG" in 2026 -> "foro-aiag-2026", then "foro-aiag-2026-2"."""
    words = re.sub(r"[^a-z0-9]+", "-", sort_key(plan.title).replace("\x7f", "")).strip("-")[:48].strip("-")
    year = str(day_in(plan.zone, plan.starts).year)
    base = "-".join(
        part for part in (words or plan.kind.replace("_", "-"), "" if words.endswith(year) else year) if part
    )
    number, slug = 1, base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def _told(value: Any) -> Any:
    if isinstance(value, tuple):
        return len(value)
    return value.isoformat() if isinstance(value, datetime) else value if value is None else str(value)
