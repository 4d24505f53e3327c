"""The life of a message: due until it is sent, failed for good, suppressed, or erased with its person.

What may pass is tried again over days; what the receiving server refuses for good is not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID, uuid5

from shared.mail.attempt import Attempt
from shared.refusal import Conflict, NotFound

Outcome = Literal["sent", "retry", "failed", "suppressed", "muted"]
State = Literal["due", "sent", "failed", "suppressed", "muted", "stopped", "erased"]
REASONS = {"failed": "refused", "suppressed": "suppressed", "muted": "muted"}
"""Why a message is not sent, as its fact says it, by its state."""

MESSAGES = UUID("0b7a2f2e-6c1b-5f0e-9a53-3f1e2c7d9b10")
"""Namespace of message ids: the same notice and person give the same message, however often it is made."""

RETRIES = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 30, 2 * 60, 6 * 60, 24 * 60, 2 * 24 * 60)
)  # fmt: skip
"""Pauses after the first, second … attempt; after the last one the message has failed."""


class NoSuchMessage(NotFound):
    """No message has this id."""


class MessageNotRetryable(Conflict):
    """It was sent already, or its person was erased."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message after an attempt. `due_at` is None when it is settled."""

    outcome: Outcome
    state: Literal["due", "sent", "failed", "suppressed", "muted"]
    due_at: datetime | None


def message_id(notice: UUID, person: UUID) -> UUID:
    """The id of the message by which a person hears of a notice; also the left part of its Message-ID."""
    return uuid5(MESSAGES, f"{notice}/{person}")


def judged(attempt: Attempt, attempts: int, now: datetime) -> Verdict:
    """What follows from the `attempts`-th attempt (1 is the first)."""
    if attempt.outcome == "sent":
        return Verdict("sent", "sent", None)
    if attempt.outcome == "retry" and attempts <= len(RETRIES):
        return Verdict("retry", "due", now + RETRIES[attempts - 1])
    return Verdict("failed", "failed", None)


def address_hash(mail: str) -> bytes:
    """By what a refused address is remembered."""
    return sha256(mail.strip().casefold().encode()).digest()
