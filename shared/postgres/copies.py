"""Rows of a service's own copy of what others keep: written whole, many at once, and erased by key.

Both go by ascending key, the first column, so that two batches that share rows wait for each other and never deadlock.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.postgres.pool import Connection


async def save(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Writes rows with an upsert that takes one array a column."""
    if rows:
        await connection.execute(statement, *zip(*sorted(rows, key=lambda row: row[0]), strict=True))


async def erase(connection: Connection, statement: str, keys: Sequence[UUID]) -> None:
    """Removes rows with a deletion that takes an array of keys."""
    if keys:
        await connection.execute(statement, sorted(keys))
