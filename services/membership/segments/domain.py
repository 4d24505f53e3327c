"""Segments: filters of the register under a name. What they hold is asked anew, and told as it was drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from shared.contracts.membership import SegmentState
from shared.refusal import Conflict, NotFound, Refusal
from shared.runtime.privacy import Personal, by_text

PERSONAL = (
    Personal("segment", ("name", "filters"), by_text("concat_ws(' ', name, filters::text)"), "row"),
)  # fmt: skip
"""Whoever looked for somebody by name kept it in the filters."""
FILTERS = ("q", "cluster", "type", "position", "category", "standing")
"""What the register filters by, in the order of its address."""
AT_MOST = 10_000
"""Organisations that one record names; a segment of more is written to in parts."""


class NoSuchSegment(NotFound):
    """There is no segment of this id, or it is another cluster's."""


class NameTaken(Conflict):
    """A segment has this name already."""


class NoFilters(Refusal):
    """Everybody is no segment."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a cluster's staff, or of the network's where `cluster_id` is None."""

    id: UUID
    cluster_id: UUID | None
    name: str
    filters: Mapping[str, str]
    by: str
    at: datetime
    version: int = 0
    drawn_at: datetime | None = None
    organization_ids: tuple[UUID, ...] = ()

    def drawn(self, held: Sequence[UUID], now: datetime) -> "Segment":
        """The segment with whom it holds now. More than `AT_MOST` are kept, and not named outside."""
        return replace(self, organization_ids=tuple(held), drawn_at=now, version=self.version + 1)

    def published(self) -> SegmentState:
        """What other services are told: never its name, which may be somebody's."""
        too_many = len(self.organization_ids) > AT_MOST
        return SegmentState(
            segment_id=self.id, cluster_id=self.cluster_id, drawn_at=self.drawn_at or self.at, too_many=too_many,
            organization_ids=[] if too_many else list(self.organization_ids),
        )  # fmt: skip

    @property
    def address(self) -> str:
        """Its page of the register."""
        return f"/register?{urlencode(self.filters)}"


def chosen(given: Mapping[str, str]) -> dict[str, str]:
    """The filters among the parameters of an address. Raises `NoFilters`."""
    found = {name: given[name] for name in FILTERS if given.get(name)}
    if not found:
        raise NoFilters("filter the register first: everybody is no segment", field="filters")
    return found
