"""Generations of the read model: begun, compared with the one in use, put in its place, dropped, digested."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.reporting.gatherings import store as gatherings
from services.reporting.notices import store as notices
from services.reporting.profiles import store as profiles
from services.reporting.register import store as register
from services.reporting.register.store import known_facts
from shared.postgres.pool import Connection

FACT_TABLES = (*register.FACT_TABLES, *profiles.FACT_TABLES, *gatherings.FACT_TABLES, *notices.FACT_TABLES)
PERIOD_TABLES = (*register.PERIOD_TABLES, *profiles.PERIOD_TABLES, *gatherings.PERIOD_TABLES, *notices.PERIOD_TABLES)
GUARD = "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || '.rebuild', 0))"
UNGUARD = "SELECT pg_advisory_unlock(hashtextextended(current_schema() || '.rebuild', 0))"
BEGIN = "UPDATE generation SET last = last + 1, building = last + 1 RETURNING building"
ABANDON = "UPDATE generation SET building = NULL"
SWAP = "UPDATE generation SET current = building, building = NULL WHERE building = $1"
TABLES = tuple(table.name for table in (*PERIOD_TABLES, *FACT_TABLES))
OTHERS = "(generation < $1 OR generation > $1)"  # in this form an index answers
REMAINS = " UNION ALL ".join(f"(SELECT 1 FROM {table} WHERE {OTHERS} LIMIT 1)" for table in TABLES)
PARKED = "SELECT id FROM parked WHERE consumer = $1 AND id = ANY ($2)"
RECEIVED = "SELECT id FROM inbox WHERE consumer = $1 AND id = ANY ($2)"
DROP_ROWS = 20_000


async def try_guard(connection: Connection) -> bool:
    """Whether this session rebuilds; at most one does, until it lets go or ends."""
    return bool(await connection.fetchval(GUARD))


async def let_go(connection: Connection) -> None:
    """Another session may rebuild."""
    await connection.execute(UNGUARD)


async def begin(connection: Connection) -> int:
    """From now on facts from the bus go into a new generation too. Returns its number."""
    return int(await connection.fetchval(BEGIN))


async def abandon(connection: Connection) -> None:
    """The generation that was being built is none any more; its rows are remains."""
    await connection.execute(ABANDON)


async def swap(connection: Connection, generation: int) -> None:
    """What was built is read from now on."""
    await connection.execute(SWAP, generation)


async def has_remains(connection: Connection, kept: int) -> bool:
    """Whether there are rows of other generations."""
    return await connection.fetchval(f"SELECT EXISTS ({REMAINS})", kept) is True


async def drop_remains(connection: Connection, kept: int) -> int:
    """Deletes one piece of the rows of all other generations. Returns how many; 0 when nothing is left."""
    for table in TABLES:
        done = await connection.execute(
            f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {OTHERS} LIMIT {DROP_ROWS}))",
            kept,
        )
        if count := int(done.split()[-1]):
            return count
    return 0


async def lacking(connection: Connection, current: int, building: int) -> dict[str, list[tuple[Any, ...]]]:
    """Facts that the generation in use has and the one being built lacks, by table; without the generation."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table in FACT_TABLES:
        # a set operation, because nothing is known statistically of a new generation: a join may go wrong by far
        places = await connection.fetch(
            f"SELECT {table.key}, version FROM {table.name} WHERE generation = $1"
            f" EXCEPT SELECT {table.key}, version FROM {table.name} WHERE generation = $2",
            current, building,
        )  # fmt: skip
        if places:
            wanted = {tuple(place) for place in places}
            rows = await known_facts(connection, table, current, sorted({key for key, _ in wanted}))
            found[table.name] = [tuple(row) for row in rows if (row[0], row[1]) in wanted]
    return found


async def parked_among(connection: Connection, consumer: str, ids: Sequence[UUID]) -> set[UUID]:
    """Those that the consumer has set aside."""
    return {row[0] for row in await connection.fetch(PARKED, consumer, ids)}


async def received_among(connection: Connection, consumer: str, ids: Sequence[UUID]) -> set[UUID]:
    """Those that came to the consumer from the bus."""
    return {row[0] for row in await connection.fetch(RECEIVED, consumer, ids)}


async def digest(connection: Connection, generation: int) -> dict[str, tuple[int, str]]:
    """Rows and MD5 of each table of a generation, in an order of their own: equal models have equal digests."""
    found: dict[str, tuple[int, str]] = {}
    tables = {table.name: table.names for table in FACT_TABLES}
    tables |= {table.name: f"{table.names}, valid, known" for table in PERIOD_TABLES}
    for table, columns in tables.items():
        row = await connection.fetchrow(
            f"SELECT count(*) AS rows, md5(coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE \"C\"), '')) AS hash"
            f" FROM (SELECT ROW({columns})::text AS line FROM {table} WHERE generation = $1) AS r",
            generation,
        )
        assert row is not None
        found[table] = (row["rows"], row["hash"])
    return found
