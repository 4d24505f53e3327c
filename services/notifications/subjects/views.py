"""A message as people read it: title, text and HTML in Spanish or English, from the subject's templates.

Names are escaped in the HTML and kept to one line everywhere; styles are written into the elements,
because mail programs ignore style sheets.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import css_inline
from babel.dates import format_date
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from shared.mail.attempt import Rendered

CATEGORIES = {
    "es": {"associate": "asociado", "affiliate": "afiliado", "honorary": "socio honorario"},
    "en": {"associate": "associate", "affiliate": "affiliate", "honorary": "honorary member"},
}
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """What somebody wrote, and for whom they speak."""

    sender: str
    organization: str
    message: str


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
    return _environment().get_template(f"{subject}.{language}.{kind}")


def render(subject: str, language: str, known: Known) -> Rendered:
    """A subject's message. The text's first line is the title."""
    words = {
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
    title, _, text = _template(subject, language, "txt").render(words).partition("\n")
    html = _INLINER.inline(_template(subject, language, "html").render(words, title=title.strip()))
    return Rendered(title.strip(), text.strip() + "\n", html)


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
