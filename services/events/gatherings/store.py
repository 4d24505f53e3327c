"""The tables of gatherings: load with sessions and prices, lock, save whole. Functions take a connection."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from services.events.gatherings.domain import Gathering, Plan, Session, Tariff
from shared.contracts.events import GatheringState
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT g.id, g.slug, g.network_id, g.cluster_id, g.status, g.kind, g.title, g.summary, g.description, g.speakers,
       g.language, g.mode, g.starts, g.ends, g.zone, g.place, g.country, g.state, g.join_url, g.capacity,
       g.waiting_list, g.accept_hours, g.closes, g.currency, g.series, g.sequence, g.published_on, g.changed_at,
       g.version, g.revision,
       ARRAY(SELECT (s.title, s.starts, s.ends, s.place, s.speaker) FROM gathering_session s
             WHERE s.gathering_id = g.id ORDER BY s.number) AS sessions,
       ARRAY(SELECT (p.price_group, p.amount, p.category, p.since, p.benefit) FROM gathering_price p
             WHERE p.gathering_id = g.id
             ORDER BY array_position(ARRAY['own', 'network', 'public'], p.price_group), p.category NULLS FIRST,
                      p.since NULLS FIRST) AS prices
FROM gathering g
"""
BY_IDS = COLUMNS + "WHERE g.id = ANY ($1::uuid[]) ORDER BY g.starts, g.id"
BY_SLUG = COLUMNS + "WHERE g.slug = $1"
LOCK = COLUMNS + "WHERE g.id = $1 FOR UPDATE OF g"
TOLD = COLUMNS + "WHERE g.status <> 'draft' AND ($1::uuid IS NULL OR g.id > $1) ORDER BY g.id LIMIT $2"
TOLD_LOCK = COLUMNS + "WHERE g.status <> 'draft' AND g.id = ANY ($1::uuid[]) ORDER BY g.id FOR UPDATE OF g"
SLUGS = "SELECT slug FROM gathering WHERE slug = $1 OR slug ~ ('^' || $1 || '-[0-9]+$')"
INSERT = """
INSERT INTO gathering (id, slug, network_id, cluster_id, status, kind, title, summary, description, speakers, language,
                       mode, starts, ends, zone, place, country, state, join_url, capacity, waiting_list, accept_hours,
                       closes, currency, sequence, published_on, changed_at, version, revision, series)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25, $26, $27, $28, $29, $30)
"""
UPDATE = """
UPDATE gathering SET slug = $2, network_id = $3, cluster_id = $4, status = $5, kind = $6, title = $7, summary = $8,
    description = $9, speakers = $10, language = $11, mode = $12, starts = $13, ends = $14, zone = $15, place = $16,
    country = $17, state = $18, join_url = $19, capacity = $20, waiting_list = $21, accept_hours = $22, closes = $23,
    currency = $24, sequence = $25, published_on = $26, changed_at = $27, version = $28, revision = $29,
    series = $30
WHERE id = $1
"""
CLEAR_SESSIONS = "DELETE FROM gathering_session WHERE gathering_id = $1"
INSERT_SESSIONS = """
INSERT INTO gathering_session (gathering_id, number, title, starts, ends, place, speaker)
SELECT $1, n, title, starts, ends, place, speaker
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[])
    WITH ORDINALITY AS r (title, starts, ends, place, speaker, n)
"""
CLEAR_PRICES = "DELETE FROM gathering_price WHERE gathering_id = $1"
INSERT_PRICES = """
INSERT INTO gathering_price (gathering_id, price_group, amount, category, since, benefit)
SELECT $1, price_group, amount, category, since, benefit
FROM unnest($2::text[], $3::numeric[], $4::text[], $5::date[], $6::text[])
    AS r (price_group, amount, category, since, benefit)
"""
DELETE = "DELETE FROM gathering WHERE id = $1"
_PLANNED = tuple(f.name for f in fields(Plan) if f.name not in ("sessions", "prices"))


async def load(connection: Connection, ids: Sequence[UUID]) -> list[Gathering]:
    """The named gatherings that exist, by time."""
    return [_one(row) for row in await connection.fetch(BY_IDS, ids)]


async def by_slug(connection: Connection, slug: str) -> Gathering | None:
    """The gathering of that address."""
    row = await connection.fetchrow(BY_SLUG, slug)
    return _one(row) if row else None


async def lock(connection: Connection, id_: UUID) -> Gathering | None:
    """One gathering, locked."""
    row = await connection.fetchrow(LOCK, id_)
    return _one(row) if row else None


async def told(connection: Connection, after: UUID | None, limit: int) -> list[Gathering]:
    """Published gatherings behind an id, for the snapshot."""
    return [_one(row) for row in await connection.fetch(TOLD, after, limit)]


async def lock_told(connection: Connection, ids: Sequence[UUID]) -> list[Gathering]:
    """The named published gatherings that exist, locked."""
    return [_one(row) for row in await connection.fetch(TOLD_LOCK, ids)]


async def slugs_like(connection: Connection, slug: str) -> list[str]:
    """Addresses of this beginning that are taken."""
    return [row["slug"] for row in await connection.fetch(SLUGS, slug)]


async def insert(connection: Connection, made: Gathering) -> None:
    """Saves a new gathering."""
    await connection.execute(INSERT, *_row(made))
    await _save_parts(connection, made)


async def update(connection: Connection, changed: Gathering) -> None:
    """Saves a locked gathering, its sessions and prices with it."""
    await connection.execute(UPDATE, *_row(changed))
    await connection.execute(CLEAR_SESSIONS, changed.id)
    await connection.execute(CLEAR_PRICES, changed.id)
    await _save_parts(connection, changed)


async def delete(connection: Connection, id_: UUID) -> None:
    """A draft that nobody needs."""
    await connection.execute(DELETE, id_)


def state_record(one: Gathering) -> Record:
    """The record of a published gathering."""
    plan = one.plan
    assert one.network_id is not None
    assert one.status != "draft"
    undated = one.status == "postponed"
    state = GatheringState(
        gathering_id=one.id, slug=one.slug, network_id=one.network_id, cluster_id=plan.cluster_id, status=one.status,
        kind=plan.kind, title=plan.title, summary=plan.summary, language=plan.language, mode=plan.mode,
        starts=None if undated else plan.starts, ends=None if undated else plan.ends, zone=plan.zone, place=plan.place,
        sequence=one.sequence, capacity=plan.capacity,
    )  # fmt: skip
    return Record(str(one.id), one.revision, state)


def _row(one: Gathering) -> tuple[Any, ...]:
    p = one.plan
    return (
        one.id, one.slug, one.network_id, p.cluster_id, one.status, p.kind, p.title, p.summary, p.description,
        p.speakers, p.language, p.mode, p.starts, p.ends, p.zone, p.place, p.country, p.state, p.join_url, p.capacity,
        p.waiting_list, p.accept_hours, p.closes, p.currency, one.sequence, one.published_on, one.changed_at,
        one.version, one.revision, p.series,
    )  # fmt: skip


async def _save_parts(connection: Connection, one: Gathering) -> None:
    if sessions := one.plan.sessions:
        await connection.execute(
            INSERT_SESSIONS, one.id, [s.title for s in sessions], [s.starts for s in sessions],
            [s.ends for s in sessions], [s.place for s in sessions], [s.speaker for s in sessions],
        )  # fmt: skip
    if prices := one.plan.prices:
        await connection.execute(
            INSERT_PRICES, one.id, [p.group for p in prices], [p.amount for p in prices],
            [p.category for p in prices], [p.since for p in prices], [p.benefit for p in prices],
        )  # fmt: skip


def _one(row: Row) -> Gathering:
    return Gathering(
        row["id"], row["slug"],
        Plan(**{name: row[name] for name in _PLANNED}, sessions=tuple(Session(*part) for part in row["sessions"]),
             prices=tuple(Tariff(*part) for part in row["prices"])),
        row["status"], row["network_id"], row["sequence"], row["published_on"], row["changed_at"], row["version"],
        row["revision"],
    )  # fmt: skip
