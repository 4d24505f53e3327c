"""Whose registration a participant of a report is, for how long they were there, and what is to become of them.

Pure. Several joins of one person are added up, overlapping ones count once; matched by mail, then by name; what only
resembles is left to a person.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.events.reports.domain.reading import Join
from shared.contracts.events import RegistrationStatus
from shared.postgres.values import normalised_name

Outcome = Literal["new", "similar", "seen", "short", "no_place", "unclear", "unknown"]
"""`new`: is to be noted; `similar`: a person decides, the names only resemble; `unclear`: two are registered so."""

Certainty = Literal["sure", "similar", "unclear", "none"]


@dataclass(frozen=True, slots=True)
class Registered:
    """Somebody who is or was registered; `seen`: their attendance is noted already."""

    id: UUID
    name: str
    mail: str
    status: RegistrationStatus
    seen: bool


@dataclass(frozen=True, slots=True)
class Participant:
    """One person of the report: minutes in all, when they came first, whose registration it is."""

    name: str
    mail: str | None
    minutes: int
    first: datetime | None
    registered: Registered | None
    outcome: Outcome


def matched(joins: Sequence[Join], registered: Sequence[Registered], least: int) -> list[Participant]:
    """Each person once, with what is to become of them; at least `least` minutes count."""
    by_mail = {one.mail.casefold(): one for one in registered}
    by_name: dict[str, list[Registered]] = defaultdict(list)
    for one in registered:
        by_name[normalised_name(one.name)].append(one)
    tokens = [(one, set(normalised_name(one.name).split())) for one in registered]
    found: dict[tuple[str, str | None], tuple[Registered | None, Certainty]] = {}
    groups: dict[object, list[Join]] = defaultdict(list)
    how: dict[object, tuple[Registered | None, Certainty]] = {}
    for join in joins:
        who = (join.name, join.mail)
        if who not in found:
            found[who] = _whose(join, by_mail, by_name, tokens)
        registration, certainty = found[who]
        # whom nobody registered is one person by mail, without one by name
        key: object = (registration.id, certainty == "similar") if registration else (
            join.mail or normalised_name(_called(join.name))
        )  # fmt: skip
        groups[key].append(join)
        how[key] = (registration, certainty)
    surely = {key[0] for key in groups if isinstance(key, tuple) and not key[1]}
    made = []
    for key, mine in groups.items():
        registration, certainty = how[key]
        if registration and certainty == "similar" and registration.id in surely:
            registration, certainty = None, "none"  # that one was there under their own name
        minutes = _seconds(mine) // 60
        first = min((join.start for join in mine if join.start), default=None)
        named = max(mine, key=lambda join: join.mail is not None)
        made.append(Participant(named.name, named.mail, minutes, first, registration,
                                _outcome(registration, certainty, minutes, least)))  # fmt: skip
    order = {outcome: number for number, outcome in enumerate(("new", "similar", "unclear", "no_place", "unknown",
                                                               "short", "seen"))}  # fmt: skip
    return sorted(made, key=lambda one: (order[one.outcome], normalised_name(one.name)))


def usual_least(starts: datetime, ends: datetime) -> int:
    """The minutes that count unless somebody says otherwise: half of it, from 1 to 60."""
    return max(1, min(60, int((ends - starts).total_seconds() // 120)))


def _whose(
    join: Join, by_mail: dict[str, Registered], by_name: dict[str, list[Registered]],
    tokens: Sequence[tuple[Registered, set[str]]],
) -> tuple[Registered | None, Certainty]:  # fmt: skip
    if join.mail and (one := by_mail.get(join.mail.casefold())):
        return one, "sure"
    name = normalised_name(_called(join.name))
    named = by_name.get(name, [])
    alive = [one for one in named if one.status in ("confirmed", "offered")] or named
    if len(alive) == 1:
        return alive[0], "sure"
    if alive:
        return None, "unclear"
    mine = set(name.split())
    if len(mine) > 1:
        like = [one for one, theirs in tokens if len(theirs) > 1 and (mine <= theirs or theirs <= mine)]
        if len(like) == 1:
            return like[0], "similar"
    return None, "none"


def _outcome(registered: Registered | None, certainty: Certainty, minutes: int, least: int) -> Outcome:
    if registered is None:
        return "unclear" if certainty == "unclear" else "unknown"
    if registered.seen:
        return "seen"
    if minutes < least:
        return "short"
    if registered.status not in ("confirmed", "offered"):
        return "no_place"
    return "similar" if certainty == "similar" else "new"


def _called(name: str) -> str:
    """A name without what people add to it: "Ana Ruiz (Moldes Sur)", "Ana Ruiz - Moldes Sur", "Ana Ruiz | MS"."""
    plain = re.sub(r"\([^)]*\)", " ", name)
    return re.split(r"\s[-–—]\s|[|/]", plain)[0].strip() or name


def _seconds(joins: Sequence[Join]) -> int:
    """Time in the meeting: what the program counted, but no second twice where two devices were there at once."""
    spans = sorted((join.start, join.end) for join in joins if join.start and join.end and join.end > join.start)
    union = 0.0
    until: datetime | None = None
    for start, end in spans:
        begin = start if until is None or start > until else until
        if end > begin:
            union += (end - begin).total_seconds()
            until = end
    counted = sum(
        join.seconds if join.seconds is not None
        else int((join.end - join.start).total_seconds()) if join.start and join.end else 0
        for join in joins
    )  # fmt: skip
    return min(counted, int(union) + 59) if len(spans) == len(joins) else counted
