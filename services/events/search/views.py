"""Events by what stands in their title, place or speakers; drafts for whoever prepares them."""

from datetime import datetime

from shared.http.policy import Span
from shared.postgres.pool import Connection, Row

CALLED = """
SELECT slug, title, kind, (starts AT TIME ZONE zone)::date AS day FROM gathering
WHERE position(translate(lower($1), 'áéíóúüñ', 'aeiouun')
               in translate(lower(concat_ws(' ', title, place, speakers, series)), 'áéíóúüñ', 'aeiouun')) > 0
  AND (status <> 'draft' OR $2 OR cluster_id = ANY ($3::uuid[]))
ORDER BY ends < $4, CASE WHEN ends < $4 THEN NULL ELSE starts END, starts DESC, id LIMIT $5
"""


async def called(connection: Connection, text: str, preparing: Span, now: datetime, limit: int) -> list[Row]:
    """Those to come by time, then those before, the newest first."""
    everything, clusters, _ = preparing
    return await connection.fetch(CALLED, text, everything, clusters, now, limit)
