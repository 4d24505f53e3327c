"""What the pages of announcements share: callers, words, the names of who did what."""

from collections.abc import Iterable
from typing import Annotated

from services.notifications.announcements.domain import Announcement, Status
from services.notifications.subjects.views import Announcement as Told
from services.notifications.subjects.views import Known, blocks, render
from shared.http.policy import Allowed, May, Sees
from shared.mail.attempt import Rendered
from shared.postgres.pool import Connection
from shared.web.language import mark
from shared.web.shell import pages_of

pages = pages_of("services.notifications.announcements.pages")

Reader = Annotated[Allowed, May("announcements.read")]
Preparing = Annotated[Allowed, May("announcements.prepare")]
Releasing = Annotated[Allowed, May("announcements.release")]
MayPrepare = Annotated[Allowed, Sees("announcements.prepare")]
MayRelease = Annotated[Allowed, Sees("announcements.release")]

NAMES = "SELECT subject_id::text AS id, name FROM access_copy WHERE subject_id::text = ANY ($1::text[])"
STATUS: dict[Status, tuple[str, str]] = {
    "draft": (mark("draft"), "plain"),
    "ready": (mark("ready to be sent"), "warn"),
    "released": (mark("released"), "good"),
    "stopped": (mark("stopped"), "bad"),
}
"""How an announcement stands, in words, with the tone of its chip."""


async def names_of(connection: Connection, found: Iterable[Announcement]) -> dict[str, str]:
    """What they are called who made, prepared, released or stopped these."""
    actors = {by for one in found for by in (one.made_by, one.prepared_by, one.released_by, one.stopped_by) if by}
    return {row["id"]: row["name"] for row in await connection.fetch(NAMES, sorted(actors))}


def as_mail(one: Announcement, language: str, *, cluster: str, page: str | None) -> Rendered:
    """The mail in a language, to an invented reader."""
    title, body = one.text(language)
    told = Told(title or "–", blocks(body), page, asks=one.writing.acknowledge)
    known = Known("Lucía Montes Ferrer", "Inyectora Tres Cerros", cluster, "associate", one.made_at.date(),
                  announcement=told)  # fmt: skip
    return render("announcement", language, known, leave=f"{page}/…" if page else None)
