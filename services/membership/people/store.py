"""The table of representatives: load, lock, save, erase. Functions take a connection."""

from collections.abc import Sequence
from uuid import UUID

from services.membership.people.domain import Person, mail_key
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = "SELECT id, organization_id, name, mail, language, version FROM person "
BY_ORGANIZATIONS = COLUMNS + "WHERE organization_id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
LOCK = COLUMNS + "WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
PAGE = COLUMNS + "WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"
INSERTED = ("id", "organization_id", "name", "mail", "mail_key", "language", "version")
UPDATE = """
UPDATE person p SET name = r.name, language = r.language, version = r.version
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS r (id, name, language, version)
WHERE p.id = r.id
"""
DELETE = "DELETE FROM person WHERE id = ANY ($1::uuid[])"


async def lock_of(connection: Connection, organization_ids: Sequence[UUID]) -> list[Person]:
    """The representatives of these organisations, locked."""
    return [_person(row) for row in await connection.fetch(BY_ORGANIZATIONS, organization_ids)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Person]:
    """The named people that exist, locked."""
    return [_person(row) for row in await connection.fetch(LOCK, ids)]


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Person]:
    """At most `limit` people behind an id, by id."""
    return [_person(row) for row in await connection.fetch(PAGE, after, limit)]


async def insert(connection: Connection, new: Sequence[Person]) -> None:
    """Saves new people. A mail that the organisation has already raises `asyncpg.UniqueViolationError`."""
    rows = [(p.id, p.organization_id, p.name, p.mail, mail_key(p.mail), p.language, p.version) for p in new]
    await connection.copy_records_to_table("person", records=rows, columns=INSERTED)


async def update(connection: Connection, changed: Sequence[Person]) -> None:
    """Saves locked people."""
    await connection.execute(
        UPDATE,
        [p.id for p in changed],
        [p.name for p in changed],
        [p.language for p in changed],
        [p.version for p in changed],
    )


async def delete(connection: Connection, ids: Sequence[UUID]) -> None:
    """Removes people, for good."""
    await connection.execute(DELETE, ids)


def _person(row: Row) -> Person:
    return Person(row["id"], row["organization_id"], row["name"], row["mail"], row["language"], row["version"])


def state_record(person: Person) -> Record:
    """The row as its state topic carries it."""
    return Record(str(person.id), person.version, person.published())
