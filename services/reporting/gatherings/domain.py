"""How facts about gatherings and registrations become dated rows: what was held when, who had a place, who came.

Pure. A step counts from its day on; a change of the plan tells the whole plan anew.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.reporting.register.domain import NOTHING, Timeline, Value, holding
from shared.postgres.values import day_in


class GatheringFact(NamedTuple):
    """A fact about one gathering; `data` is what it says of the plan."""

    gathering_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime
    data: dict[str, Any]


class RegistrationFact(NamedTuple):
    """A fact about one registration; `price_group` is told by the confirmation."""

    registration_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime
    gathering_id: UUID
    organization_id: UUID | None
    price_group: str | None


STATUS_AFTER = {
    "GatheringPublished": "published", "GatheringPostponed": "postponed", "GatheringCancelled": "cancelled",
    "GatheringHeld": "held",
}  # fmt: skip
PLACE_AFTER = {
    "RegistrationConfirmed": "confirmed", "RegistrationWaitlisted": "waiting", "PlaceOffered": "offered",
    "PlaceOfferLapsed": "lapsed", "RegistrationCancelled": "cancelled",
}  # fmt: skip


def after_gathering(timeline: Timeline, fact: GatheringFact) -> Timeline:
    """How it stands from each day on; a value is (host, kind, mode, state, status, day)."""
    host, kind, mode, state, status, day = timeline[-1].value if timeline else _PLAIN
    if fact.type in ("GatheringPublished", "GatheringChanged"):
        kind, mode = fact.data["kind"], fact.data["mode"]
        state = f"{fact.data['country']}-{fact.data['state']}" if fact.data.get("state") else None
        day = day_in(fact.data["zone"], datetime.fromisoformat(fact.data["starts"]))
        host = UUID(fact.data["cluster_id"]) if fact.data.get("cluster_id") else host
    elif fact.type == "GatheringPostponed":
        starts = fact.data.get("starts")
        day = day_in(fact.data["zone"], datetime.fromisoformat(starts)) if starts else None
    if not timeline and fact.type != "GatheringPublished":
        return NOTHING  # it cannot be placed before it was published
    status = "published" if fact.type == "GatheringPostponed" and day else STATUS_AFTER.get(fact.type, status)
    return _from(timeline, fact.effective, (host, kind, mode, state, status, day))


_PLAIN: Value = (None, "", "", None, "published", None)


def after_registration(timeline: Timeline, fact: RegistrationFact) -> Timeline:
    """How a place stands from each day on; a value is (gathering, organisation, price group, status, attended)."""
    group, status, attended = timeline[-1].value[2:] if timeline else (None, "confirmed", False)
    status = PLACE_AFTER.get(fact.type, status)
    attended = {"AttendanceRecorded": True, "AttendanceWithdrawn": False}.get(fact.type, attended)
    group = fact.price_group or group
    return _from(timeline, fact.effective, (fact.gathering_id, fact.organization_id, group, status, attended))


def with_zones(facts: Iterable[GatheringFact]) -> list[GatheringFact]:
    """The same, by version; a postponement says no zone: it is that of the plan before."""
    zone = "UTC"
    found = []
    for fact in sorted(facts, key=lambda one: one.version):
        zone = fact.data.get("zone", zone)
        found.append(fact._replace(data={**fact.data, "zone": zone}))
    return found


def _from(timeline: Timeline, day: date | None, value: Value) -> Timeline:
    """From that day on, or from that of the step before: what was entered late does not go back behind it."""
    if timeline and day is not None and timeline[-1].since is not None:
        day = max(day, timeline[-1].since)
    return holding(timeline, day, value)
