"""What the rules of this service hand back: facts with the day they count from.

Pure. Every aggregate's version rises by one per fact, so that facts are numbered without a gap.
"""

from datetime import date
from typing import NamedTuple

from shared.contracts.base import Fact


class Decided(NamedTuple):
    """A fact that a rule decided on, and the day from which it counts."""

    fact: Fact
    effective: date
