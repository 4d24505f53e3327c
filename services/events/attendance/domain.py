"""Scans: somebody was seen, by the code of their ticket or by name, with the time of the scan. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.events.places.domain import Method, Registration


@dataclass(frozen=True, slots=True)
class Scan:
    """One sight of somebody: by the code of their ticket or by their registration; `at` None: now."""

    code: str | None = None
    registration_id: UUID | None = None
    at: datetime | None = None
    method: Method = "qr"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a scan: who, when they were first seen, whether this scan brought it."""

    registration: Registration
    at: datetime
    is_new: bool


def plain(code: str) -> str:
    """A code as it was typed: small letters, O for 0, without hyphens; "8k2mq4tz71xd9rwe" -> "8K2M-Q4TZ-71XD-9RWE"."""
    text = "".join(char for char in code.upper() if char.isalnum())[:16]
    text = text.translate(str.maketrans("OILU", "011V"))
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
