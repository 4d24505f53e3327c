"""Segments: filters of the register under a name. What they hold is asked anew each time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from shared.refusal import Conflict, NotFound, Refusal
from shared.runtime.privacy import Personal, by_text

PERSONAL = (
    Personal("segment", ("name", "filters"), by_text("concat_ws(' ', name, filters::text)"), "row"),
)  # fmt: skip
"""Whoever looked for somebody by name kept it in the filters."""
FILTERS = ("q", "cluster", "type", "position", "category", "standing")
"""What the register filters by, in the order of its address."""


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
