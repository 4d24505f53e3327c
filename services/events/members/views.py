"""Lists over the copy: who is in force in a cluster on a day, with the names that have arrived so far."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from shared.http.policy import WHOLE, Span
from shared.postgres.pool import Connection

MEMBERS = """
SELECT s.membership_id, s.organization_id, s.cluster_id, c.slug AS cluster, o.trade_name AS name, o.slug, o.type,
       s.category, s.standing, s.since, s.until
FROM standing s
LEFT JOIN organization o USING (organization_id)
LEFT JOIN cluster c USING (cluster_id)
WHERE s.membership_id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
  AND ($2::text IS NULL OR c.slug = $2)
  AND ($3::date IS NULL OR (s.since <= $3 AND (s.until IS NULL OR s.until > $3)))
  AND ($8::uuid IS NULL OR s.organization_id = present_organization($8))
  AND ($5 OR s.cluster_id = ANY ($6::uuid[]) OR s.organization_id = ANY ($7::uuid[]))
ORDER BY s.membership_id LIMIT $4
"""


async def members(
    connection: Connection,
    *,
    after: UUID | None,
    cluster: str | None,
    as_of: date | None,
    limit: int,
    span: Span = WHOLE,
    organization_id: UUID | None = None,
) -> list[Mapping[str, Any]]:
    """Rows by membership id; names are None until the organisation's state has arrived.

    `organization_id` may be one that was merged into another.
    `as_of` keeps those whose present period of membership holds that day; `span` what the caller reaches.
    """
    return [dict(row) for row in await connection.fetch(
        MEMBERS, after, cluster, as_of, limit, *span, organization_id)]  # fmt: skip
