"""What the first page asks of this service: what waits for somebody, the oldest first; what happened last.

Each question is one statement over the reader's reach; words are made by the page.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from shared.http.policy import Allowed
from shared.postgres.pool import Connection

MOST = 8
"""So much is shown of what waits; of what happened, as many lines."""

APPLICATIONS = """
SELECT m.id, o.trade_name AS organization, c.name AS cluster, m.applied_on AS since
FROM membership m JOIN organization o ON o.id = m.organization_id JOIN cluster c ON c.id = m.cluster_id
WHERE m.standing = 'applied' AND ($1 OR m.cluster_id = ANY ($2::uuid[])) ORDER BY m.applied_on, m.id LIMIT $3
"""
APPROVED = """
SELECT o.slug, o.trade_name AS organization, c.name AS cluster, m.approved_on AS since
FROM membership m JOIN organization o ON o.id = m.organization_id JOIN cluster c ON c.id = m.cluster_id
WHERE m.standing = 'approved' AND ($1 OR m.cluster_id = ANY ($2::uuid[])) ORDER BY m.approved_on, m.id LIMIT $3
"""
SHEETS = """
SELECT u.id, c.name AS cluster, u.step, u.rows, u.moved AS since, coalesce((u.counts->>'refused')::int, 0) AS refused
FROM upload u JOIN cluster c ON c.id = u.cluster_id
WHERE ($1 OR u.cluster_id = ANY ($2::uuid[])) AND u.moved > $3
  AND (u.step IN ('columns', 'review') OR u.step = 'applied' AND coalesce((u.counts->>'refused')::int, 0) > 0)
  AND NOT EXISTS (SELECT FROM upload later WHERE later.cluster_id = u.cluster_id AND later.at > u.at)
ORDER BY u.moved, u.id LIMIT $4
"""
"""The last sheet of each cluster, while it is under way or rows of it were refused."""
STEPS_DUE = """
SELECT p.id, p.name, p.next_step, p.due AS since FROM prospect p
WHERE p.state = 'open' AND p.due <= $3 AND ($1 OR p.cluster_id = ANY ($2::uuid[])) ORDER BY p.due, p.id LIMIT $4
"""
CERTIFICATES = """
SELECT o.slug, o.trade_name AS organization, t.standard, t.until
FROM certificate t JOIN organization o ON o.id = t.organization_id
WHERE t.organization_id = ANY ($1::uuid[]) AND t.until > $2 AND t.until <= $2 + 60 ORDER BY t.until, t.id LIMIT $3
"""
RECENT = """
SELECT sequence, type, time, effective, cause, payload::text AS payload FROM history
WHERE type = ANY ($1::text[]) AND sequence > (SELECT coalesce(max(sequence), 0) - 5000 FROM history)
  AND ($2 OR payload->>'cluster_id' = ANY ($3::text[]) OR payload->>'organization_id' = ANY ($4::text[]))
ORDER BY sequence DESC LIMIT 2000
"""
NAMES = """
SELECT id, trade_name AS name, slug FROM organization WHERE id = ANY ($1::uuid[])
UNION ALL SELECT id, name, slug FROM cluster WHERE id = ANY ($1::uuid[])
"""


class Waits(NamedTuple):
    """Something that waits: what (`kind`), since when, and what its sentence names."""

    kind: str
    since: date
    values: dict[str, object]


class Happened(NamedTuple):
    """One or several facts of one type and cause: when the newest was recorded, and how many they are."""

    type: str
    time: datetime
    times: int
    organization: tuple[str, str] | None
    cluster: str | None
    """Name and slug of the organisation; the name of the cluster. None where it has none, or several."""


async def waiting(
    connection: Connection, *, today: date, recent: datetime, deciding: Allowed | None, activating: Allowed | None,
    importing: Allowed | None, prospecting: Allowed | None, own: Collection[UUID],
) -> list[Waits]:  # fmt: skip
    """At most eight things that wait within what a reader may do (None: not at all), the oldest first.

    `recent`: sheets older than this wait for nobody. `own` are the companies that the reader speaks for.
    """
    found: list[Waits] = []

    def add(kind: str, rows: list[dict[str, object]]) -> None:
        for row in rows:
            since = row.pop("since")
            assert isinstance(since, date)
            found.append(Waits(kind, since.date() if isinstance(since, datetime) else since, row))

    async def ask(kind: str, statement: str, reach: Allowed | None, *more: object) -> None:
        if reach is None:
            return
        rows = await connection.fetch(statement, reach.everything, list(reach.clusters), *more, MOST)
        add(kind, [dict(row) for row in rows])

    await ask("applied", APPLICATIONS, deciding)
    await ask("approved", APPROVED, activating)
    await ask("sheet", SHEETS, importing, recent)
    await ask("step", STEPS_DUE, prospecting, today)
    if own:
        rows = await connection.fetch(CERTIFICATES, list(own), today, MOST)
        add("certificate", [dict(row) | {"since": today} for row in rows])
    return sorted(found, key=lambda one: one.since)[:MOST]


async def recent(connection: Connection, types: Collection[str], reader: Allowed) -> list[Happened]:
    """What happened last within a reader's reach, the newest first; what one import did is one line."""
    rows = await connection.fetch(
        RECENT, list(types), reader.everything, [str(one) for one in reader.clusters],
        [str(one) for one in reader.organizations],
    )  # fmt: skip
    groups: dict[tuple[str, str], tuple[datetime, list[dict[str, str | None]]]] = {}
    for row in rows:
        payload = orjson.loads(row["payload"])
        named = {key: payload.get(f"{key}_id") for key in ("organization", "cluster")}
        key = (row["type"], row["cause"])
        if key in groups:
            groups[key][1].append(named)
        elif len(groups) < MOST:
            groups[key] = (row["time"], [named])
    ids = {UUID(one) for _, some in groups.values() for named in some[:1] for one in named.values() if one}
    names = {row["id"]: (row["name"], row["slug"]) for row in await connection.fetch(NAMES, list(ids))}

    def name(some: list[dict[str, str | None]], key: str) -> tuple[str, str] | None:
        said = {named[key] for named in some}
        one = said.pop() if len(said) == 1 else None
        return names.get(UUID(one)) if one else None

    return [
        Happened(type_, time, len(some), name(some, "organization"), (name(some, "cluster") or (None,))[0])
        for (type_, _), (time, some) in groups.items()
    ]
