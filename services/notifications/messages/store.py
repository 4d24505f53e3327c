"""Notices, messages, deliveries: written and claimed in bulk; two senders never hold the same message."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.postgres.pool import Connection

ADD_NOTICES = """
INSERT INTO notice (id, subject, organization_id, cluster_id, category, effective, noticed_at, open_until, cause,
                    traceparent, about, gathering_id, certificate_id)
SELECT id, subject, present_organization(organization_id), cluster_id, category, effective, noticed_at, open_until,
       cause, traceparent, about, gathering_id, certificate_id
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::date[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::text[], $11::uuid[], $12::uuid[],
            $13::uuid[])
    AS r (id, subject, organization_id, cluster_id, category, effective, noticed_at, open_until, cause, traceparent,
          about, gathering_id, certificate_id)
ON CONFLICT (id) DO NOTHING RETURNING organization_id, gathering_id
"""
HOSTED = """
UPDATE notice n SET cluster_id = g.cluster_id FROM gathering g
WHERE g.gathering_id = n.gathering_id AND n.cluster_id IS NULL AND n.gathering_id = ANY ($1::uuid[])
"""
ADD_MESSAGES = """
INSERT INTO message (id, notice_id, person_id, subject, state, created_at, due_at)
SELECT id, notice_id, person_id, subject, 'due', $5, $5
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS r (id, notice_id, person_id, subject)
ON CONFLICT DO NOTHING
"""
TURN = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.addressing', 0))"
GIVE_UP = """
UPDATE message SET state = 'erased', claimed_until = NULL, settled_at = coalesce(settled_at, $2)
WHERE person_id = ANY ($1::uuid[])
"""
CLAIM = """
UPDATE message SET claimed_until = $1 + $3
WHERE id IN (
    SELECT id FROM message
    WHERE state = 'due' AND due_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
    ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING id, due_at
"""
BEGIN = """
UPDATE message SET claimed_until = $3 + $4, attempts = attempts + 1
WHERE id = $1 AND state = 'due' AND claimed_until = $2 AND claimed_until > $3
RETURNING attempts
"""
UNCLAIM = "UPDATE message SET claimed_until = NULL WHERE id = ANY ($1::uuid[]) AND claimed_until = $2"
NAMELESS = """
UPDATE message SET state = 'failed', claimed_until = NULL, settled_at = $2
WHERE id = $1 AND state = 'due' RETURNING id
"""
TELL = """
UPDATE message m SET version = m.version + 1
FROM notice n, message o
LEFT JOIN registration r ON r.registration_id = o.person_id
LEFT JOIN cluster c ON c.cluster_id = (SELECT cluster_id FROM notice WHERE id = o.notice_id)
WHERE m.id = ANY ($1::uuid[]) AND o.id = m.id AND n.id = m.notice_id
RETURNING m.id, m.version, m.subject, coalesce(m.organization_id, n.organization_id, r.organization_id)
    AS organization_id, n.cluster_id, coalesce(c.zone, 'UTC') AS zone
"""
SUPPRESSED = "SELECT EXISTS (SELECT FROM suppressed_address WHERE hash = $1)"
SUPPRESS = "INSERT INTO suppressed_address (hash, since, code) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
UNSUPPRESS = "DELETE FROM suppressed_address WHERE hash = $1"
SETTLE = """
UPDATE message SET state = $2, due_at = coalesce($3, due_at), claimed_until = NULL,
    settled_at = CASE WHEN $2 = 'due' THEN NULL ELSE $4::timestamptz END
WHERE id = $1 AND (state = 'due' OR state = 'stopped' AND $2 = 'sent') RETURNING id
"""
LOG = """
INSERT INTO delivery (message_id, attempt, at, outcome, code) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
LOCK = "SELECT state, claimed_until FROM message WHERE id = $1 FOR UPDATE"
RETRY = "UPDATE message SET state = 'due', due_at = $2, claimed_until = NULL, settled_at = NULL WHERE id = $1"


async def add_notices(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> tuple[set[UUID], set[UUID]]:
    """Notices by id; one that is there already stays as it is. Returns organisations and gatherings they are about."""
    made = await connection.fetch(ADD_NOTICES, *zip(*rows, strict=True))
    gatherings = {row["gathering_id"] for row in made if row["gathering_id"] is not None}
    return {row["organization_id"] for row in made if row["gathering_id"] is None}, gatherings


async def add_messages(connection: Connection, rows: Sequence[tuple[UUID, UUID, UUID, str]], now: datetime) -> None:
    """Messages that are due at once: (id, notice_id, person_id, subject)."""
    await connection.execute(ADD_MESSAGES, *zip(*sorted(rows), strict=True), now)
