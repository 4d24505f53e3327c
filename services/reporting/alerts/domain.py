"""Alerts: somebody watches a figure for a threshold. Raised once when it is passed, cleared once it is back. Pure."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from shared.contracts.reporting import AlertCleared, AlertRaised
from shared.refusal import NotFound
from shared.runtime.privacy import Personal, by_text

Side = Literal["below", "above"]
PERSONAL = (Personal("alert", ("label",), by_text("label"), "values", "label = 'erased'"),)
"""What an alert is called may name a person."""


class NoSuchAlert(NotFound):
    """No alert has this id, or not for this caller."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What is watched. `cluster_id` None: the whole network. `raised_at` None: the figure lies where it should."""

    id: UUID
    label: str
    indicator: str
    cluster_id: UUID | None
    side: Side
    threshold: Decimal
    made_by: str
    made_at: datetime
    raised_at: datetime | None = None
    value: Decimal | None = None
    seen_at: datetime | None = None
    version: int = 0

    def passed_by(self, value: Decimal) -> bool:
        """Whether a value lies on the watched side; the threshold itself does not."""
        return value < self.threshold if self.side == "below" else value > self.threshold


def judged(
    one: Alert, value: Decimal | None, as_of: date, now: datetime
) -> tuple[Alert, AlertRaised | AlertCleared | None]:
    """The alert after a look at its figure, and its fact if it changed. None says nothing: hidden, or not to be had."""
    if value is None:
        return one, None
    passed = one.passed_by(value)
    if passed == (one.raised_at is not None):
        return replace(one, value=value), None
    fact = (AlertRaised if passed else AlertCleared)(
        alert_id=one.id, indicator=one.indicator, cluster_id=one.cluster_id, as_of=as_of, side=one.side,
        threshold=told(one.threshold), value=told(value),
    )  # fmt: skip
    after = replace(one, raised_at=now if passed else None, seen_at=None, value=value, version=one.version + 1)
    return after, fact


def told(value: Decimal) -> str:
    """A value as facts tell it: "15", "83.3"."""
    rounded = value.quantize(Decimal("0.1"))
    return str(int(rounded)) if rounded == rounded.to_integral_value() else str(rounded)
