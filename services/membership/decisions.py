"""What the rules of this service hand back: facts with the day they count from, and days in order.

Pure. Every aggregate's version rises by one per fact, so that facts are numbered without a gap.
"""

from datetime import date, timedelta
from typing import NamedTuple

from shared.contracts.base import Fact
from shared.versions import ChangedMeanwhile, still_at

__all__ = ["ChangedMeanwhile", "Decided", "is_far_ahead", "still_at"]


class Decided(NamedTuple):
    """A fact that a rule decided on, and the day from which it counts."""

    fact: Fact
    effective: date


def is_far_ahead(day: date, today: date) -> bool:
    """Whether a day that people wrote lies more than a year ahead: more often a slip of the pen than a plan."""
    return day - today > timedelta(days=366)
