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


class FactTable(NamedTuple):
    """A table of received facts: the column of its aggregate, and all columns but the generation with their types."""

    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The column of the aggregate, the first one."""
        return self.columns[0][0]

    @property
    def names(self) -> str:
        """All columns but the generation."""
        return ", ".join(name for name, _ in self.columns)

    @property
    def add(self) -> str:
        """Statement that keeps facts; one that is there already stays as it is."""
        arrays = ", ".join(f"${n}::{type_}[]" for n, (_, type_) in enumerate(self.columns, start=2))
        return (
            f"INSERT INTO {self.name} (generation, {self.names}) SELECT $1, * FROM unnest({arrays})"
            " ON CONFLICT DO NOTHING"
        )

    @property
    def known(self) -> str:
        """Statement that gives all facts of the named aggregates."""
        return f"SELECT {self.names} FROM {self.name} WHERE generation = $1 AND {self.key} = ANY ($2::uuid[])"


def facts_table(name: str, key: str, *more: tuple[str, str]) -> FactTable:
    common = (
        ("version", "bigint"),
        ("id", "uuid"),
        ("type", "text"),
        ("effective", "date"),
        ("recorded", "timestamptz"),
    )
    return FactTable(name, ((key, "uuid"), *common, *more))


MEMBERSHIP_FACTS = facts_table(
    "membership_fact", "membership_id", ("organization_id", "uuid"), ("cluster_id", "uuid"), ("category", "text")
)
ORGANIZATION_FACTS = facts_table(
    "organization_fact", "organization_id", ("kind", "text"), ("state", "text"), ("positions", "jsonb")
)
CLUSTER_FACTS = facts_table("cluster_fact", "cluster_id")


class PeriodTable(NamedTuple):
    """A table of dated rows: the column of its aggregate, and its value columns with their types."""

    name: str
    key: str
    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> str:
        """All columns but the generation and the two ranges."""
        return ", ".join([self.key, *(name for name, _ in self.columns)])

    @property
    def clear(self) -> str:
        """Statement that removes the rows of the named aggregates."""
        return f"DELETE FROM {self.name} WHERE generation = $1 AND {self.key} = ANY ($2::uuid[])"

    @property
    def add(self) -> str:
        """Statement that writes rows."""
        types = ["uuid", *(type_ for _, type_ in self.columns), "date", "date", "timestamptz", "timestamptz"]
        arrays = ", ".join(f"${n}::{type_}[]" for n, type_ in enumerate(types, start=2))
        return (
            f"INSERT INTO {self.name} (generation, {self.names}, valid, known)"
            f" SELECT $1, {self.names}, daterange(since, until), tstzrange(known_since, known_until)"
            f" FROM unnest({arrays}) AS r ({self.names}, since, until, known_since, known_until)"
        )


MEMBERSHIPS = PeriodTable(
    "membership_period", "membership_id",
    (("organization_id", "uuid"), ("cluster_id", "uuid"), ("category", "text")),
)  # fmt: skip
ORGANIZATIONS = PeriodTable("organization_period", "organization_id", (("kind", "text"), ("state", "text")))
POSITIONS = PeriodTable("position_period", "organization_id", (("position", "text"),))
CLUSTERS = PeriodTable("cluster_period", "cluster_id", ())

FACT_TABLES = (MEMBERSHIP_FACTS, ORGANIZATION_FACTS, CLUSTER_FACTS)
PERIOD_TABLES = (MEMBERSHIPS, ORGANIZATIONS, POSITIONS, CLUSTERS)

# most facts of an import are the only ones of their membership: the row that they fold to goes with them
ADD_MEMBERSHIP_FACTS = f"""
WITH fact AS (
    SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::date[], $7::timestamptz[], $8::uuid[],
                         $9::uuid[], $10::text[], $11::boolean[]) AS r ({MEMBERSHIP_FACTS.names}, whole)
), kept AS (
    INSERT INTO membership_fact (generation, {MEMBERSHIP_FACTS.names})
    SELECT $1, {MEMBERSHIP_FACTS.names} FROM fact ON CONFLICT DO NOTHING
)
INSERT INTO membership_period (generation, {MEMBERSHIPS.names}, valid, known)
SELECT $1, {MEMBERSHIPS.names}, daterange(effective, NULL), tstzrange(recorded, NULL) FROM fact WHERE whole
"""

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


async def known_facts(connection: Connection, table: FactTable, generation: int, keys: Sequence[UUID]) -> list[Row]:
    """All facts of these aggregates, in the order of the table's columns."""
    return list(await connection.fetch(table.known, generation, keys))


async def add_facts(connection: Connection, table: FactTable, generation: int, facts: Sequence[Sequence[Any]]) -> None:
    """Keeps these facts, given in the order of the table's columns."""
    if facts:
        await connection.execute(table.add, generation, *zip(*facts, strict=True))


async def add_membership_facts(
    connection: Connection, generation: int, facts: Sequence[Sequence[Any]], whole: Sequence[bool]
) -> None:
    """Keeps these facts. Where `whole`, the fact's own day, instant and values are its membership's only row."""
    if facts:
        await connection.execute(ADD_MEMBERSHIP_FACTS, generation, *zip(*facts, strict=True), whole)


async def replace_periods(
    connection: Connection, table: PeriodTable, generation: int, periods: dict[UUID, list[Period]], had: Sequence[UUID]
) -> None:
    """Puts these rows in the place of those that the aggregates had; `had` are those that may have some."""
    if had:
        await connection.execute(table.clear, generation, had)
    rows = [
        (key, *value, since, until, known_since, known_until)
        for key, found in periods.items()
        for since, until, value, known_since, known_until in found
    ]
    if rows:
        await connection.execute(table.add, generation, *zip(*rows, strict=True))


async def put_labels(connection: Connection, labels: Sequence[tuple[UUID, str, str, int]]) -> None:
    """Names of clusters: (cluster, slug, name, version of the state). Newer ones and erased clusters stay."""
    if labels:
        await connection.execute(PUT_LABELS, *zip(*labels, strict=True))


async def drop_labels(connection: Connection, clusters: Sequence[UUID]) -> None:
    """Forgets the names of erased clusters."""
    if clusters:
        await connection.execute(DROP_LABELS, clusters)
