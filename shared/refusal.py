"""Refusals: what a rule of the field says no to, by name, with the field and the reason.

A domain function raises one; every edge turns it into its own words (a problem over HTTP, a line in
a terminal, a parked event). Nothing is changed when one is raised.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar


class Word(str):
    """A value of a refusal that is itself a word of a fixed list (a role, a standing): it is translated with it."""


class Said(str):
    """A sentence that keeps its English template and its values, so that it can be told in the reader's language."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, **values: Any) -> "Said":
        said = super().__new__(cls, template.format(**values) if values else template)
        said.template, said.values = template, values
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        return _said_again, (self.template, self.values)

    def written(self) -> list[Any]:
        """What JSON can keep of it; `read` makes it again."""
        return [self.template, {name: _plain(value) for name, value in self.values.items()}]

    @classmethod
    def read(cls, written: Sequence[Any]) -> "Said":
        """A sentence from what `written` gave."""
        template, values = written
        return cls(template, **{name: _valued(value) for name, value in values.items()})


def _said_again(template: str, values: dict[str, Any]) -> Said:
    return Said(template, **values)


def _plain(value: Any) -> Any:
    if isinstance(value, Word):
        return {"word": str(value)}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    return value if isinstance(value, int | float) else str(value)


def _valued(value: Any) -> Any:
    if isinstance(value, dict):
        return Word(value["word"]) if "word" in value else date.fromisoformat(value["day"])
    return value


class Refusal(Exception):
    """Root of all named refusals. Subclasses are sentence fragments (`CompanyAlreadyMember`).

    `status` is the HTTP status it becomes: 422 for what is wrong in itself, 409 for a conflict with the
    present state, 404 for what does not exist. `field` names the input it is about, when it is about one.
    The template is English and holds its values as `{name}`; the catalogues know it by these words
    (`locale/problems.es.po`), so it is never put together from parts.
    """

    status: ClassVar[int] = 422

    def __init__(self, template: str, *, field: str | None = None, **values: Any) -> None:
        self.template = template
        self.values = values
        self.field = field
        self.reason = Said(template, **values)
        super().__init__(self.reason)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer that tells it, e.g. when to come back."""
        return {}

    @property
    def members(self) -> dict[str, Any]:
        """What a problem says besides its field, for programs: e.g. the roles that may."""
        return {}

    @property
    def code(self) -> str:
        """Stable name in kebab case, the last part of a problem's `type`: `company-already-member`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", type(self).__name__).lower()


class NotFound(Refusal):
    """The thing that was named does not exist."""

    status = 404


class Conflict(Refusal):
    """The present state does not allow it."""

    status = 409
