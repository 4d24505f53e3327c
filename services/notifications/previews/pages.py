"""Every template with sample data, in both languages: title, text, and the mail as a mail program shows it."""

from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.notifications.preferences.domain import topic_of
from services.notifications.previews.domain import DOOR, MAIL_POLICY, sample
from services.notifications.subjects.domain import Subject
from services.notifications.subjects.views import render
from services.notifications.words import SUBJECTS
from shared.http.policy import Allowed, May
from shared.http.routes import Route
from shared.mail.attempt import Rendered
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("messages.preview")]
Language = Annotated[Literal["es", "en"], Query()]


@router.get("/messages/templates", response_class=HTMLResponse)
async def templates(
    request: Request, reader: Reader, subject: Annotated[Subject, Query()] = "welcome", language: Language = "es"
) -> Response:
    return pages.render(
        request, reader.viewer, "preview.html", subject=subject, shown=_shown(subject, language), speaks=language,
        subjects=[(code, SUBJECTS[code]) for code in get_args(Subject)], may_leave=topic_of(subject) is not None,
    )  # fmt: skip


@router.get("/messages/templates/{subject}", response_class=HTMLResponse)
async def as_mail(reader: Reader, subject: Subject, language: Language = "es") -> Response:
    """The HTML part alone, as it goes out."""
    return HTMLResponse(_shown(subject, language).html, headers={"Content-Security-Policy": MAIL_POLICY})


def _shown(subject: Subject, language: str) -> Rendered:
    leave = f"{DOOR}/unsubscribe/…" if topic_of(subject) else None
    return render(subject, language, sample(subject, language), leave=leave)
