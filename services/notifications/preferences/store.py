"""The table of preferences, by the hash of an address. Functions take a connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.notifications.preferences.domain import Choice
from shared.postgres.pool import Connection

CHOSEN = "SELECT topic, mail, inbox FROM preference WHERE address = $1"
CHOOSE = """
INSERT INTO preference (address, topic, mail, inbox, changed_at)
SELECT $1, topic, mail, inbox, $5 FROM unnest($2::text[], $3::boolean[], $4::boolean[]) AS r (topic, mail, inbox)
ON CONFLICT (address, topic) DO UPDATE SET mail = excluded.mail, inbox = excluded.inbox,
    changed_at = excluded.changed_at
"""
LEAVE = """
INSERT INTO preference (address, topic, mail, inbox, changed_at) VALUES ($1, $2, $3, true, $4)
ON CONFLICT (address, topic) DO UPDATE SET mail = excluded.mail, changed_at = excluded.changed_at
WHERE preference.mail <> excluded.mail
"""
BY_LINK = """
SELECT m.subject, coalesce(p.mail, r.mail) AS mail, address_key(coalesce(p.mail, r.mail)) AS address,
       coalesce(p.language, r.language) AS language
FROM message m LEFT JOIN person p ON p.person_id = m.person_id
LEFT JOIN registration r ON r.registration_id = m.person_id WHERE m.leave_key = $1
"""


class Linked(NamedTuple):
    """Whose link it is: the subject of its mail, the address and its hash; None where they were erased."""

    subject: str
    mail: str | None
    address: str | None
    language: str | None


async def chosen(connection: Connection, address: str) -> dict[str, Choice]:
    """What was chosen for an address, by topic."""
    rows = await connection.fetch(CHOSEN, address)
    return {row["topic"]: Choice(row["topic"], row["mail"], row["inbox"]) for row in rows}


async def choose(connection: Connection, address: str, choices: Sequence[Choice], now: datetime) -> None:
    """Keeps these choices."""
    await connection.execute(
        CHOOSE, address, [one.topic for one in choices], [one.mail for one in choices],
        [one.inbox for one in choices], now,
    )  # fmt: skip


async def leave(connection: Connection, address: str, topic: str, now: datetime, *, mail: bool) -> None:
    """Mails of a topic end, or begin again; what stands on the page stays as it is."""
    await connection.execute(LEAVE, address, topic, mail, now)


async def by_link(connection: Connection, key: UUID) -> Linked | None:
    """Whose link this is."""
    row = await connection.fetchrow(BY_LINK, key)
    return Linked(*row) if row else None
