"""The clusters within a caller's reach, for the switch of the top bar; representatives, for its search."""

from shared.http.policy import Allowed
from shared.postgres.pool import Connection, Row

SCOPES = "SELECT id, name FROM cluster WHERE $1 OR id = ANY ($2::uuid[]) ORDER BY sort_key"
REPRESENTATIVES = """
SELECT p.name, o.slug, o.trade_name FROM person p
JOIN person_organization r ON r.person_id = p.id AND upper_inf(r.period)
JOIN organization o ON o.id = r.organization_id
WHERE (position(translate(lower($1), 'áéíóúüñ', 'aeiouun') in translate(lower(p.name), 'áéíóúüñ', 'aeiouun')) > 0
       OR position(lower($1) in p.mail_key) > 0)
  AND ($2 OR o.id = ANY ($4::uuid[]) OR EXISTS (
      SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($3::uuid[])))
ORDER BY p.name, o.trade_name LIMIT $5
"""


async def representatives(connection: Connection, text: str, reader: Allowed, limit: int) -> list[Row]:
    """Who speaks for organisations within reach today: name, and slug and name of the organisation."""
    return list(await connection.fetch(REPRESENTATIVES, text, *reader.span(), limit))


async def scopes(connection: Connection, memberships: Allowed) -> list[Row]:
    """Id and name of these clusters, by name."""
    everything, ids, _ = memberships.span()
    return list(await connection.fetch(SCOPES, everything, ids))
