"""What a form holds between its pages: what was typed, what is wrong at which field, what is only doubtful.

The hidden fields of every form: a key, under which a second sending answers as the first, and the version of the
record that the page was made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import uuid_utils.compat as uuid_utils

from shared.http.idempotency import FIELD
from shared.refusal import Refusal

KEY_FIELD = FIELD
VERSION_FIELD = "version"
CONFIRM_FIELD = "confirmed"
"""The checkbox "¿Continuar?" below warnings; sent as "yes"."""


def new_key() -> str:
    """A key for one sending of a form."""
    return str(uuid_utils.uuid7())


@dataclass(frozen=True, slots=True)
class Form:
    """The state of a form. `errors` and `warnings` are texts by field name; "" is the form as a whole."""

    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    version: int | None = None
    key: str = field(default_factory=new_key)

    @classmethod
    def refused(
        cls, values: Mapping[str, Any], refusal: Refusal, *, reason: str | None = None, version: int | None = None
    ) -> "Form":
        """The form again, as it was typed, with the refusal at its field; `reason` in the reader's language."""
        return cls(values=values, errors={refusal.field or "": reason or refusal.reason}, version=version)

    def value(self, name: str) -> Any:
        """What stands in a field; empty text when nothing does."""
        found = self.values.get(name)
        return "" if found is None else found
