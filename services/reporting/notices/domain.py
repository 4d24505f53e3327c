"""How facts about messages become dated rows: which were sent on which day, and whether their reader answered. Pure."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from services.reporting.register.domain import NOTHING, Timeline, holding


class MessageFact(NamedTuple):
    """A fact about one message."""

    message_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime
    organization_id: UUID | None
    cluster_id: UUID | None
    subject: str


def after_message(timeline: Timeline, fact: MessageFact) -> Timeline:
    """How it stands from each day on; a value is (organisation, cluster, subject, day of sending, answered)."""
    day, answered = timeline[-1].value[3:] if timeline else (None, False)
    if fact.type == "MessageSent":
        day = day or fact.effective
    elif fact.type == "MessageAnswered":
        answered = True
    elif not timeline:
        return NOTHING  # what was never sent counts nowhere
    since = fact.effective
    if timeline and since is not None and timeline[-1].since is not None:
        since = max(since, timeline[-1].since)
    return holding(timeline, since, (fact.organization_id, fact.cluster_id, fact.subject, day, answered))
