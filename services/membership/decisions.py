"""What the rules of this service hand back: facts with the day they count from, and days in order.

Pure. Every aggregate's version rises by one per fact, so that facts are numbered without a gap.
"""

from datetime import date, timedelta
from typing import NamedTuple

from shared.contracts.base import Fact
from shared.refusal import Refusal


class Decided(NamedTuple):
    """A fact that a rule decided on, and the day from which it counts."""

    fact: Fact
    effective: date


class ChangedMeanwhile(Refusal):
    """Somebody else changed it since the caller read it (`If-Match`)."""

    status = 412


def still_at(version: int, expected: int | None) -> None:
    """Raises `ChangedMeanwhile` when the caller decided on another version than the present one."""
    if expected is not None and version != expected:
        raise ChangedMeanwhile(
            "it was changed meanwhile: version {version}, not {expected}",
            version=version,
            expected=expected,
            field="If-Match",
        )


def is_far_ahead(day: date, today: date) -> bool:
    """Whether a day that people wrote lies more than a year ahead: more often a slip of the pen than a plan."""
    return day - today > timedelta(days=366)
