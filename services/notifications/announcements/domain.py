"""Announcements: one text to every organisation of a segment, prepared by one and released by another. Pure.

Draft until it is held ready, which fixes to whom it goes; ready until another releases it; released until somebody
stops what has not gone out yet.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.contracts.notifications import AnnouncementPrepared, AnnouncementReleased, AnnouncementStopped
from shared.refusal import Conflict, NotFound, Refusal, Word
from shared.runtime.privacy import Personal, by_text

Status = Literal["draft", "ready", "released", "stopped"]
Language = Literal["es", "en"]
TITLE, BODY = 150, 10_000
"""Characters at most."""
AHEAD = timedelta(days=90)
"""How far ahead a sending may be set."""
PERSONAL = (
    Personal("announcement", ("title_es", "body_es", "title_en", "body_en"),
             by_text("concat_ws(' ', title_es, body_es, title_en, body_en)"), "values",
             "title_es = '', body_es = 'erased', title_en = '', body_en = ''"),
)  # fmt: skip
"""Whoever wrote may have named somebody."""


class NoSuchAnnouncement(NotFound):
    """No announcement has this id, or not for this caller."""


class NoSuchSegment(NotFound):
    """No segment of this id is known, or not for this caller."""


class NotInThisState(Conflict):
    """What is asked for does not follow from how the announcement stands."""


class Incomplete(Refusal):
    """Something that must be said is not."""


class NobodyToWriteTo(Refusal):
    """Nobody of the segment has an address."""


class NotByOneself(Refusal):
    """Who prepared it does not release it."""

    status = 403


@dataclass(frozen=True, slots=True)
class Writing:
    """What is written and when it goes out, None: as soon as it is released. An empty language is not sent."""

    title_es: str
    body_es: str
    title_en: str
    body_en: str
    acknowledge: bool = False
    send_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Whom a segment of the register held at `drawn_at`; `too_many` names none. `cluster_id` None: the network's."""

    segment_id: UUID
    cluster_id: UUID | None
    drawn_at: datetime
    organization_ids: tuple[UUID, ...]
    too_many: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement. `revision` counts its changes, `version` the facts that were told of it."""

    id: UUID
    cluster_id: UUID | None
    segment_id: UUID
    status: Status
    writing: Writing
    made_by: str
    made_at: datetime
    organization_ids: tuple[UUID, ...] = ()
    drawn_at: datetime | None = None
    prepared_by: str | None = None
    prepared_at: datetime | None = None
    released_by: str | None = None
    released_at: datetime | None = None
    stopped_by: str | None = None
    stopped_at: datetime | None = None
    revision: int = 1
    version: int = 0

    @property
    def languages(self) -> tuple[Language, ...]:
        """In which it is written: a title and a text."""
        both: tuple[Language, ...] = ("es", "en")
        return tuple(one for one in both if all(self.text(one)))

    def text(self, language: str) -> tuple[str, str]:
        """Title and text in a language."""
        one = self.writing
        return (one.title_es, one.body_es) if language == "es" else (one.title_en, one.body_en)

    def in_language(self, wanted: str) -> Language:
        """The language in which a reader of this one gets it."""
        found = self.languages
        return "en" if (wanted == "en" and "en" in found) or found == ("en",) else "es"

    def written(self, writing: Writing, segment_id: UUID, now: datetime) -> "Announcement":
        """After somebody wrote on: a draft again, whoever had held it ready. Raises `NotInThisState`, `Incomplete`."""
        self._require("draft", "ready")
        check(writing, now)
        return replace(self, writing=writing, segment_id=segment_id, status="draft", prepared_by=None,
                       prepared_at=None, organization_ids=(), drawn_at=None, revision=self.revision + 1)  # fmt: skip

    def prepared(self, segment: Segment, by: str, now: datetime) -> tuple["Announcement", AnnouncementPrepared]:
        """Held ready for another, for whom the segment held.

        Raises `NotInThisState`, `Incomplete`, `NobodyToWriteTo`.
        """
        self._require("draft")
        check(self.writing, now)
        if not self.languages:
            raise Incomplete("write a title and a text in one language at least", field="title_es")
        if segment.too_many:
            raise NobodyToWriteTo("this segment holds more than 10,000 organisations: narrow it", field="segment_id")
        if not segment.organization_ids:
            raise NobodyToWriteTo("this segment holds no organisation", field="segment_id")
        after = replace(self, status="ready", prepared_by=by, prepared_at=now, drawn_at=segment.drawn_at,
                        organization_ids=segment.organization_ids, revision=self.revision + 1,
                        version=self.version + 1)  # fmt: skip
        return after, AnnouncementPrepared(
            announcement_id=self.id, cluster_id=self.cluster_id, segment_id=self.segment_id,
            organizations=len(after.organization_ids),
        )  # fmt: skip

    def released(self, by: str, people: int, now: datetime) -> tuple["Announcement", AnnouncementReleased]:
        """Let go. Raises `NotInThisState`, `NotByOneself`, `NobodyToWriteTo`."""
        self._require("ready")
        if by == self.prepared_by:
            raise NotByOneself("who prepared this does not release it: ask another")
        if not people:
            raise NobodyToWriteTo("nobody of this segment has a mail address", field="segment_id")
        after = replace(self, status="released", released_by=by, released_at=now, revision=self.revision + 1,
                        version=self.version + 1)  # fmt: skip
        return after, AnnouncementReleased(
            announcement_id=self.id, cluster_id=self.cluster_id, segment_id=self.segment_id,
            organizations=len(self.organization_ids), people=people, send_at=self.goes_out(now),
        )  # fmt: skip

    def stopped(self, by: str, left: int, now: datetime) -> tuple["Announcement", AnnouncementStopped]:
        """What has not gone out stays here. Raises `NotInThisState` where all of it has."""
        self._require("released")
        if not left:
            raise NotInThisState("all of it has gone out already")
        after = replace(self, status="stopped", stopped_by=by, stopped_at=now, revision=self.revision + 1,
                        version=self.version + 1)  # fmt: skip
        return after, AnnouncementStopped(
            announcement_id=self.id, cluster_id=self.cluster_id, segment_id=self.segment_id, stopped=left
        )

    def goes_out(self, released: datetime) -> datetime:
        """When the mails are due."""
        return max(released, self.writing.send_at or released)

    def _require(self, *those: Status) -> None:
        if self.status not in those:
            raise NotInThisState("this announcement is {state}", state=Word(self.status))


def check(writing: Writing, now: datetime) -> None:
    """Raises `Incomplete` where a text lacks its title or the other way round, or the day lies too far off."""
    for title, body, language in ((writing.title_es, writing.body_es, "es"), (writing.title_en, writing.body_en, "en")):
        if title and not body.strip():
            raise Incomplete("there is a title and no text in this language", field=f"body_{language}")
        if body.strip() and not title:
            raise Incomplete("there is a text and no title in this language", field=f"title_{language}")
    if writing.send_at is not None and writing.send_at > now + AHEAD:
        raise Incomplete("choose a day within the next 90 days", field="send_at")
