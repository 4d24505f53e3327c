"""What the stream reads: reporting's own history behind a sequence, and the figures as they stand.

The history is filled by the relay, so that any replica sees the same sequence.
"""

from typing import NamedTuple
from uuid import UUID

import orjson

from services.reporting.stream.domain import Moved, Wanted
from shared.postgres.pool import Connection, Row

TOPIC = "reporting.indicator"
FAR = 10_000
"""Who missed more facts than this gets the figures as they stand instead."""

NEWEST = "SELECT coalesce(max(sequence), 0) FROM history"
AFTER = """
SELECT sequence, version, to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time, payload::text AS payload
FROM history WHERE sequence > $1 AND aggregatetype = $2 ORDER BY sequence LIMIT $3
"""
MISSED = """
SELECT * FROM (
    SELECT DISTINCT ON (aggregateid) sequence, version, to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
           payload::text AS payload
    FROM history WHERE sequence > $1 AND sequence <= $2 AND aggregatetype = $3 ORDER BY aggregateid, sequence DESC
) AS newest ORDER BY sequence
"""
FIGURES = "SELECT indicator, scope, version, value, as_of::text FROM figure ORDER BY indicator, scope"


class Beginning(NamedTuple):
    """What a new listener gets first: all figures, or only those that it missed; `sequence` is the newest."""

    sequence: int
    figures: list[dict[str, object]] | None
    missed: list[Moved]


async def newest(connection: Connection) -> int:
    """The last sequence of the history."""
    return int(await connection.fetchval(NEWEST))


async def moved_after(connection: Connection, sequence: int, limit: int) -> list[Moved]:
    """Published values behind a sequence, in their order."""
    return [_moved(row) for row in await connection.fetch(AFTER, sequence, TOPIC, limit)]


async def beginning(connection: Connection, wanted: Wanted, last: int | None) -> Beginning:
    """What a listener that has everything up to `last` (None: nothing) lacks.

    All figures when `last` is not a place in this history, or so far back that going through it costs more.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        end = await newest(connection)
        if last is not None and 0 < last <= end and end - last <= FAR:
            rows = [_moved(row) for row in await connection.fetch(MISSED, last, end, TOPIC)]
            return Beginning(end, None, [m for m in rows if wanted.includes(m.indicator, m.cluster_id)])
        return Beginning(end, await _figures(connection, wanted), [])


async def _figures(connection: Connection, wanted: Wanted) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for row in await connection.fetch(FIGURES):
        _, _, cluster = row["scope"].partition(":")
        cluster_id = UUID(cluster) if cluster else None
        if wanted.includes(row["indicator"], cluster_id):
            found.append({
                "indicator": row["indicator"], "scope": "cluster" if cluster else "network",
                "cluster_id": cluster or None, "as_of": row["as_of"], "value": row["value"], "version": row["version"],
            })  # fmt: skip
    return found


def _moved(row: Row) -> Moved:
    data = orjson.loads(row["payload"])
    cluster = UUID(data["cluster_id"]) if data["cluster_id"] else None
    return Moved(
        row["sequence"], data["indicator"], cluster, data["as_of"], data["value"], data["previous"],
        row["version"], row["time"],
    )  # fmt: skip
