"""Organisations that are likely the same: nearly the same name in one country, one tax number in two, one mail domain.

In one country a tax number cannot be in the register twice. What was compared is kept; of what was not yet, the newest
are compared while one waits. Only pairs of which the reader may see both are listed.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

Why = Literal["tax", "name", "mail"]
LIKE = "SET LOCAL pg_trgm.similarity_threshold = 0.6"
"""From how like two names are a pair: "moldes del bravo" and "moldes del bravo sur" are, two of one kind are not."""
AT_ONCE = 300
"""How many that were not compared yet are while somebody waits."""
PUBLIC_DOMAINS = (
    "gmail.com", "hotmail.com", "outlook.com", "outlook.es", "live.com", "live.com.mx", "yahoo.com", "yahoo.com.mx",
    "yahoo.es", "icloud.com", "prodigy.net.mx", "msn.com", "proton.me", "aol.com",
)  # fmt: skip
"""Where everybody has an address: it says nothing about a company."""
NOT_COMPARED = """
SELECT o.id FROM organization o LEFT JOIN compared c ON c.organization_id = o.id
WHERE c.organization_id IS NULL
   OR (c.normalised_name, c.tax_number) IS DISTINCT FROM (o.normalised_name, o.tax_number)
ORDER BY o.id DESC LIMIT $1
"""
SIMILAR = """
SELECT DISTINCT least(a.id, b.id) AS one, greatest(a.id, b.id) AS other,
       similarity(a.normalised_name, b.normalised_name)::float8 AS likeness, b.country = a.country AS by_name,
       b.country <> a.country AS by_tax
FROM organization a CROSS JOIN LATERAL (
    SELECT b.id, b.country, b.normalised_name FROM organization b
    WHERE b.normalised_name % a.normalised_name AND b.id <> a.id AND b.country = a.country
    UNION ALL
    SELECT b.id, b.country, b.normalised_name FROM organization b
    WHERE b.tax_number = a.tax_number AND b.id <> a.id AND b.country <> a.country
) AS b
WHERE a.id = ANY ($1::uuid[])
"""
PAIRS = f"""
WITH reached AS (
    SELECT o.id, o.slug, o.trade_name, o.legal_name, o.country, o.state, o.city, o.tax_number, o.normalised_name
    FROM organization o
    WHERE $1 OR o.id = ANY ($3::uuid[]) OR EXISTS (
        SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($2::uuid[]))
), named AS (
    SELECT p.one, p.other, p.likeness, p.by_name, p.by_tax FROM similar_pair p
    WHERE p.one <> ALL ($6::uuid[]) AND p.other <> ALL ($6::uuid[])
    UNION ALL SELECT * FROM ({SIMILAR.replace("$1", "$6")}) AS live
), mailed AS (
    SELECT DISTINCT r.organization_id AS one, s.organization_id AS other
    FROM person p JOIN person_organization r ON r.person_id = p.id AND upper_inf(r.period)
    JOIN person q ON split_part(q.mail_key, '@', 2) = split_part(p.mail_key, '@', 2)
    JOIN person_organization s ON s.person_id = q.id AND upper_inf(s.period) AND s.organization_id > r.organization_id
    WHERE split_part(p.mail_key, '@', 2) <> ALL ($4::text[])
), pairs AS (
    SELECT coalesce(n.one, m.one) AS one, coalesce(n.other, m.other) AS other, coalesce(n.likeness, 0) AS likeness,
           coalesce(n.by_name, false) AS by_name, coalesce(n.by_tax, false) AS by_tax, m.one IS NOT NULL AS by_mail
    FROM named n FULL JOIN mailed m ON (m.one, m.other) = (n.one, n.other)
)
SELECT a.id AS one_id, a.slug AS one_slug, a.trade_name AS one_name, a.legal_name AS one_legal, a.state AS one_state,
       a.city AS one_city, a.tax_number AS one_tax, b.id AS other_id, b.slug AS other_slug, b.trade_name AS other_name,
       b.legal_name AS other_legal, b.state AS other_state, b.city AS other_city, b.tax_number AS other_tax,
       a.country, p.likeness, p.by_name, p.by_tax, p.by_mail
FROM pairs p JOIN reached a ON a.id = p.one JOIN reached b ON b.id = p.other
WHERE NOT EXISTS (SELECT FROM not_duplicate n WHERE n.one = p.one AND n.other = p.other)
ORDER BY p.by_tax DESC, p.by_mail DESC, p.likeness DESC, a.trade_name, a.id, b.id LIMIT $5
"""


class Side(NamedTuple):
    """One organisation of a pair."""

    id: UUID
    slug: str
    trade_name: str
    legal_name: str
    state: str | None
    city: str | None
    tax_number: str | None


class Pair(NamedTuple):
    """Two that are likely one. `likeness` of their names goes from 0 to 1; `why` holds at least one reason."""

    one: Side
    other: Side
    country: str
    likeness: float
    why: tuple[Why, ...]


async def likely(connection: Connection, reader: Allowed, limit: int) -> list[Pair]:
    """Likely duplicates within a reader's reach, the likeliest first."""
    async with connection.transaction(readonly=True):
        await connection.execute(LIKE)
        fresh = await not_compared(connection, AT_ONCE)
        rows = await connection.fetch(PAIRS, *reader.span(), list(PUBLIC_DOMAINS), limit, fresh)
    return [
        Pair(
            _side(row, "one"), _side(row, "other"), row["country"], round(row["likeness"], 2),
            tuple(why for why, holds in _REASONS if row[holds]),
        )
        for row in rows
    ]  # fmt: skip


async def not_compared(connection: Connection, limit: int) -> list[UUID]:
    """Organisations whose name or number was not compared as it is now, the newest first."""
    return [row["id"] for row in await connection.fetch(NOT_COMPARED, limit)]


async def similar(connection: Connection, ids: Sequence[UUID]) -> list[Row]:
    """The pairs of these with any other: (one, other, likeness, by_name, by_tax)."""
    await connection.execute(LIKE)
    return list(await connection.fetch(SIMILAR, ids))


_REASONS: tuple[tuple[Why, str], ...] = (
    ("tax", "by_tax"), ("name", "by_name"), ("mail", "by_mail"),
)  # fmt: skip


def _side(row: Row, at: str) -> Side:
    return Side(row[f"{at}_id"], row[f"{at}_slug"], row[f"{at}_name"], row[f"{at}_legal"], row[f"{at}_state"],
                row[f"{at}_city"], row[f"{at}_tax"])  # fmt: skip
