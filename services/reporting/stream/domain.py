"""What one listener of the stream still has to get: the newest value per figure, at most one a second of each.

Pure; time is passed in. What waits is bounded by the number of figures, so that a slow listener costs
nothing and gets the newest values when it reads again.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import orjson

SPACING_SECONDS = 1.0
"""At most one value of a figure in this time."""


class Moved(NamedTuple):
    """A published value of a figure; `sequence` is its place in the history."""

    sequence: int
    indicator: str
    cluster_id: UUID | None
    as_of: str
    value: int
    previous: int | None
    version: int
    time: str

    @property
    def figure(self) -> tuple[str, UUID | None]:
        """Which figure it is."""
        return self.indicator, self.cluster_id

    def shown(self) -> dict[str, Any]:
        """As a listener gets it."""
        return {
            "indicator": self.indicator,
            "scope": "cluster" if self.cluster_id else "network",
            "cluster_id": self.cluster_id,
            "as_of": self.as_of,
            "value": self.value,
            "previous": self.previous,
            "version": self.version,
            "time": self.time,
        }


class Wanted(NamedTuple):
    """What a listener asked for; None: all."""

    indicator: str | None
    cluster: UUID | None

    def includes(self, indicator: str, cluster_id: UUID | None) -> bool:
        """Whether a figure is for this listener."""
        return self.indicator in (None, indicator) and self.cluster in (None, cluster_id)


@dataclass(slots=True)
class Pending:
    """The values that wait for one listener, the newest of each figure."""

    wanted: Wanted
    _waiting: dict[tuple[str, UUID | None], Moved] = field(default_factory=dict)
    _sent_at: dict[tuple[str, UUID | None], float] = field(default_factory=dict)

    def add(self, moved: Moved) -> bool:
        """Takes a value in, in the place of an older one of its figure. Returns whether the listener wants it."""
        if not self.wanted.includes(moved.indicator, moved.cluster_id):
            return False
        self._waiting[moved.figure] = moved
        return True

    def forget(self, upto: int) -> None:
        """Drops what the listener already has."""
        self._waiting = {figure: moved for figure, moved in self._waiting.items() if moved.sequence > upto}

    def wait(self, now: float) -> float | None:
        """Seconds until what waits may go out; None when nothing waits."""
        if not self._waiting:
            return None
        never = now - SPACING_SECONDS
        latest = max(self._sent_at.get(figure, never) for figure in self._waiting)
        return max(latest + SPACING_SECONDS - now, 0.0)

    def take(self, now: float) -> list[Moved]:
        """All that waits, by sequence, so that the id of each covers everything before it."""
        moved = sorted(self._waiting.values())
        self._waiting.clear()
        for one in moved:
            self._sent_at[one.figure] = now
        return moved


def message(event: str, id_: int, data: Any) -> bytes:
    """One message of the stream, as Server-Sent Events write it."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (id_, event.encode(), orjson.dumps(data))
