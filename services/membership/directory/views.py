"""The directory: members in force of some cluster, found by words and facets, with counts beside the facets.

It shows what the whole network may see of a company, or what the public may. A count beside a value is what there
would be with it, all other facets as they are.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import orjson

from services.membership.directory.domain import FACETS, Asked, Facet, plain
from services.membership.places import STATES
from shared.postgres.pool import Connection, Row

Audience = Literal["network", "public"]
Place = tuple[str, str]
"""Where a row stands: the key of its name, its id."""


def _part(name: str, value: str, nothing: str) -> str:
    """A part of the profile where the audience sees it. $4: whether the audience is the public."""
    level = f"coalesce(p.visibility ->> '{name}', 'network')"
    return f"CASE WHEN {level} = 'public' OR (NOT $4 AND {level} = 'network') THEN {value} ELSE {nothing} END"


_NONE = "'{}'::text[]"
_COLUMN: dict[Facet, str] = {
    "process": "processes", "standard": "standards", "sector": "sectors", "position": "positions", "type": "types",
    "size": "sizes", "state": "states", "cluster": "clusters",
}  # fmt: skip
_FITS = ", ".join(
    f"(cardinality(${n}::text[]) = 0 OR {_COLUMN[facet]} && ${n}) AS fits_{facet}" for n, facet in enumerate(FACETS, 5)
)
FOUND = f"""
WITH belonging AS (
    SELECT x.organization_id, array_agg(k.slug ORDER BY k.sort_key) AS clusters,
           array_agg(k.name ORDER BY k.sort_key) AS names
    FROM (
        SELECT organization_id, cluster_id FROM membership WHERE standing IN ('active', 'grace')
        UNION  -- a branch belongs where its company does
        SELECT b.organization_id, m.cluster_id FROM profile b JOIN membership m ON m.organization_id = b.parent_id
        WHERE m.standing IN ('active', 'grace')
    ) x JOIN cluster k ON k.id = x.cluster_id
    GROUP BY x.organization_id
), certified AS (
    SELECT organization_id, array_agg(DISTINCT standard) AS standards FROM certificate
    WHERE since <= $1 AND until > $1 GROUP BY organization_id
), positioned AS (
    SELECT organization_id, array_agg(position ORDER BY position) AS positions FROM organization_position
    WHERE period @> $1::date GROUP BY organization_id
), shown AS (
    SELECT o.id, o.slug, o.trade_name, o.legal_name, o.country, o.state, o.city, o.sort_key, m.names,
           ARRAY[o.type] AS types, m.clusters, coalesce(q.positions, {_NONE}) AS positions,
           coalesce({_part("processes", "p.processes", _NONE)}, {_NONE}) AS processes,
           coalesce({_part("sectors", "p.sectors", _NONE)}, {_NONE}) AS sectors,
           coalesce({_part("products", "p.products", _NONE)}, {_NONE}) AS products,
           coalesce({_part("certificates", "c.standards", _NONE)}, {_NONE}) AS standards,
           CASE WHEN p.size IS NULL THEN {_NONE} ELSE {_part("size", "ARRAY[p.size]", _NONE)} END AS sizes,
           CASE WHEN o.state IS NULL OR o.country <> 'MX' THEN {_NONE} ELSE ARRAY[o.state] END AS states
    FROM organization o
    JOIN belonging m ON m.organization_id = o.id
    LEFT JOIN profile p ON p.organization_id = o.id
    LEFT JOIN certified c ON c.organization_id = o.id
    LEFT JOIN positioned q ON q.organization_id = o.id
    WHERE (NOT $4 OR p.visibility::text LIKE '%"public"%')
      AND (cardinality($2::text[]) = 0 OR (
          replace(o.sort_key, E'\\x7f', '') || ' ' || o.normalised_name || ' '
          || coalesce(CASE WHEN $4 THEN p.public_words ELSE p.words END, '') || ' '
          || coalesce(unaccent(lower(o.city)), '') || ' '
          || coalesce($3::jsonb ->> (o.country || o.state), lower(o.state), '')
      ) LIKE ALL ($2))
), found AS MATERIALIZED (SELECT *, {_FITS} FROM shown)
"""
_ALL = " AND ".join(f"fits_{facet}" for facet in FACETS)


def _counted(facet: Facet) -> str:
    others = " AND ".join(f"fits_{other}" for other in FACETS if other != facet)
    return (
        f"SELECT '{facet}' AS facet, value, count(*) AS count FROM found, unnest({_COLUMN[facet]}) AS value"
        f" WHERE {others} GROUP BY value"
    )


COUNTS = (
    FOUND + f"SELECT 'all' AS facet, '' AS value, count(*) AS count FROM found WHERE {_ALL} UNION ALL "
    + " UNION ALL ".join(_counted(facet) for facet in FACETS)
)  # fmt: skip


def _ordered(sign: str, way: str) -> str:
    return FOUND + f"""
SELECT id, slug, trade_name, legal_name, country, state, city, sort_key, names, types[1] AS type, positions, processes,
       sectors, products, standards, sizes[1] AS size, coalesce(state = $15, false) AS same_state,
       coalesce(unaccent(lower(city)) = $16, false) AND coalesce(state = $15, false) AS same_city
FROM found WHERE {_ALL} AND ($13::text IS NULL OR (sort_key, id::text) {sign} ($13 COLLATE "C", $14::text))
ORDER BY sort_key {way}, id::text {way} LIMIT $17
"""  # fmt: skip


ROWS, ROWS_BEFORE = _ordered(">", "ASC"), _ordered("<", "DESC")
# few rows are looked up by their keys here, nearly all are put together: a planner that does not yet know how many
# there are (a register was just imported) goes through them pair by pair, which takes minutes
PLAN = "SET LOCAL enable_nestloop = off; SET LOCAL jit = off"
CLUSTERS = "SELECT slug, name FROM cluster ORDER BY sort_key"


class Counts(NamedTuple):
    """How many there are, and for each facet how many with each of its values."""

    total: int
    facets: Mapping[Facet, Mapping[str, int]]


_NAMES = orjson.dumps({f"MX{code}": plain(f"{name} {code}") for code, name in STATES.items()}).decode()


def _given(asked: Asked, today: date, audience: Audience) -> list[Any]:
    words = [word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for word in asked.words()]
    return [
        today,
        [f"%{word}%" for word in words],
        _NAMES,
        audience == "public",
        *(list(getattr(asked, facet)) for facet in FACETS),
    ]


async def counts(connection: Connection, asked: Asked, today: date, audience: Audience) -> Counts:
    """The counts beside the facets."""
    facets: dict[Facet, dict[str, int]] = {facet: {} for facet in FACETS}
    total = 0
    async with connection.transaction(readonly=True):
        await connection.execute(PLAN)
        found = await connection.fetch(COUNTS, *_given(asked, today, audience))
    for row in found:
        if row["facet"] == "all":
            total = row["count"]
        else:
            facets[row["facet"]][row["value"]] = row["count"]
    return Counts(total, facets)


async def rows(
    connection: Connection, asked: Asked, today: date, audience: Audience, *, after: Place | None = None,
    before: Place | None = None, limit: int | None = None, near: tuple[str | None, str | None] = (None, None),
) -> list[Row]:  # fmt: skip
    """Companies by name behind a place in the list, or before one, the nearest first.

    `near` is a state and a city, to say who is there too.
    """
    state, city = near
    async with connection.transaction(readonly=True):
        await connection.execute(PLAN)
        found = await connection.fetch(
            ROWS_BEFORE if before else ROWS, *_given(asked, today, audience), *(before or after or (None, None)),
            state, plain(city) or None, limit,
        )  # fmt: skip
    return list(found)


async def every(
    connection: Connection, asked: Asked, today: date, audience: Audience, at_once: int = 500
) -> AsyncIterator[Sequence[Row]]:
    """All companies, some at a time."""
    after: Place | None = None
    while True:
        found = await rows(connection, asked, today, audience, after=after, limit=at_once)
        yield found
        if len(found) < at_once:
            return
        after = found[-1]["sort_key"], str(found[-1]["id"])


async def clusters(connection: Connection) -> dict[str, str]:
    """The names of the clusters by slug."""
    return {row["slug"]: row["name"] for row in await connection.fetch(CLUSTERS)}
