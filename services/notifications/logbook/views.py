"""The log as people read it: a line for each fact with the names as they are now, and what became of its messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.http.policy import Span
from shared.postgres.pool import Connection

LINES = """
SELECT h.id, h.fact, h.subject, h.reason, h.at, h.organization_id, coalesce(o.trade_name, '') AS organization,
       coalesce(c.name, '') AS cluster, n.announcement_id, s.states
FROM heard h
LEFT JOIN notice n ON n.id = h.id
LEFT JOIN organization o ON o.organization_id = present_organization(coalesce(h.organization_id, n.organization_id))
LEFT JOIN cluster c ON c.cluster_id = coalesce(h.cluster_id, n.cluster_id)
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(state, count)::text AS states FROM (
        SELECT m.state, count(*) AS count FROM message m WHERE m.notice_id = n.id GROUP BY m.state) AS counted
) AS s ON true
WHERE ($1::timestamptz IS NULL OR (h.at, h.id) < ($1, $2::uuid))
  AND (NOT $3 OR h.subject IS NOT NULL)
  AND ($4::uuid IS NULL OR coalesce(h.cluster_id, n.cluster_id) = $4)
  AND ($6 OR coalesce(h.cluster_id, n.cluster_id) = ANY ($7::uuid[]) OR h.organization_id = ANY ($8::uuid[]))
ORDER BY h.at DESC, h.id DESC LIMIT $5
"""


class Shown(NamedTuple):
    """A line. `states` counts what became of its messages, as JSON; None where there are none."""

    id: UUID
    fact: str | None
    subject: str | None
    reason: str | None
    at: datetime
    organization_id: UUID | None
    organization: str
    cluster: str
    announcement_id: UUID | None
    states: str | None


async def lines(
    connection: Connection, *, before: tuple[datetime, UUID] | None, written: bool, cluster: UUID | None, limit: int,
    span: Span,
) -> Sequence[Shown]:  # fmt: skip
    """Lines within a reach, the newest first; `written`: only those of which something was sent."""
    at, id_ = before or (None, None)
    rows = await connection.fetch(LINES, at, id_, written, cluster, limit, *span)
    return [Shown(**dict(row)) for row in rows]
