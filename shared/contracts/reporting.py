"""Facts that the service reporting publishes: the figures, each time one of them moves.

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
