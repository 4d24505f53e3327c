"""Whose an organisation is: which of several lie within a caller's reach, through its memberships.

An organisation belongs to the clusters in which it is in force; while it is in force in none, to those that it was a
member of or has applied to. Nobody comes to another cluster's company by applying in its name.
"""

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import orjson

from shared.http.policy import Allowed, NotYours, Span
from shared.postgres.pool import Connection, Row
from shared.refusal import Refusal

COVERED = """
SELECT o.id FROM organization o
WHERE o.id = ANY ($1::uuid[]) AND (o.id = ANY ($3::uuid[]) OR EXISTS (
    SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($2::uuid[])
      AND (m.standing IN ('active', 'grace', 'lapsed') OR NOT EXISTS (
          SELECT FROM membership x WHERE x.organization_id = o.id AND x.standing IN ('active', 'grace', 'lapsed')))
))
"""
ELSEWHERE = """
SELECT DISTINCT m.organization_id FROM membership m
WHERE m.organization_id = ANY ($1::uuid[]) AND m.standing IN ('active', 'grace', 'lapsed') AND NOT EXISTS (
    SELECT FROM membership x WHERE x.organization_id = m.organization_id AND x.cluster_id = ANY ($2::uuid[])
      AND x.standing IN ('active', 'grace', 'lapsed'))
"""


async def covered(connection: Connection, caller: Allowed, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these organisations that the caller's reach holds."""
    everything, clusters, organizations = caller.span()
    if everything:
        return set(ids)
    if not clusters and not organizations:
        return set()
    return {row["id"] for row in await connection.fetch(COVERED, ids, clusters, organizations)}


async def require(connection: Connection, caller: Allowed, id_: UUID) -> None:
    """Raises `NotYours` when an organisation lies out of the caller's reach."""
    if id_ not in await covered(connection, caller, [id_]):
        raise NotYours("this organisation belongs to another cluster")


async def elsewhere(connection: Connection, clusters: Sequence[UUID], ids: Sequence[UUID]) -> set[UUID]:
    """Those of these organisations that are in force in other clusters only."""
    return {row["organization_id"] for row in await connection.fetch(ELSEWHERE, ids, clusters)}


async def require_entering(connection: Connection, caller: Allowed, id_: UUID) -> None:
    """Raises `NotYours` where staff of a cluster would enter another cluster's company into their own."""
    if caller.everything or id_ in caller.organizations:
        return
    if await elsewhere(connection, sorted(caller.clusters), [id_]):
        raise NotYours(
            "this company belongs to another cluster: it applies itself, or the network's coordinator enters it",
            roles=("representative", "coordinator"), field="organization_id",
        )  # fmt: skip


async def require_parent(connection: Connection, caller: Allowed, id_: UUID) -> None:
    """Raises `NotYours` where somebody would make a branch of a company that is not theirs: it has its benefits."""
    known = await connection.fetchval("SELECT true FROM organization WHERE id = $1", id_)
    if known and id_ not in await covered(connection, caller, [id_]):
        raise NotYours(
            "whose branch it is says who speaks for both, a cluster of both, or the network's coordinator",
            roles=("coordinator",), field="parent_id",
        )  # fmt: skip


class Wanted(NamedTuple):
    """What the register is asked for: a text within the names, slugs and values, and the cluster of the switch."""

    text: str | None = None
    cluster: str | None = None
    type: str | None = None
    position: str | None = None
    category: str | None = None
    standing: str | None = None
    scope: UUID | None = None


class MalformedPlace(Refusal):
    """The cursor of a page is not one of ours."""


class UnknownOrder(Refusal):
    """The list cannot be ordered so."""


Place = tuple[str, str, UUID]
"""Where a row stands in an order: its key, its name's key, its id."""

_SEEN = "(x.standing = 'active' OR $2 OR x.cluster_id = ANY ($3::uuid[]) OR x.organization_id = ANY ($4::uuid[]))"
"""A membership in force is known to all; an application and the past within reach only."""
_FROM = f"""
FROM organization o
LEFT JOIN LATERAL (
    SELECT array_agg(q.position ORDER BY q.position) AS positions FROM organization_position q
    WHERE q.organization_id = o.id AND q.period @> $1::date
) p ON true
LEFT JOIN LATERAL (
    SELECT array_agg((c.slug, c.name, x.standing, x.category, x.since) ORDER BY c.sort_key) AS memberships,
           min(c.sort_key) AS first_cluster, min(x.since) AS first_since
    FROM membership x JOIN cluster c ON c.id = x.cluster_id
    WHERE x.organization_id = o.id AND {_SEEN}
) m ON true
WHERE ($5 OR o.id = ANY ($7::uuid[]) OR EXISTS (
        SELECT FROM membership x WHERE x.organization_id = o.id AND x.cluster_id = ANY ($6::uuid[])))
  AND ($8::text IS NULL OR unaccent(lower(o.trade_name || ' ' || o.legal_name)) LIKE '%' || unaccent(lower($8)) || '%')
  AND (($9::text IS NULL AND $10::text IS NULL AND $11::text IS NULL) OR EXISTS (
        SELECT FROM membership x JOIN cluster c ON c.id = x.cluster_id
        WHERE x.organization_id = o.id AND {_SEEN} AND ($9 IS NULL OR c.slug = $9)
          AND ($10 IS NULL OR x.category = $10)
          AND CASE WHEN $11 IS NULL THEN x.standing IN ('active', 'grace') ELSE x.standing = $11 END))
  AND ($12::text IS NULL OR o.type = $12) AND ($13::text IS NULL OR $13 = ANY (p.positions))
  AND ($14::uuid IS NULL OR EXISTS (
        SELECT FROM membership x WHERE x.organization_id = o.id AND x.cluster_id = $14 AND {_SEEN}))
"""
_KEYS = {
    "name": "o.sort_key",
    "cluster": "coalesce(m.first_cluster, '~') COLLATE \"C\"",
    "since": "coalesce(m.first_since::text, '9999') COLLATE \"C\"",
}
SORTS = frozenset(_KEYS)
COUNT = "SELECT count(*)" + _FROM


_STANDING = "CASE WHEN $16::text IS NULL THEN x.standing IN ('active', 'grace') ELSE x.standing = $16 END"


def _belonging(value: str, conditions: str) -> str:
    """How many organisations have a membership of each value, under conditions on that membership."""
    return f"""
SELECT {value} AS value, count(DISTINCT s.id) AS count FROM (SELECT o.id {_FROM}) s
JOIN membership x ON x.organization_id = s.id JOIN cluster c ON c.id = x.cluster_id
WHERE {_SEEN} AND {conditions} GROUP BY 1
"""


FACETS = {
    "type": f"SELECT o.type AS value, count(*) AS count {_FROM} GROUP BY 1",
    "position": (
        f"SELECT v.value, count(*) AS count FROM (SELECT p.positions {_FROM}) s, unnest(s.positions) AS v (value)"
        " GROUP BY 1"
    ),
    "cluster": _belonging("c.slug", f"($15::text IS NULL OR x.category = $15) AND {_STANDING}"),
    "category": _belonging("x.category", f"($15::text IS NULL OR c.slug = $15) AND {_STANDING}"),
    "standing": _belonging(
        "x.standing", "($15::text IS NULL OR c.slug = $15) AND ($16::text IS NULL OR x.category = $16)"
    ),
}
"""How many organisations each value of a filter would leave, with all other filters as they are."""


def _ordered(key: str, *, falling: bool) -> str:
    way = "DESC" if falling else "ASC"
    return f"""
SELECT o.id, o.slug, o.trade_name, o.legal_name, o.type, o.state, o.city, o.sort_key, p.positions, m.memberships,
       {_KEYS[key]} AS place
{_FROM} AND ($15::text IS NULL OR ({_KEYS[key]}, o.sort_key, o.id) {"<" if falling else ">"}
             ($15 COLLATE "C", $16::text COLLATE "C", $17::uuid))
ORDER BY {_KEYS[key]} {way}, o.sort_key {way}, o.id {way} LIMIT $18
"""


REGISTER = {(key, falling): _ordered(key, falling=falling) for key in _KEYS for falling in (False, True)}
HELD = f"""
SELECT o.id {_FROM} AND ($11 IS NOT NULL OR EXISTS (
    SELECT FROM membership x WHERE x.organization_id = o.id AND x.standing IN ('active', 'grace')
      AND ($14 IS NULL OR x.cluster_id = $14)))
ORDER BY o.id
"""
CLUSTERS = "SELECT slug, name FROM cluster ORDER BY sort_key"
LAST_CHANGE = """
SELECT l.at, coalesce(a.name, 'Cumulo') AS who
FROM change_log l LEFT JOIN account a ON a.id::text = l.actor
WHERE l.aggregate = 'organization' AND l.id = $1 ORDER BY l.version DESC LIMIT 1
"""


def order_of(sort: str) -> tuple[str, bool]:
    """The key of an order and whether it falls: "-since" is ("since", True). Raises `UnknownOrder`."""
    key = sort.removeprefix("-") or "name"
    if key not in SORTS:
        raise UnknownOrder("sort: name, cluster or since, with - before it for the reverse", field="sort")
    return key, sort.startswith("-")


def place_at(cursor: str, field: str) -> Place:
    """The place that a cursor names. Raises `MalformedPlace` at this field."""
    try:
        key, name, id_ = orjson.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=="))
        if not isinstance(key, str) or not isinstance(name, str) or "\x00" in key + name:
            raise ValueError
        return key, name, UUID(id_)
    except (ValueError, TypeError, AttributeError):
        raise MalformedPlace("{named}: this is no place in the list", named=field, field=field) from None


def cursor_of(row: Row) -> str:
    """Where a row of the register stands, as an address carries it."""
    place = [row["place"], row["sort_key"], str(row["id"])]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _text(wanted: Wanted) -> str | None:
    """The text as LIKE takes it literally."""
    return None if wanted.text is None else wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _given(wanted: Wanted, today: date, reader: Allowed, memberships: Allowed) -> tuple[object, ...]:
    return (today, *memberships.span(), *reader.span(), _text(wanted), wanted.cluster, wanted.category, wanted.standing,
            wanted.type, wanted.position, wanted.scope)  # fmt: skip


async def register(
    connection: Connection, wanted: Wanted, today: date, *, reader: Allowed, memberships: Allowed,
    sort: str = "name", falling: bool = False, after: Place | None = None, limit: int | None = None,
) -> AsyncIterator[Row]:  # fmt: skip
    """Rows of the register in an order of `SORTS`, behind a place in it. What is private is seen within reach only.

    Row by row inside a transaction that sees one state, so that an export of everything holds one row at a time.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        given = _given(wanted, today, reader, memberships)
        rows = connection.cursor(REGISTER[sort, falling], *given, *(after or (None, None, None)), limit)
        async for row in rows:
            yield row


async def count(connection: Connection, wanted: Wanted, today: date, *, reader: Allowed, memberships: Allowed) -> int:
    """How many rows the register has with these filters."""
    return int(await connection.fetchval(COUNT, *_given(wanted, today, reader, memberships)))


async def held(connection: Connection, wanted: Wanted, today: date) -> list[UUID]:
    """The organisations that filters hold for the network, or for the cluster of `scope`, by id.

    Where no standing is asked for, those with a membership in force: what is written to all goes to members.
    """
    span: Span = (wanted.scope is None, [wanted.scope] if wanted.scope else [], [])
    rows = await connection.fetch(
        HELD, today, *span, *span, _text(wanted), wanted.cluster, wanted.category, wanted.standing, wanted.type,
        wanted.position, wanted.scope,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def facets(
    connection: Connection, wanted: Wanted, today: date, *, reader: Allowed, memberships: Allowed
) -> dict[str, dict[str, int]]:
    """For each filter, how many rows each of its values would leave, the other filters as they are."""
    found: dict[str, dict[str, int]] = {}
    beside = {"cluster": (wanted.category, wanted.standing), "category": (wanted.cluster, wanted.standing),
              "standing": (wanted.cluster, wanted.category)}  # fmt: skip
    for key, statement in FACETS.items():
        others = beside.get(key)
        rest = wanted._replace(**({"cluster": None, "category": None, "standing": None} if others else {key: None}))
        rows = await connection.fetch(statement, *_given(rest, today, reader, memberships), *(others or ()))
        found[key] = {row["value"]: row["count"] for row in rows}
    return found


async def clusters(connection: Connection) -> list[Row]:
    """Slug and name of every cluster, by name."""
    return list(await connection.fetch(CLUSTERS))


async def last_change(connection: Connection, organization_id: UUID) -> Row | None:
    """When the organisation was changed last, and what they are called who did it."""
    return await connection.fetchrow(LAST_CHANGE, organization_id)
