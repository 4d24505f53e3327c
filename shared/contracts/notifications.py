"""Facts that the service notifications publishes: what became of each message, and announcements that went out.

Nobody is named: a message is told by its subject and by the organisation and cluster that it concerned.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Fact

MessageSubject = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""What a message is about, e.g. "welcome", "registered", "announcement"."""


class _MessageFact(Fact):
    """A message to one person. `organization_id` and `cluster_id` are None where it concerned none."""

    SERVICE: ClassVar[str] = "notifications"
    AGGREGATE: ClassVar[str] = "message"

    message_id: UUID
    subject: MessageSubject
    organization_id: UUID | None
    cluster_id: UUID | None


class MessageSent(_MessageFact):
    """The mail server took it, at the `attempts`-th attempt."""

    attempts: Annotated[int, Field(ge=1)]


class MessageNotSent(_MessageFact):
    """It is not sent any more. A person may have it sent again, which then is told.

    `refused` by the mail server, `suppressed` since the address refused before, `muted` by its reader, `stopped` with
    its announcement, `gone` where nobody or nothing is left to write about.
    """

    reason: Literal["refused", "suppressed", "muted", "stopped", "gone"]


class MessageAnswered(_MessageFact):
    """Its reader read it on the page, or said that they had taken note; each is told once at most."""

    how: Literal["read", "acknowledged"]


class _AnnouncementFact(Fact):
    """An announcement to the organisations that a segment of the register held. `cluster_id` None: the network's."""

    SERVICE: ClassVar[str] = "notifications"
    AGGREGATE: ClassVar[str] = "announcement"

    announcement_id: UUID
    cluster_id: UUID | None
    segment_id: UUID


class AnnouncementPrepared(_AnnouncementFact):
    """Somebody holds it ready for another to release."""

    organizations: Annotated[int, Field(ge=0)]


class AnnouncementReleased(_AnnouncementFact):
    """Another than who prepared it has released it; the mails go out from `send_at` on."""

    organizations: Annotated[int, Field(ge=0)]
    people: Annotated[int, Field(ge=1)]
    send_at: datetime


class AnnouncementStopped(_AnnouncementFact):
    """It was stopped: `stopped` mails stay unsent."""

    stopped: Annotated[int, Field(ge=0)]
