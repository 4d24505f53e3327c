"""Facts that the service reporting publishes: the figures each time one of them moves, and alerts about figures.

A figure is addressed by indicator and scope; a scope is the network or one cluster.
"""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import StringConstraints

from shared.contracts.base import Fact

Indicator = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,59}$")]
"""The code of an indicator, e.g. "members"."""


class IndicatorChanged(Fact):
    """The value of an indicator in a scope, as of `as_of` and as known at the record's time.

    `cluster_id` is None for the whole network. `previous` is None the first time.
    """

    SERVICE: ClassVar[str] = "reporting"
    AGGREGATE: ClassVar[str] = "indicator"

    indicator: Indicator
    scope: Literal["network", "cluster"]
    cluster_id: UUID | None
    as_of: date
    value: int
    previous: int | None


Measure = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,14}([.][0-9])?$")]
"""A value or threshold as decimal text, e.g. "24" or "83.3"; an indicator may have one decimal."""


class _AlertFact(Fact):
    """`alert_id` is what somebody watches for: a figure `side` a `threshold`. `cluster_id` None: the whole network."""

    SERVICE: ClassVar[str] = "reporting"
    AGGREGATE: ClassVar[str] = "alert"

    alert_id: UUID
    indicator: Indicator
    cluster_id: UUID | None
    as_of: date
    side: Literal["below", "above"]
    threshold: Measure
    value: Measure


class AlertRaised(_AlertFact):
    """The figure has come to lie on that side. Told once, until it is back."""


class AlertCleared(_AlertFact):
    """It is back: the figure lies on that side no more."""
