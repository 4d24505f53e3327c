"""Use cases of announcements: write, hold ready, release, stop, throw away; take note of one by a mail's key."""

from collections.abc import Sequence
from uuid import UUID

import orjson
import uuid_utils.compat as uuid_utils

from services.notifications.announcements import domain, store, views
from services.notifications.announcements.domain import (
    Announcement,
    NoSuchAnnouncement,
    NoSuchSegment,
    NotInThisState,
    Segment,
    Writing,
)
from services.notifications.announcements.views import Keyed
from services.notifications.answers import commands as answers
from services.notifications.logbook import store as logbook
from services.notifications.logbook.store import Line
from services.notifications.messages import commands as messages
from services.notifications.messages.domain import message_id
from shared.contracts.base import Fact
from shared.contracts.notifications import MessageNotSent
from shared.http.policy import Allowed
from shared.messaging.events import Event
from shared.messaging.outbox import Record, record
from shared.postgres.copies import erase, save
from shared.postgres.pool import Connection, Unit
from shared.versions import still_at


async def keep_segments(unit: Unit, events: Sequence[Event]) -> None:
    """Copies of segments: whom they held when they were drawn."""
    data = [event.data for event in events if event.data is not None]
    rows = [(s.segment_id, s.cluster_id, s.drawn_at, orjson.dumps(s.organization_ids).decode(), s.too_many)
            for s in data]  # fmt: skip
    await save(unit.connection, store.SAVE_SEGMENTS, rows)
    await erase(unit.connection, store.ERASE_SEGMENTS, [event.key_id for event in events if event.data is None])


async def write(unit: Unit, segment: Segment, writing: Writing) -> Announcement:
    """A new draft, in the name of the segment's cluster or of the network. Raises `Incomplete`."""
    domain.check(writing, unit.now)
    one = Announcement(
        uuid_utils.uuid7(), segment.cluster_id, segment.segment_id, "draft", writing, unit.actor, unit.now
    )
    await store.insert(unit.connection, one)
    return one


async def rewrite(unit: Unit, one: Announcement, segment: Segment, writing: Writing) -> Announcement:
    """Another text or segment; what was held ready is a draft again. Raises `NotInThisState`, `Incomplete`."""
    if segment.cluster_id != one.cluster_id:
        raise NoSuchSegment("this segment belongs to another cluster than the announcement", field="segment_id")
    return await _saved(unit, one.written(writing, segment.segment_id, unit.now))


async def prepare(unit: Unit, one: Announcement) -> Announcement:
    """Held ready for another. Raises `NotInThisState`, `Incomplete`, `NobodyToWriteTo`, `NoSuchSegment`."""
    after, fact = one.prepared(await segment_of(unit.connection, one.segment_id), unit.actor, unit.now)
    return await _saved(unit, after, fact)


async def release(unit: Unit, one: Announcement) -> Announcement:
    """The mails are due. Raises `NotInThisState`, `NotByOneself`, `NobodyToWriteTo`."""
    reached = await views.reached(unit.connection, one.organization_ids) if one.status == "ready" else []
    after, fact = one.released(unit.actor, len(reached), unit.now)
    rows = [(message_id(one.id, person), person, organization) for person, organization in reached]
    await logbook.hear(unit.connection, [Line(one.id, None, "announcement", None, None, one.cluster_id, unit.now)])
    await store.address(unit.connection, one, rows, now=unit.now, due=after.goes_out(unit.now), cause=unit.cause)
    return await _saved(unit, after, fact)


async def stop(unit: Unit, one: Announcement) -> Announcement:
    """What has not gone out does not. Raises `NotInThisState`."""
    left = await store.stop(unit.connection, one.id, unit.now) if one.status == "released" else []
    after, fact = one.stopped(unit.actor, len(left), unit.now)
    await messages.tell(unit, left, MessageNotSent, reason="stopped")
    return await _saved(unit, after, fact)


async def discard(unit: Unit, one: Announcement) -> None:
    """Throws away what did not go out. Raises `NotInThisState`."""
    if one.status not in ("draft", "ready"):
        raise NotInThisState("what was released is kept", field="announcement_id")
    await store.delete(unit.connection, one.id)


async def acknowledge(unit: Unit, key: UUID) -> Keyed:
    """The reader of a mail took note. Raises `NoSuchAnnouncement`."""
    found = await keyed(unit.connection, key)
    await answers.answer(unit, [found.message_id], "acknowledged")
    return found


async def keyed(connection: Connection, key: UUID) -> Keyed:
    """Whose key a mail's link holds. Raises `NoSuchAnnouncement`."""
    found = await views.by_key(connection, key)
    if found is None:
        raise NoSuchAnnouncement("this link belongs to nobody: nothing is kept any more of whom it was sent to",
                                 field="key")  # fmt: skip
    return found


async def found(unit: Unit, id_: UUID, expected: int | None = None) -> Announcement:
    """An announcement, locked. Raises `NoSuchAnnouncement`, `ChangedMeanwhile`."""
    one = await store.lock(unit.connection, id_)
    if one is None:
        raise NoSuchAnnouncement("there is no announcement {id}", id=id_, field="announcement_id")
    still_at(one.revision, expected)
    return one


async def segment_of(connection: Connection, id_: UUID) -> Segment:
    """A segment as known here. Raises `NoSuchSegment`."""
    segment = await store.segment(connection, id_)
    if segment is None:
        raise NoSuchSegment(
            "this segment is not known here: it was forgotten, or kept a moment ago", field="segment_id"
        )
    return segment


async def segment_within(connection: Connection, caller: Allowed, segment_id: UUID) -> Segment:
    """A segment within the caller's reach. Raises `NoSuchSegment`."""
    found = await segment_of(connection, segment_id)
    if not caller.covers(cluster=found.cluster_id):
        raise NoSuchSegment("this segment is not known here: it was forgotten, or kept a moment ago",
                            field="segment_id")  # fmt: skip
    return found


async def within(connection: Connection, caller: Allowed, announcement_id: UUID) -> Announcement:
    """An announcement within the caller's reach. Raises `NoSuchAnnouncement`, `NotYours`."""
    one = await store.load(connection, announcement_id)
    if one is None:
        raise NoSuchAnnouncement("there is no announcement {id}", id=announcement_id, field="announcement_id")
    caller.require(cluster=one.cluster_id)
    return one


async def _saved(unit: Unit, one: Announcement, fact: Fact | None = None) -> Announcement:
    await store.update(unit.connection, one)
    if fact is not None:
        await record(unit, [Record(str(one.id), one.version, fact)])
    return one
