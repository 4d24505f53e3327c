"""The page that is being rendered, and what templates say about it without being handed anything.

Rendering is one synchronous call, so the page stands in a context variable while it lasts; macros reach it from
wherever they were imported.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup

from shared.http.identity import Viewer
from shared.web.assets import static
from shared.web.forms import CONFIRM_FIELD, KEY_FIELD, VERSION_FIELD, new_key
from shared.web.language import Language
from shared.web.navigation import Link, role_words
from shared.web.tour import Tour

CURSORS = ("after", "before")


Tone = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Page:
    """What the shell knows of the page that is being rendered."""

    request: Request
    viewer: Viewer | None
    language: Language
    now: datetime
    theme: str | None
    scope: str | None
    said: tuple[Tone, str] | None
    links: list[Link] = field(default_factory=list)
    demo: bool = False
    tour: Tour | None = None

    @property
    def path(self) -> str:
        """The path without parameters."""
        return self.request.url.path

    @property
    def here(self) -> str:
        """Path and parameters, to come back to."""
        return self.path + (f"?{self.request.url.query}" if self.request.url.query else "")

    def opens(self, key: str) -> bool:
        """Whether the viewer's navigation has this entry."""
        return any(link.key == key for link in self.links)

    @property
    def register(self) -> str:
        """What the list of organisations is called, as a message: the register is staff's, the directory others'."""
        return "Register" if self.opens("register") else "Directory"

    @property
    def register_address(self) -> str:
        """Where that list is."""
        return "/register" if self.opens("register") else "/directory"

    @property
    def searches(self) -> bool:
        """Whether there is anything that the viewer may search."""
        return self.opens("register") or self.opens("directory")

    @property
    def roles(self) -> list[str]:
        """The viewer's roles as messages."""
        return role_words(self.viewer) if self.viewer else []

    @property
    def initials(self) -> str:
        """Two letters of the viewer's name."""
        return initials(self.viewer.name) if self.viewer else ""


PAGE: ContextVar[Page] = ContextVar("page")
"""The page being rendered."""


def initials(name: str) -> str:
    """The first letters of the first two words of a name."""
    return "".join(word[0] for word in name.split()[:2]).upper()


def _changed(**changes: Any) -> str:
    """The present address with parameters changed; lists give several; None takes one away."""
    page = PAGE.get()
    pairs = [(k, v) for k, v in page.request.query_params.multi_items() if k not in changes]
    if not set(changes) & set(CURSORS) or changes.get("after") or changes.get("before"):
        pairs = [(k, v) for k, v in pairs if k not in CURSORS]
    for key, value in changes.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [(key, str(one)) for one in values if one is not None and one != ""]
    return page.path + (f"?{urlencode(pairs)}" if pairs else "")


def _without(key: str, value: str) -> str:
    return _changed(**{key: [one for one in _chosen(key) if one != value] or None})


def _chosen(key: str) -> list[str]:
    return PAGE.get().request.query_params.getlist(key)


def _ago(value: datetime) -> Markup:
    page = PAGE.get()
    said = page.language
    return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
        value.astimezone(UTC).isoformat(timespec="seconds"), said.moment(value), said.ago(value, page.now)
    )


def _say(name: str) -> Callable[..., str]:
    """A function of templates that speaks the language and zone of the page being rendered."""
    return lambda *values, **more: getattr(PAGE.get().language, name)(*values, **more)


FUNCTIONS: dict[str, Any] = {
    **{name: _say(name) for name in
       ("day", "moment", "zoned", "number", "compact", "percent", "money", "duration")},
    "ago": _ago,
    "static": static,
    "address": _changed,
    "without": _without,
    "chosen": _chosen,
    "initials": initials,
    "new_key": new_key,
    "this_page": PAGE.get,
    "KEY_FIELD": KEY_FIELD,
    "VERSION_FIELD": VERSION_FIELD,
    "CONFIRM_FIELD": CONFIRM_FIELD,
}  # fmt: skip
