"""Organisations that are likely the same: nearly the same name in one country, or one mail domain of their own.

The same tax number cannot be in the register twice. Only pairs of which the reader may see both are listed.
"""

from typing import Literal, NamedTuple
from uuid import UUID

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

Why = Literal["name", "mail"]
LIKE = "SET LOCAL pg_trgm.similarity_threshold = 0.6"
"""From how like two names are a pair: "moldes del bravo" and "moldes del bravo sur" are, two of one kind are not."""
PUBLIC_DOMAINS = (
    "gmail.com", "hotmail.com", "outlook.com", "outlook.es", "live.com", "live.com.mx", "yahoo.com", "yahoo.com.mx",
    "yahoo.es", "icloud.com", "prodigy.net.mx", "msn.com", "proton.me", "aol.com",
)  # fmt: skip
"""Where everybody has an address: it says nothing about a company."""
PAIRS = """
WITH reached AS (
    SELECT o.id, o.slug, o.trade_name, o.legal_name, o.country, o.state, o.city, o.tax_number, o.normalised_name
    FROM organization o
    WHERE $1 OR o.id = ANY ($3::uuid[]) OR EXISTS (
        SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($2::uuid[]))
), named AS (
    SELECT a.id AS one, b.id AS other, similarity(a.normalised_name, b.normalised_name)::float8 AS likeness
    FROM organization a JOIN organization b ON b.normalised_name % a.normalised_name AND b.id > a.id
    WHERE a.country = b.country
), mailed AS (
    SELECT DISTINCT r.organization_id AS one, s.organization_id AS other
    FROM person p JOIN person_organization r ON r.person_id = p.id AND upper_inf(r.period)
    JOIN person q ON split_part(q.mail_key, '@', 2) = split_part(p.mail_key, '@', 2)
    JOIN person_organization s ON s.person_id = q.id AND upper_inf(s.period) AND s.organization_id > r.organization_id
    WHERE split_part(p.mail_key, '@', 2) <> ALL ($4::text[])
), pairs AS (
    SELECT coalesce(n.one, m.one) AS one, coalesce(n.other, m.other) AS other, coalesce(n.likeness, 0) AS likeness,
           n.one IS NOT NULL AS by_name, m.one IS NOT NULL AS by_mail
    FROM named n FULL JOIN mailed m ON (m.one, m.other) = (n.one, n.other)
)
SELECT a.id AS one_id, a.slug AS one_slug, a.trade_name AS one_name, a.legal_name AS one_legal, a.state AS one_state,
       a.city AS one_city, a.tax_number AS one_tax, b.id AS other_id, b.slug AS other_slug, b.trade_name AS other_name,
       b.legal_name AS other_legal, b.state AS other_state, b.city AS other_city, b.tax_number AS other_tax,
       a.country, p.likeness, p.by_name, p.by_mail
FROM pairs p JOIN reached a ON a.id = p.one JOIN reached b ON b.id = p.other
WHERE NOT EXISTS (SELECT FROM not_duplicate n WHERE n.one = p.one AND n.other = p.other)
ORDER BY p.by_mail DESC, p.likeness DESC, a.trade_name, a.id, b.id LIMIT $5
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
        rows = await connection.fetch(PAIRS, *reader.span(), list(PUBLIC_DOMAINS), limit)
    return [
        Pair(
            _side(row, "one"), _side(row, "other"), row["country"], round(row["likeness"], 2),
            tuple(why for why, holds in _REASONS if row[holds]),
        )
        for row in rows
    ]  # fmt: skip


_REASONS: tuple[tuple[Why, str], ...] = (("name", "by_name"), ("mail", "by_mail"))


def _side(row: Row, at: str) -> Side:
    return Side(row[f"{at}_id"], row[f"{at}_slug"], row[f"{at}_name"], row[f"{at}_legal"], row[f"{at}_state"],
                row[f"{at}_city"], row[f"{at}_tax"])  # fmt: skip
