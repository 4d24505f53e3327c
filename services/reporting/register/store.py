"""The read model's own tables: facts as received, the dated rows that they fold to, the generation in use.

Functions take many rows at once. Who writes holds the apply lock, so that a generation changes only
between two batches and two batches never fold the same aggregate from different halves of its facts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from services.reporting.register.domain import Period
from shared.postgres.pool import Connection, Row

LOCK = "SELECT pg_advisory_xact_lock(apply_lock())"
GENERATIONS = "SELECT current, building FROM generation"

ADD_MEMBERSHIP_FACTS = """
WITH new AS (
    INSERT INTO membership_fact (generation, membership_id, version, id, type, effective, recorded,
                                 organization_id, cluster_id, category)
    SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::date[], $7::timestamptz[],
                             $8::uuid[], $9::uuid[], $10::text[])
    ON CONFLICT DO NOTHING
    RETURNING membership_id, version, type, effective, recorded, organization_id, cluster_id, category
)
SELECT *, true AS new FROM new
UNION ALL
SELECT membership_id, version, type, effective, recorded, organization_id, cluster_id, category, false
FROM membership_fact WHERE generation = $1 AND membership_id = ANY ($2)
  AND membership_id IN (SELECT membership_id FROM new)
"""
ADD_ORGANIZATION_FACTS = """
WITH new AS (
    INSERT INTO organization_fact (generation, organization_id, version, id, type, effective, recorded,
                                   kind, state, positions)
    SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::date[], $7::timestamptz[],
                             $8::text[], $9::text[], $10::jsonb[])
    ON CONFLICT DO NOTHING
    RETURNING organization_id, version, type, effective, recorded, kind, state, positions
)
SELECT * FROM new
UNION ALL
SELECT organization_id, version, type, effective, recorded, kind, state, positions
FROM organization_fact WHERE generation = $1 AND organization_id = ANY ($2)
  AND organization_id IN (SELECT organization_id FROM new)
"""
ADD_CLUSTER_FACTS = """
WITH new AS (
    INSERT INTO cluster_fact (generation, cluster_id, version, id, type, effective, recorded)
    SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::date[], $7::timestamptz[])
    ON CONFLICT DO NOTHING
    RETURNING cluster_id, version, type, effective, recorded
)
SELECT * FROM new
UNION ALL
SELECT cluster_id, version, type, effective, recorded
FROM cluster_fact WHERE generation = $1 AND cluster_id = ANY ($2) AND cluster_id IN (SELECT cluster_id FROM new)
"""


class PeriodTable(NamedTuple):
    """A table of dated rows: the column of its aggregate, and its value columns with their types."""

    name: str
    key: str
    columns: tuple[tuple[str, str], ...]

    @property
    def replace(self) -> str:
        """Statement that puts rows in the place of those that the named aggregates had."""
        names = [self.key, *(name for name, _ in self.columns)]
        types = ["uuid", *(type_ for _, type_ in self.columns)]
        first = 3
        arrays = ", ".join(f"${first + n}::{type_}[]" for n, type_ in enumerate(types))
        dates = first + len(types)
        return f"""
WITH gone AS (DELETE FROM {self.name} WHERE generation = $1 AND {self.key} = ANY ($2::uuid[]))
INSERT INTO {self.name} (generation, {", ".join(names)}, valid, known)
SELECT $1, {", ".join(names)}, daterange(since, until), tstzrange(known_since, known_until)
FROM unnest({arrays}, ${dates}::date[], ${dates + 1}::date[], ${dates + 2}::timestamptz[], ${dates + 3}::timestamptz[])
    AS r ({", ".join(names)}, since, until, known_since, known_until)
"""


MEMBERSHIPS = PeriodTable(
    "membership_period", "membership_id",
    (("organization_id", "uuid"), ("cluster_id", "uuid"), ("category", "text")),
)  # fmt: skip
ORGANIZATIONS = PeriodTable("organization_period", "organization_id", (("kind", "text"), ("state", "text")))
POSITIONS = PeriodTable("position_period", "organization_id", (("position", "text"),))
CLUSTERS = PeriodTable("cluster_period", "cluster_id", ())

TABLES = (
    "membership_fact", "organization_fact", "cluster_fact",
    "membership_period", "organization_period", "position_period", "cluster_period",
)  # fmt: skip
"""All tables that have a generation."""

PUT_LABELS = """
INSERT INTO label AS known (cluster_id, slug, name, version)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS r (cluster_id, slug, name, version)
WHERE NOT EXISTS (
    SELECT FROM state_seen WHERE topic = 'membership.cluster.state' AND key = r.cluster_id::text AND erased
)
ON CONFLICT (cluster_id) DO UPDATE SET slug = excluded.slug, name = excluded.name, version = excluded.version
WHERE known.version <= excluded.version
"""
DROP_LABELS = "DELETE FROM label WHERE cluster_id = ANY ($1)"


class Generations(NamedTuple):
    """The generation that is read, and the one that is being built beside it."""

    current: int
    building: int | None

    @property
    def written(self) -> tuple[int, ...]:
        """Where a fact from the bus goes."""
        return (self.current,) if self.building is None else (self.current, self.building)


async def locked_generations(connection: Connection) -> Generations:
    """The generations, which stay as they are until the transaction ends. Takes the apply lock."""
    await connection.execute(LOCK)
    # a statement of its own: its snapshot is taken once the lock is held
    return await generations(connection)


async def generations(connection: Connection) -> Generations:
    """The generations as they are at this moment."""
    row = await connection.fetchrow(GENERATIONS)
    assert row is not None
    return Generations(row["current"], row["building"])


async def add_membership_facts(connection: Connection, generation: int, facts: Sequence[tuple[Any, ...]]) -> list[Row]:
    """Keeps the facts that are new; gives all facts, old and new, of the memberships that have new ones."""
    return list(await connection.fetch(ADD_MEMBERSHIP_FACTS, generation, *zip(*facts, strict=True)))


async def add_organization_facts(
    connection: Connection, generation: int, facts: Sequence[tuple[Any, ...]]
) -> list[Row]:
    """The same for organisations."""
    return list(await connection.fetch(ADD_ORGANIZATION_FACTS, generation, *zip(*facts, strict=True)))


async def add_cluster_facts(connection: Connection, generation: int, facts: Sequence[tuple[Any, ...]]) -> list[Row]:
    """The same for clusters."""
    return list(await connection.fetch(ADD_CLUSTER_FACTS, generation, *zip(*facts, strict=True)))


async def replace_periods(
    connection: Connection, table: PeriodTable, generation: int, periods: dict[UUID, list[Period]]
) -> None:
    """Puts these rows in the place of those that the aggregates had; one without rows has none then."""
    if not periods:
        return
    rows = [
        (key, *value, since, until, known_since, known_until)
        for key, found in periods.items()
        for since, until, value, known_since, known_until in found
    ]
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * (5 + len(table.columns))
    await connection.execute(table.replace, generation, list(periods), *columns)


async def put_labels(connection: Connection, labels: Sequence[tuple[UUID, str, str, int]]) -> None:
    """Names of clusters: (cluster, slug, name, version of the state). Newer ones and erased clusters stay."""
    if labels:
        await connection.execute(PUT_LABELS, *zip(*labels, strict=True))


async def drop_labels(connection: Connection, clusters: Sequence[UUID]) -> None:
    """Forgets the names of erased clusters."""
    if clusters:
        await connection.execute(DROP_LABELS, clusters)
