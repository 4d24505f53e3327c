"""A mail as it is rendered, and how one attempt to hand it over went, in the words that all who send share."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went. `code` is the SMTP reply, `address_refused` that the address itself is refused."""

    outcome: Literal["sent", "retry", "failed"]
    code: int | None = None
    address_refused: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message in one language."""

    title: str
    text: str
    html: str
