"""The service that writes: memberships (facts and a state) and people (a state that can be erased).

Commands as a real service has them: load and lock, decide, save, record. The tables are in tables.sql.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast
from uuid import UUID

from shared.contracts.membership import (
    Category,
    MembershipActivated,
    MembershipCategoryChanged,
    MembershipResigned,
    PersonState,
    Standing,
    StandingState,
)
from shared.messaging.events import StateSource
from shared.messaging.outbox import Erased, Record, record
from shared.postgres.pool import Connection, Row, Unit
from shared.runtime.service import Definition

CATEGORIES: tuple[Category, ...] = ("associate", "affiliate", "honorary")
CLUSTER = UUID("01900000-0000-7000-8000-0000000000c1")
REFUSED_CLUSTER = UUID("01900000-0000-7000-8000-0000000000c2")
"""The listener refuses facts of this cluster until it is mended."""
ORGANIZATION = UUID("01900000-0000-7000-8000-0000000000a1")
DAY = date(2026, 1, 15)

LOAD = "SELECT * FROM failure_membership WHERE id = $1 FOR UPDATE"
LOAD_UNLOCKED = "SELECT * FROM failure_membership WHERE id = $1"
INSERT = """
INSERT INTO failure_membership (id, version, organization_id, cluster_id, category, standing)
VALUES ($1, $2, $3, $4, $5, $6)
"""
UPDATE = "UPDATE failure_membership SET version = $2, category = $3, standing = $4 WHERE id = $1"
SAVE_PERSON = """
INSERT INTO failure_person (id, version, name) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, name = excluded.name
"""
STANDINGS = """
SELECT * FROM failure_membership WHERE version > 0 AND ($1::text IS NULL OR id::text > $1) ORDER BY id::text LIMIT $2
"""
STANDINGS_LOCKED = "SELECT * FROM failure_membership WHERE id::text = ANY ($1::text[]) ORDER BY id FOR UPDATE"
PEOPLE = "SELECT * FROM failure_person WHERE $1::text IS NULL OR id::text > $1 ORDER BY id::text LIMIT $2"
PEOPLE_LOCKED = "SELECT * FROM failure_person WHERE id::text = ANY ($1::text[]) ORDER BY id FOR UPDATE"

Written = list[tuple[str, int]]
"""What a command recorded: (name of the contract's class, version)."""


async def load(unit: Unit, key: UUID, *, locked: bool = True) -> Row | None:
    """The membership's row, locked for the rest of the transaction."""
    return await unit.connection.fetchrow(LOAD if locked else LOAD_UNLOCKED, key)


async def advance(unit: Unit, key: UUID, row: Row | None, *, facts: int = 1, cluster: UUID = CLUSTER) -> Written:
    """Takes a membership `facts` steps on: activated, category changed twice, resigned, activated again…"""
    version = row["version"] if row else 0
    cluster = row["cluster_id"] if row else cluster
    category: Category = row["category"] if row else "associate"
    standing: Standing = row["standing"] if row else "applied"
    records: list[Record | Erased] = []
    fact: MembershipActivated | MembershipCategoryChanged | MembershipResigned
    about: dict[str, Any] = {"membership_id": key, "organization_id": ORGANIZATION, "cluster_id": cluster}
    for _ in range(facts):
        version += 1
        if standing != "active":
            standing, fact = "active", MembershipActivated(category=category, origin="application", **about)
        elif version % 4 == 0:
            standing, fact = "resigned", MembershipResigned(category=category, **about)
        else:
            previous, category = category, CATEGORIES[(CATEGORIES.index(category) + 1) % 3]
            fact = MembershipCategoryChanged(category=category, previous=previous, **about)
        records.append(Record(str(key), version, fact, DAY))
    if row:
        await unit.connection.execute(UPDATE, key, version, category, standing)
    else:  # two who make it at once held no lock on it: the second is refused
        await unit.connection.execute(INSERT, key, version, ORGANIZATION, cluster, category, standing)
    state = StandingState(category=category, standing=standing, since=DAY, until=None, **about)
    records.append(Record(str(key), version, state))
    await record(unit, records)
    return [(type(item.data).__name__, item.version) for item in cast(list[Record], records)]


async def change_person(unit: Unit, key: UUID, *, name: str) -> Written:
    """Makes or renames a person."""
    rows = await unit.connection.fetch(PEOPLE_LOCKED, [str(key)])
    version = rows[0]["version"] + 1 if rows else 1
    await unit.connection.execute(SAVE_PERSON, key, version, name)
    await record(unit, [_person(key, version, name)])
    return [("PersonState", version)]


async def erase_person(unit: Unit, key: UUID) -> Written:
    """Deletes a person's row and erases the state; nothing when there is none."""
    rows = await unit.connection.fetch(PEOPLE_LOCKED, [str(key)])
    if not rows:
        return []
    version = rows[0]["version"] + 1
    await unit.connection.execute("DELETE FROM failure_person WHERE id = $1", key)
    await record(unit, [Erased(str(key), version, PersonState)])
    return [("erased", version)]


def _person(key: UUID, version: int, name: str) -> Record:
    state = PersonState(
        person_id=key, organization_id=ORGANIZATION, name=name, mail="person@example.org", language="es"
    )
    return Record(str(key), version, state)


def _standing(row: Row) -> Record:
    state = StandingState(
        membership_id=row["id"], organization_id=row["organization_id"], cluster_id=row["cluster_id"],
        category=row["category"], standing=row["standing"], since=DAY, until=None,
    )  # fmt: skip
    return Record(str(row["id"]), row["version"], state)


async def _standings(connection: Connection, after: str | None, limit: int) -> list[Record]:
    return [_standing(row) for row in await connection.fetch(STANDINGS, after, limit)]


async def _standings_locked(connection: Connection, keys: Sequence[str]) -> list[Record]:
    return [_standing(row) for row in await connection.fetch(STANDINGS_LOCKED, list(keys)) if row["version"] > 0]


async def _people(connection: Connection, after: str | None, limit: int) -> list[Record]:
    rows = await connection.fetch(PEOPLE, after, limit)
    return [_person(row["id"], row["version"], row["name"]) for row in rows]


async def _people_locked(connection: Connection, keys: Sequence[str]) -> list[Record]:
    rows = await connection.fetch(PEOPLE_LOCKED, list(keys))
    return [_person(row["id"], row["version"], row["name"]) for row in rows]


DEFINITION = Definition(
    "membership",
    states={
        "membership.standing.state": StateSource(_standings, _standings_locked),
        "membership.person.state": StateSource(_people, _people_locked),
    },
)
