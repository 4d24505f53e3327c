"""The table of contacts: load, lock, save, erase. Functions take a connection."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.membership.contacts.domain import Contact
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection

COLUMNS = """
SELECT id, organization_id, cluster_id, account_id, sender_name, sender_organization, reply_to, message, at, version
FROM contact
"""
PAGE = COLUMNS + "WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"
LOCK = COLUMNS + "WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
OLD = COLUMNS + "WHERE at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED"
OF_PERSON = COLUMNS + """
WHERE account_id = ANY ($1::uuid[])
   OR EXISTS (SELECT FROM unnest($2::text[]) AS v WHERE position(v in lower(message)) > 0)
ORDER BY id FOR UPDATE
"""  # fmt: skip
INSERT = """
INSERT INTO contact (id, organization_id, cluster_id, account_id, sender_name, sender_organization, reply_to, message,
                     at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
DELETE = "DELETE FROM contact WHERE id = ANY ($1::uuid[])"


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Contact]:
    """At most `limit` contacts behind an id, by id."""
    return [Contact(**dict(row)) for row in await connection.fetch(PAGE, after, limit)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Contact]:
    """The named contacts that exist, locked."""
    return [Contact(**dict(row)) for row in await connection.fetch(LOCK, ids)]


async def old(connection: Connection, before: datetime, limit: int) -> list[Contact]:
    """Contacts of before an instant, locked; those that another erases are left out."""
    return [Contact(**dict(row)) for row in await connection.fetch(OLD, before, limit)]


async def of_person(connection: Connection, accounts: Sequence[UUID], values: Sequence[str]) -> list[Contact]:
    """What these accounts wrote, or what names one of these values; locked."""
    lowered = [value.lower() for value in values if len(value) > 2]
    return [Contact(**dict(row)) for row in await connection.fetch(OF_PERSON, accounts, lowered)]


async def insert(connection: Connection, new: Contact) -> None:
    """Saves a new contact."""
    await connection.execute(
        INSERT, new.id, new.organization_id, new.cluster_id, new.account_id, new.sender_name, new.sender_organization,
        new.reply_to, new.message, new.at, new.version,
    )  # fmt: skip


async def delete(connection: Connection, ids: Sequence[UUID]) -> None:
    """Removes contacts, for good."""
    await connection.execute(DELETE, ids)


def state_record(contact: Contact) -> Record:
    """The row as its state topic carries it."""
    return Record(str(contact.id), contact.version, contact.published())
