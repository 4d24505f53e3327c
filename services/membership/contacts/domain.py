"""One company writes to another: the address of the one written to is never shown, the answer goes to the writer.

Pure. The text travels as a state that is erased after a week; the fact holds ids only.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.contracts.membership import ContactState
from shared.refusal import Conflict, Refusal
from shared.runtime.privacy import Personal, by_text

KEPT = timedelta(days=7)
"""How long a text waits for its delivery; an outage of mail is shorter."""
PER_DAY = 20
"""So many companies may somebody write to in a day: a question to suppliers, not an advertisement."""
LEAST, MOST = 20, 3_000
"""Characters of a message."""

PERSONAL = (
    Personal("contact", ("sender_name", "reply_to", "message"),
             f"account_id::text = ANY ($1) OR {by_text('message')}", "record"),
)  # fmt: skip


class NobodyToWriteTo(Conflict):
    """The company has no representative with an address."""


class NoAddressOfYourOwn(Refusal):
    """An answer needs somewhere to go."""

    status = 403


class TooShort(Refusal):
    """A message that tells nobody what is wanted, or a whole letter."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What somebody wrote to an organisation."""

    id: UUID
    organization_id: UUID
    cluster_id: UUID
    account_id: UUID
    sender_name: str
    sender_organization: str
    reply_to: str
    message: str
    at: datetime
    version: int = 1

    def published(self) -> ContactState:
        """The record for the state topic."""
        return ContactState(
            contact_id=self.id, organization_id=self.organization_id, sender_name=self.sender_name,
            sender_organization=self.sender_organization, reply_to=self.reply_to, message=self.message,
        )  # fmt: skip


def checked(message: str) -> str:
    """A message as it is sent: lines as they were, no more than one blank one in a row. Raises `TooShort`."""
    lines = [" ".join(line.split()) for line in message.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    text = "\n".join(line for n, line in enumerate(lines) if line or (n and lines[n - 1])).strip()
    if not LEAST <= len(text) <= MOST:
        raise TooShort("message: write between {least} and {most} characters", least=LEAST, most=MOST, field="message")
    return text
