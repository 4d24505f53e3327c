"""How one attempt to hand over a mail went, in the words that the way out and the rules share."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt went. `code` is the SMTP reply, `address_refused` that the address itself is refused."""

    outcome: Literal["sent", "retry", "failed"]
    code: int | None = None
    address_refused: bool = False
