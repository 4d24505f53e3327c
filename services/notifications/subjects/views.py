"""A message as people read it: title, text and HTML in Spanish or English, from the subject's templates.

Names are escaped in the HTML and kept to one line everywhere; styles are written into the elements,
because mail programs ignore style sheets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import css_inline
from babel.dates import format_date, format_datetime, get_timezone, get_timezone_name
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from shared.mail.attempt import Rendered

CATEGORIES = {
    "es": {"associate": "asociado", "affiliate": "afiliado", "honorary": "socio honorario"},
    "en": {"associate": "associate", "affiliate": "affiliate", "honorary": "honorary member"},
}
LEAVE = {"es": "No recibir más correos de este tipo", "en": "No more mails of this kind"}
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """What somebody wrote, and for whom they speak."""

    sender: str
    organization: str
    message: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What ends: its standard as people write it, and who issued it; `page` is where a new one is entered."""

    standard: str
    body: str
    page: str | None


class Piece(NamedTuple):
    """Some words of a line; `link` where they are an address."""

    words: str
    link: str | None = None


class Block(NamedTuple):
    """A paragraph with its lines, or a list with its entries."""

    kind: Literal["paragraph", "list"]
    lines: list[list[Piece]]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What somebody wrote to all; `page` shows it and, where it `asks`, takes the answer that it was noted."""

    title: str
    blocks: Sequence[Block]
    page: str | None
    asks: bool


@dataclass(frozen=True, slots=True)
class Gathering:
    """What is told of a gathering. `starts` is None while a new day is to be said; addresses where there is a door."""

    title: str
    starts: datetime | None
    ends: datetime | None
    zone: str
    place: str | None
    join: str | None
    page: str | None
    ticket: str | None
    price: str | None
    until: datetime | None
    subject: str


TEMPLATES = {
    **dict.fromkeys(("application", "approved", "refused"), "application"),
    **dict.fromkeys(("registered", "waiting", "offered", "offer_lapsed", "unregistered", "changed", "postponed",
                     "cancelled", "reminder_week", "reminder_day"), "gathering"),
}  # fmt: skip
"""Subjects that share a template, which tells them apart by `subject`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a template may say. `begins_later`: the day lies ahead; `answered`: an answer to the mail is read."""

    person: str
    organization: str
    cluster: str
    category: str
    effective: date
    begins_later: bool = False
    answered: bool = False
    contact: Contact | None = None
    gathering: Gathering | None = None
    certificate: Certificate | None = None
    announcement: Announcement | None = None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("services.notifications.subjects", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(subject: str, language: str, kind: str) -> Template:
    return _environment().get_template(f"{TEMPLATES.get(subject, subject)}.{language}.{kind}")


def render(subject: str, language: str, known: Known, *, leave: str | None = None) -> Rendered:
    """A subject's message. The text's first line is the title; `leave` is where its reader turns such mails off."""
    words: dict[str, Any] = {
        "person": _line(known.person),
        "organization": _line(known.organization),
        "cluster": _line(known.cluster),
        "category": CATEGORIES[language].get(known.category, known.category),
        "effective": format_date(known.effective, format="long", locale=language),
        "begins_later": known.begins_later,
        "answered": known.answered,
    }
    if known.contact is not None:
        words["sender"] = _line(known.contact.sender)
        words["sender_organization"] = _line(known.contact.organization)
        words["lines"] = [_line(line) for line in known.contact.message.split("\n")]
    if known.certificate is not None:
        words |= {"standard": _line(known.certificate.standard), "body": _line(known.certificate.body),
                  "page": known.certificate.page}  # fmt: skip
    if (told := known.announcement) is not None:
        words |= {"what": _line(told.title), "blocks": told.blocks, "page": told.page, "asks": told.asks}
    words["subject"] = subject
    words["leave"], words["leave_words"] = leave, LEAVE[language]
    if (one := known.gathering) is not None:
        words |= {"what": _line(one.title), "when": _when(one, language), "place": one.place and _line(one.place),
                  "join": one.join, "page": one.page, "ticket": one.ticket, "price": one.price,
                  "until": one.until and _moment(one.until, one.zone, language)}  # fmt: skip
    title, _, text = _template(subject, language, "txt").render(words).partition("\n")
    html = _INLINER.inline(_template(subject, language, "html").render(words, title=title.strip()))
    end = f"\n\n{LEAVE[language]}: {leave}\n" if leave else "\n"
    return Rendered(title.strip(), text.strip() + end, html)


def _moment(at: datetime, zone: str, language: str) -> str:
    form = "EEEE d 'de' MMMM 'de' y, HH:mm" if language == "es" else "EEEE, MMMM d, y, HH:mm"
    return format_datetime(at, form, tzinfo=get_timezone(zone), locale=language)


def _when(one: Gathering, language: str) -> str | None:
    """Day, hours and zone written out, as the hours are where it is held."""
    if one.starts is None or one.ends is None:
        return None
    zone = get_timezone_name(one.starts.astimezone(ZoneInfo(one.zone)), locale=language)
    ends = one.ends.astimezone(ZoneInfo(one.zone))
    same = ends.date() == one.starts.astimezone(ZoneInfo(one.zone)).date()
    until = f"{ends:%H:%M}" if same else _moment(one.ends, one.zone, language)
    return f"{_moment(one.starts, one.zone, language)} – {until} ({zone})"


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def blocks(body: str) -> list[Block]:
    """A text as mails and pages show it: blank lines part paragraphs, lines with "- " before them are a list."""
    found: list[Block] = []
    for part in re.split(r"\n\s*\n", body.replace("\r\n", "\n").strip()):
        for line in part.split("\n"):
            kind: Literal["paragraph", "list"] = "list" if re.match(r"[-*•] ", line) else "paragraph"
            text = line[2:] if kind == "list" else line
            if not found or found[-1].kind != kind or (line is part.split("\n")[0] and kind == "paragraph"):
                found.append(Block(kind, []))
            found[-1].lines.append(_pieces(text.strip()))
    return found


def _pieces(line: str) -> list[Piece]:
    pieces: list[Piece] = []
    at = 0
    for match in _LINK.finditer(line):
        pieces += [Piece(line[at : match.start()]), Piece(match[0], match[0])]
        at = match.end()
    return [one for one in (*pieces, Piece(line[at:])) if one.words]
