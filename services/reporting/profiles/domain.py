"""How facts about profiles become dated rows: the sectors that a company supplies, the certificates that it holds.

Pure. A description replaces the one before from its day on; the first one counts for all days before too, since a
company did not begin to do what it does by being asked. A certificate carries its own days.
"""

from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.reporting.register.domain import NOTHING, Segment, Timeline, ended


class ProfileFact(NamedTuple):
    """A fact about the profile of one organisation; `data` holds what its rows are made of."""

    organization_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime
    data: dict[str, Any]


def after_sectors(timeline: Timeline, fact: ProfileFact) -> Timeline:
    """The sectors of each day; several hold at once. A value is (sector,)."""
    if fact.type != "CapabilitiesDescribed":
        return timeline
    since = fact.effective if timeline else None
    sectors: list[str] = sorted(set(fact.data["sectors"]))
    kept = {segment.value: segment for segment in timeline if segment.until is None} if since else {}
    going_on = [kept[sector,] for sector in sectors if (sector,) in kept]
    before = ended(tuple(s for s in timeline if s not in going_on), since) if timeline else NOTHING
    new = [Segment(since, None, (sector,)) for sector in sectors if (sector,) not in kept]
    return (*before, *going_on, *new)


def after_certificates(timeline: Timeline, fact: ProfileFact) -> Timeline:
    """Each certificate on the days for which it was given. A value is (certificate, standard)."""
    if fact.type not in ("CertificateRecorded", "CertificateRemoved"):
        return timeline
    one = UUID(str(fact.data["certificate_id"]))
    others = tuple(segment for segment in timeline if segment.value[0] != one)
    if fact.type == "CertificateRemoved":
        return others
    since, until = (date.fromisoformat(str(fact.data[name])) for name in ("since", "until"))
    return (*others, Segment(since, until, (one, fact.data["standard"]))) if since < until else others
