"""Every figure out of the dated rows: what each indicator counts, divided and in all, as of a day, as known then.

A source gives one row for each thing that is counted, with whose it is; values, divisions and the list behind a figure
are read from the same rows, so that they agree. An instant of None means all that is known now.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from services.reporting.catalogue.domain import FEWEST, NO_POSITION, UNKNOWN, Code, Dimension, Indicator, hidden
from shared.http.policy import WHOLE, Span
from shared.postgres.pool import Connection, Row


class Asked(NamedTuple):
    """The times and the part of the network that a figure speaks of; `since` is the first day of a period."""

    as_of: date
    known_on: datetime | None
    cluster: UUID | None = None
    since: date | None = None

    @property
    def parameters(self) -> tuple[date, datetime | None, UUID | None, date]:
        """As every statement takes them: $1 to $4."""
        return self.as_of, self.known_on, self.cluster, self.since or self.as_of


def _now(table: str) -> str:
    """Rows of the generation in use, as known at $2."""
    return (f"{table}.generation = (SELECT current FROM generation)"
            f" AND coalesce({table}.known @> $2::timestamptz, upper_inf({table}.known))")  # fmt: skip


def _pair(other: str, table: str, condition: str) -> str:
    """Whether the same organisation and cluster have another row of which the condition holds."""
    return f"""EXISTS (SELECT FROM membership_period {other}
    WHERE {other}.organization_id = {table}.organization_id AND {other}.cluster_id = {table}.cluster_id
      AND {_now(other)} AND {condition})"""


_MEMBERSHIP = "m.membership_id, m.organization_id, m.cluster_id, m.category"
_IN_FORCE = f"FROM membership_period m WHERE {_now('m')} AND m.valid @> $1::date"
_PLACES = f"""
SELECT r.registration_id, r.gathering_id, r.organization_id, g.cluster_id, g.kind, g.mode, r.price_group, r.attended,
       g.status, g.day
FROM registration_period r
JOIN gathering_period g ON g.gathering_id = r.gathering_id AND {_now("g")} AND g.valid @> $1::date
WHERE {_now("r")} AND r.valid @> $1::date AND r.status = 'confirmed' AND g.day >= $4::date
"""
# a membership that was merged into another keeps its days beside that one's: the pair counts, and counts once
SOURCES: dict[str, str] = {
    "in_force": f"SELECT {_MEMBERSHIP}, $1::date AS day {_IN_FORCE}",
    "joined": f"""
SELECT {_MEMBERSHIP}, lower(m.valid) AS day FROM membership_period m
WHERE {_now("m")} AND lower(m.valid) BETWEEN $4::date AND $1::date
  AND NOT {_pair("b", "m", "b.valid @> lower(m.valid) - 1")}""",
    "left": f"""
SELECT {_MEMBERSHIP}, upper(m.valid) AS day FROM membership_period m
WHERE {_now("m")} AND upper(m.valid) BETWEEN $4::date AND $1::date
  AND NOT {_pair("b", "m", "b.valid @> upper(m.valid)")}""",
    "changed": f"""
SELECT {_MEMBERSHIP}, lower(m.valid) AS day FROM membership_period m
WHERE {_now("m")} AND lower(m.valid) BETWEEN $4::date AND $1::date
  AND {_pair("b", "m", "upper(b.valid) = lower(m.valid) AND b.category <> m.category")}""",
    "age": f"""
SELECT (array_agg(m.membership_id ORDER BY m.membership_id))[1] AS membership_id, m.organization_id, m.cluster_id,
       min(m.category) AS category, min(b.first) AS day, $1::date - min(b.first) AS days
FROM membership_period m
JOIN (SELECT b.organization_id, b.cluster_id, min(lower(b.valid)) AS first FROM membership_period b
      WHERE {_now("b")} AND lower(b.valid) <= $1::date GROUP BY b.organization_id, b.cluster_id) AS b
    ON b.organization_id = m.organization_id AND b.cluster_id = m.cluster_id
WHERE {_now("m")} AND m.valid @> $1::date GROUP BY m.organization_id, m.cluster_id""",
    "base": f"""
SELECT DISTINCT ON (m.organization_id, m.cluster_id) {_MEMBERSHIP}, $4::date AS day,
       {_pair("b", "m", "b.valid @> $1::date")} AS kept
FROM membership_period m WHERE {_now("m")} AND m.valid @> $4::date
ORDER BY m.organization_id, m.cluster_id, m.membership_id""",
    "applications": """
SELECT f.id AS fact_id, f.membership_id, f.organization_id, f.cluster_id, f.category, f.effective AS day
FROM membership_fact f
WHERE f.generation = (SELECT current FROM generation) AND f.type = 'MembershipApplied'
  AND f.effective BETWEEN $4::date AND $1::date AND coalesce(f.recorded <= $2::timestamptz, true)""",
    "decisions": """
SELECT d.id AS fact_id, d.membership_id, d.organization_id, d.cluster_id, d.category, d.effective AS day,
       d.effective - a.effective AS days
FROM membership_fact d
JOIN LATERAL (
    SELECT b.effective, b.type FROM membership_fact b
    WHERE b.generation = d.generation AND b.membership_id = d.membership_id AND b.version < d.version
      AND b.type IN ('MembershipApplied', 'MembershipApproved', 'MembershipRefused')
    ORDER BY b.version DESC LIMIT 1
) AS a ON a.type = 'MembershipApplied'
WHERE d.generation = (SELECT current FROM generation) AND d.type IN ('MembershipApproved', 'MembershipRefused')
  AND d.effective BETWEEN $4::date AND $1::date AND coalesce(d.recorded <= $2::timestamptz, true)""",
    "held": f"""
SELECT g.gathering_id, NULL::uuid AS organization_id, g.cluster_id, g.kind, g.mode, g.day FROM gathering_period g
WHERE {_now("g")} AND g.valid @> $1::date AND g.status = 'held' AND g.day BETWEEN $4::date AND $1::date""",
    "registrations": f"{_PLACES} AND g.status IN ('published', 'held')",
    "attendance": f"{_PLACES} AND r.attended AND g.day <= $1::date AND g.status <> 'cancelled'",
    "places": f"{_PLACES} AND g.status = 'held' AND g.day <= $1::date",
    "reached": f"""
SELECT DISTINCT ON (m.organization_id, m.cluster_id) {_MEMBERSHIP}, $1::date AS day,
       a.organization_id IS NOT NULL AS came
FROM membership_period m
LEFT JOIN (SELECT DISTINCT p.organization_id FROM ({_PLACES} AND r.attended AND g.day <= $1::date) AS p) AS a
    ON a.organization_id = m.organization_id
WHERE {_now("m")} AND m.valid @> $1::date
ORDER BY m.organization_id, m.cluster_id, m.membership_id""",
    "ending": f"""
SELECT c.certificate_id, c.organization_id, m.cluster_id, c.standard, upper(c.valid) AS day
FROM certificate_period c
JOIN membership_period m ON m.organization_id = c.organization_id AND {_now("m")} AND m.valid @> $1::date
WHERE {_now("c")} AND c.valid @> $1::date AND upper(c.valid) <= $1::date + 60""",
    "notices": f"""
SELECT n.message_id, n.organization_id, n.cluster_id, n.subject, n.answered, n.day FROM message_period n
WHERE {_now("n")} AND n.valid @> $1::date AND n.day BETWEEN $4::date AND $1::date""",
}  # fmt: skip
"""What is counted: one row each, with the day, whose it is, and what the value is made of."""

_PAIRS = "count(DISTINCT (x.cluster_id, x.organization_id, x.day))"
VALUES: dict[Code, str] = {
    "members": "count(DISTINCT (x.cluster_id, x.organization_id))",
    "organizations": "count(DISTINCT x.organization_id)",
    "membership_age": "round(avg(x.days) / 365.25, 1)",
    "joined": _PAIRS, "left": _PAIRS, "category_changed": _PAIRS,
    "churn": "round(100.0 * count(*) FILTER (WHERE NOT x.kept) / nullif(count(*), 0), 1)",
    "retention": "round(100.0 * count(*) FILTER (WHERE x.kept) / nullif(count(*), 0), 1)",
    "applications": "count(DISTINCT x.fact_id)",
    "decision_days": "round((percentile_cont(0.5) WITHIN GROUP (ORDER BY x.days))::numeric, 1)",
    "gatherings": "count(DISTINCT x.gathering_id)",
    "registrations": "count(DISTINCT x.registration_id)",
    "attendance": "count(DISTINCT x.registration_id)",
    "no_shows": "round(100.0 * count(*) FILTER (WHERE NOT x.attended) / nullif(count(*), 0), 1)",
    "reach": "round(100.0 * count(*) FILTER (WHERE x.came) / nullif(count(*), 0), 1)",
    "certificates_ending": "count(DISTINCT x.certificate_id)",
    "notices": "count(DISTINCT x.message_id)",
    "notices_answered": "round(100.0 * count(*) FILTER (WHERE x.answered) / nullif(count(*), 0), 1)",
}  # fmt: skip

KEYS: dict[Dimension, str] = {
    "cluster": "coalesce(x.cluster_id::text, '')",
    "category": "x.category",
    "type": f"coalesce(o.kind, '{UNKNOWN}')",
    "position": f"coalesce(p.position, CASE WHEN o.organization_id IS NULL THEN '{UNKNOWN}' ELSE '{NO_POSITION}' END)",
    "state": f"coalesce(o.state, '{UNKNOWN}')",
    "sector": f"coalesce(s.sector, '{UNKNOWN}')",
    "age": "CASE WHEN x.days < 365 THEN '0' WHEN x.days < 1096 THEN '1' WHEN x.days < 1826 THEN '3'"
           " WHEN x.days < 3652 THEN '5' ELSE '10' END",
    "kind": "x.kind",
    "mode": "x.mode",
    "price_group": f"coalesce(x.price_group, '{UNKNOWN}')",
    "standard": "x.standard",
    "subject": "x.subject",
}  # fmt: skip


def _attribute(table: str, alias: str) -> str:
    return (f"LEFT JOIN {table} {alias} ON {alias}.organization_id = x.organization_id AND {_now(alias)}"
            f" AND {alias}.valid @> $1::date\n")  # fmt: skip


ORGANIZATION = _attribute("organization_period", "o")
POSITION = _attribute("position_period", "p")
SECTOR = _attribute("sector_period", "s")
IN_NETWORK = f"SELECT c.cluster_id::text FROM cluster_period c WHERE {_now('c')} AND c.valid @> $1::date"
LABELS = "SELECT cluster_id::text AS cluster, slug, name FROM label"
# a parameter that a source does not need has a type all the same
_WHERE = ("WHERE ($3::uuid IS NULL OR x.cluster_id = $3) AND ($2::timestamptz IS NULL OR true)"
          " AND ($4::date IS NULL OR true) AND ($1::date IS NULL OR true)")  # fmt: skip


def statement(indicator: Indicator, by: Sequence[Dimension]) -> str:
    """The SELECT of an indicator: one column per dimension, then `value`, then `size`, the organisations behind it."""
    joins = ORGANIZATION if {"type", "state", "position"} & set(by) else ""
    joins += POSITION if "position" in by else ""
    joins += SECTOR if "sector" in by else ""
    size = "count(DISTINCT x.organization_id)" if indicator.hides else "NULL::bigint"
    columns = [*(f"{KEYS[dimension]} AS {dimension}" for dimension in by), f"{VALUES[indicator.code]} AS value",
               f"{size} AS size"]  # fmt: skip
    grouping = f" GROUP BY {', '.join(str(n + 1) for n in range(len(by)))}" if by else ""
    return f"SELECT {', '.join(columns)} FROM ({SOURCES[indicator.source]}) AS x {joins}{_WHERE}{grouping}"


class Value(NamedTuple):
    """A value, None where there is nothing to compare, and of how many organisations it speaks (None: no matter)."""

    value: Decimal | int | None
    size: int | None


async def total(connection: Connection, indicator: Indicator, asked: Asked) -> Value:
    """The figure as a whole."""
    row = await connection.fetchrow(statement(indicator, ()), *asked.parameters)
    assert row is not None
    return Value(row["value"], row["size"])


async def divided(
    connection: Connection, indicator: Indicator, asked: Asked, by: Sequence[Dimension]
) -> list[dict[str, Any]]:
    """The figure divided: dicts of the dimensions, `value` and `size`, the largest first."""
    rows = [dict(row) for row in await connection.fetch(statement(indicator, by), *asked.parameters)]
    return sorted(rows, key=lambda row: (-(row["value"] or 0), *(row[dimension] for dimension in by)))


async def clusters_in_network(connection: Connection, asked: Asked) -> set[str]:
    """Clusters that belong to the network on the day."""
    return {row[0] for row in await connection.fetch(IN_NETWORK, asked.as_of, asked.known_on)}


async def cluster_labels(connection: Connection) -> dict[str, Row]:
    """`slug` and `name` of the clusters as they are now."""
    return {row["cluster"]: row for row in await connection.fetch(LABELS)}


# --- what is counted, one by one -----------------------------------------------------------------

_FACT = {
    "membership": ("membership_fact", "membership_id"), "gathering": ("gathering_fact", "gathering_id"),
    "registration": ("registration_fact", "registration_id"), "certificate": ("profile_fact", "organization_id"),
    "message": ("message_fact", "message_id"),
}  # fmt: skip
_KIND_OF = {
    "held": "gathering", "registrations": "registration", "attendance": "registration", "places": "registration",
    "ending": "certificate", "notices": "message",
}  # fmt: skip
_ROW_KEY = {
    "held": "x.gathering_id::text", "registrations": "x.registration_id::text", "attendance": "x.registration_id::text",
    "places": "x.registration_id::text", "ending": "x.certificate_id::text", "applications": "x.fact_id::text",
    "decisions": "x.fact_id::text", "notices": "x.message_id::text",
}  # fmt: skip
_DETAIL = {
    "base": "CASE WHEN x.kept THEN 'kept' ELSE 'lost' END",
    "places": "CASE WHEN x.attended THEN 'came' ELSE 'absent' END",
    "reached": "CASE WHEN x.came THEN 'came' ELSE 'absent' END", "decisions": "x.days::text", "age": "x.days::text",
    "ending": "x.standard", "notices": "CASE WHEN x.answered THEN 'answered' ELSE 'sent' END",
}  # fmt: skip


def counted_statement(indicator: Indicator) -> str:
    """The rows that a figure counts, each once, by their key, with the newest fact about each."""
    source = indicator.source
    kind = _KIND_OF.get(source, "membership")
    table, column = _FACT[kind]
    pair = "x.organization_id::text || x.cluster_id::text || x.day::text"
    key = "x.organization_id::text" if indicator.code == "organizations" else _ROW_KEY.get(source, pair)
    about = f"x.{column}"
    has_gathering = "x.gathering_id" if kind in ("gathering", "registration") else "NULL::uuid"
    return f"""
SELECT c.key, c.day, c.detail, c.organization_id, o.title AS organization, o.slug AS organization_slug, c.cluster_id,
       c.gathering_id, g.title AS gathering, g.slug AS gathering_slug, f.id AS fact_id, f.type, f.version, f.effective,
       f.recorded
FROM (
    SELECT DISTINCT ON (key) {key} COLLATE "C" AS key, x.day, {_DETAIL.get(source, "NULL::text")} AS detail,
           x.organization_id, x.cluster_id, {has_gathering} AS gathering_id, {about} AS about
    FROM ({SOURCES[source]}) AS x {_WHERE}
      AND ($7 OR x.cluster_id = ANY ($8::uuid[]) OR x.organization_id = ANY ($9::uuid[]))
    ORDER BY key
) AS c
LEFT JOIN name o ON o.id = c.organization_id
LEFT JOIN name g ON g.id = c.gathering_id
LEFT JOIN LATERAL (
    SELECT f.id, f.type, f.version, f.effective, f.recorded FROM {table} f
    WHERE f.generation = (SELECT current FROM generation) AND f.{column} = c.about
      AND coalesce(f.recorded <= $2::timestamptz, true)
    ORDER BY f.version DESC LIMIT 1
) AS f ON true
WHERE ($5::text IS NULL OR c.key > $5 COLLATE "C") ORDER BY c.key LIMIT $6
"""


async def counted(
    connection: Connection, indicator: Indicator, asked: Asked, after: str | None, limit: int, span: Span = WHOLE
) -> list[Row]:
    """What the figure counts within a reach, in pages by `key`."""
    return list(await connection.fetch(counted_statement(indicator), *asked.parameters, after, limit, *span))


class Figure(NamedTuple):
    """An answer: the value and its rows; a value is None where it is hidden or where there is nothing to compare."""

    value: float | int | None
    hidden: bool
    rows: list[dict[str, Any]]


async def figure_of(connection: Connection, indicator: Indicator, asked: Asked, by: Sequence[Dimension]) -> Figure:
    """The figure in all and divided, with small groups hidden where the indicator says so."""
    whole = await total(connection, indicator, asked)
    rows = await divided(connection, indicator, asked, by) if by else []
    few = indicator.hides and (whole.size or 0) < FEWEST and whole.value is not None
    places = hidden([row["size"] for row in rows]) if indicator.hides and not few else set()
    shown = []
    for place, row in enumerate(rows):
        gone = few or place in places
        told: dict[str, Any] = {dimension: row[dimension] for dimension in by}
        told["value"] = None if gone else _plain(row["value"], indicator)
        shown.append(told)
        if indicator.hides:
            shown[-1]["hidden"] = gone
    return Figure(None if few else _plain(whole.value, indicator), few, shown)


def _plain(value: Decimal | int | None, indicator: Indicator) -> float | int | None:
    if value is None:
        return None
    return float(value) if indicator.decimals else int(value)
