"""Links by which a partner reads one figure without signing in, until a day. Pure.

Whoever has the link reads: it is shown once, kept as a hash, ends by itself and can be taken back. What a small group
would give away is hidden there as everywhere.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from services.reporting.catalogue.domain import Dimension, Indicator, UnknownDimension
from shared.refusal import NotFound, Refusal
from shared.runtime.privacy import Personal, by_text

LONGEST = timedelta(days=366)
PERSONAL = (Personal("shared_link", ("label",), by_text("label"), "values", "label = 'erased'"),)
"""For whom a link is may name a person."""


class NoSuchLink(NotFound):
    """No link has this id or key."""


class LinkEnded(Refusal):
    """Its day is over, or it was taken back."""

    status = 410


class EndNotAhead(Refusal):
    """A link ends on a day to come, within a year."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is kept. `as_of` None: the figure of the day on which it is opened."""

    id: UUID
    label: str
    indicator: str
    dimension: Dimension
    as_of: date | None
    since: date | None
    made_by: str
    made_at: datetime
    until: date
    revoked_at: datetime | None
    opened: int

    def require_open(self, today: date) -> None:
        """Raises `LinkEnded`."""
        if self.revoked_at is not None:
            raise LinkEnded("this link was taken back", field="key")
        if today > self.until:
            raise LinkEnded("this link ended on {until}", until=self.until, field="key")


def new_key() -> str:
    """What stands in the address: 128 random bits."""
    return secrets.token_urlsafe(16)


def hashed(key: str) -> bytes:
    """By what a key is known."""
    return hashlib.sha256(key.encode()).digest()


def checked(indicator: Indicator, dimension: str, until: date, today: date) -> Dimension:
    """The dimension of a new link. Raises `UnknownDimension`, `EndNotAhead`."""
    if not today <= until <= today + LONGEST:
        raise EndNotAhead("a link ends between today and a year from now", field="until")
    for known in indicator.dimensions:
        if known == dimension:
            return known
    raise UnknownDimension("{indicator} does not divide by {name!r}; it does by {allowed}", indicator=indicator.code,
                           name=dimension, allowed=", ".join(indicator.dimensions), field="dimension")  # fmt: skip
