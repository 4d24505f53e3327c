"""The times a figure speaks of, the scopes for which it is published, and which published figures have moved.

Pure. Every figure says as of which day it counts and as known on which instant, in words of both languages.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.catalogue.domain import PUBLISHED
from shared.refusal import Refusal

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

NETWORK = "network"
EVERYTHING = "all"


class NotADay(Refusal):
    """A day that is none, or lies outside the centuries that are kept."""


def day_named(text: str, field: str) -> date:
    """A calendar day written as 2026-03-31. Raises `NotADay`."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise NotADay("{text!r} is no day; write it as 2026-03-31", text=text[:40], field=field) from None
    if not 1900 <= day.year <= 2199:
        raise NotADay("{day} is not between 1900 and 2199", day=day, field=field)
    return day


def instant_named(text: str, field: str, zone: str) -> datetime:
    """An instant with its offset, or the last one of a day in the zone. Raises `NotADay`."""
    if len(text) <= 10:
        end = datetime.combine(day_named(text, field) + timedelta(days=1), time(), ZoneInfo(zone))
        return end.astimezone(UTC) - timedelta(microseconds=1)
    try:
        # a plus sign that was not escaped in an address arrives as a space
        instant = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise NotADay(
            "{text!r} is no instant; write it as 2026-03-31 or 2026-03-31T12:00:00Z", text=text[:40], field=field
        ) from None
    if instant.tzinfo is None:
        raise NotADay("an instant needs its offset, as in 2026-03-31T12:00:00-06:00", field=field)
    if not 1900 <= instant.year <= 2199:
        raise NotADay("the instant is not between 1900 and 2199", field=field)
    return instant.astimezone(UTC)


# --- figures that are published -------------------------------------------------------------------

SPACING = timedelta(seconds=1)
"""At most one publication of a figure in this time."""


class Figure(NamedTuple):
    """A figure as last published; `version` counts its publications."""

    indicator: str
    scope: str
    version: int
    value: int
    as_of: date
    changed_at: datetime


class Move(NamedTuple):
    """A figure to be published, with the value that was published before."""

    figure: Figure
    previous: int | None


def scope_of(cluster_id: UUID | None) -> str:
    """The name of a scope: "network" or "cluster:<id>"."""
    return NETWORK if cluster_id is None else f"cluster:{cluster_id}"


def cluster_of(scope: str) -> UUID | None:
    """The cluster of a scope, None for the network."""
    return None if scope == NETWORK else UUID(scope.removeprefix("cluster:"))


def too_early(figures: Sequence[Figure], now: datetime) -> set[str]:
    """Scopes with a figure that was published less than `SPACING` ago."""
    return {figure.scope for figure in figures if abs(now - figure.changed_at) < SPACING}


def moves(
    figures: Sequence[Figure], values: dict[tuple[str, str], int], scopes: set[str], as_of: date, now: datetime,
    codes: Sequence[str] = PUBLISHED["members"],
) -> list[Move]:  # fmt: skip
    """The figures of these scopes whose value moved. One that never was published and is 0 has not moved."""
    known = {(figure.indicator, figure.scope): figure for figure in figures}
    found = []
    for code in codes:
        for scope in sorted(scopes):
            value = values.get((code, scope), 0)
            old = known.get((code, scope))
            if value != (old.value if old else 0):
                version = old.version + 1 if old else 1
                found.append(Move(Figure(code, scope, version, value, as_of, now), old.value if old else None))
    return found
