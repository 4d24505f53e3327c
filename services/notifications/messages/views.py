"""What messages are about, with the names and people they are for; and lists over them, without names.

Lists show what was or will be sent and each attempt; names and addresses are read only to write a mail.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.http.policy import WHOLE, Allowed, NotYours, Span
from shared.postgres.pool import Connection

PAGE = """
SELECT m.id, m.notice_id, m.person_id, m.subject, m.state, m.created_at, m.due_at, m.attempts, m.settled_at
FROM message m JOIN notice n ON n.id = m.notice_id
WHERE m.id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
  AND ($2::text IS NULL OR m.state = $2) AND ($3::text IS NULL OR m.subject = $3)
  AND ($5 OR n.cluster_id = ANY ($6::uuid[]) OR n.organization_id = ANY ($7::uuid[]))
ORDER BY m.id LIMIT $4
"""
NEWEST = """
SELECT m.id, m.subject, m.state, m.created_at, m.due_at, m.attempts, m.settled_at, n.organization_id, n.cluster_id,
       coalesce(o.trade_name, '') AS organization, coalesce(c.name, '') AS cluster
FROM message m JOIN notice n ON n.id = m.notice_id
LEFT JOIN organization o ON o.organization_id = coalesce(m.organization_id, n.organization_id)
LEFT JOIN cluster c ON c.cluster_id = n.cluster_id
WHERE ($1::timestamptz IS NULL OR (m.created_at, m.id) < ($1, $2::uuid))
  AND (cardinality($3::text[]) = 0 OR m.state = ANY ($3)) AND ($4::uuid IS NULL OR n.cluster_id = $4)
  AND ($6 OR n.cluster_id = ANY ($7::uuid[]) OR n.organization_id = ANY ($8::uuid[]))
ORDER BY m.created_at DESC, m.id DESC LIMIT $5
"""
STATES = """
SELECT m.state, count(*) AS count FROM message m JOIN notice n ON n.id = m.notice_id
WHERE ($1::uuid IS NULL OR n.cluster_id = $1)
  AND ($2 OR n.cluster_id = ANY ($3::uuid[]) OR n.organization_id = ANY ($4::uuid[]))
GROUP BY m.state
"""
ABOUT = """
SELECT n.organization_id, n.cluster_id, coalesce(o.trade_name, '') AS organization, coalesce(c.name, '') AS cluster,
       n.noticed_at, n.effective
FROM message m JOIN notice n ON n.id = m.notice_id
LEFT JOIN organization o ON o.organization_id = coalesce(m.organization_id, n.organization_id)
LEFT JOIN cluster c ON c.cluster_id = n.cluster_id
WHERE m.id = $1
"""
ONE = """
SELECT id, notice_id, person_id, subject, state, created_at, due_at, attempts, settled_at FROM message WHERE id = $1
"""
WHOSE = "SELECT n.cluster_id, n.organization_id FROM message m JOIN notice n ON n.id = m.notice_id WHERE m.id = $1"
DELIVERIES = "SELECT attempt, at, outcome, code FROM delivery WHERE message_id = $1 ORDER BY attempt"
UNADDRESSED = """
SELECT n.id AS notice_id, p.person_id, n.subject
FROM notice n
JOIN organization o USING (organization_id)
LEFT JOIN cluster c USING (cluster_id)
JOIN person_organization p USING (organization_id)
WHERE n.open_until > $1 AND n.gathering_id IS NULL AND (n.cluster_id IS NULL OR c.cluster_id IS NOT NULL)
  AND (n.organization_id = ANY ($2::uuid[]) OR n.cluster_id = ANY ($3::uuid[]) OR n.about = ANY ($4::uuid[]))
  AND (n.about IS NULL OR EXISTS (SELECT FROM contact k WHERE k.contact_id = n.about))
  AND NOT EXISTS (SELECT FROM message m WHERE m.notice_id = n.id AND m.person_id = p.person_id)
"""
UNADDRESSED_REGISTERED = """
SELECT n.id AS notice_id, r.registration_id AS person_id, n.subject
FROM notice n
JOIN gathering g USING (gathering_id)
JOIN registration r USING (gathering_id)
WHERE n.open_until > $1 AND n.gathering_id = ANY ($2::uuid[]) AND (g.ends IS NULL OR g.ends > $1)
  AND CASE WHEN n.about IS NOT NULL THEN r.registration_id = n.about
           WHEN n.subject IN ('reminder_week', 'reminder_day') THEN r.status = 'confirmed'
           ELSE r.status IN ('confirmed', 'offered', 'waiting') END
  AND NOT EXISTS (SELECT FROM message m WHERE m.notice_id = n.id AND m.person_id = r.registration_id)
"""
TO_SEND = """
SELECT m.id, m.subject, m.created_at, m.leave_key, n.category, n.effective, n.cause, n.traceparent,
       p.name AS person, p.mail, p.language, o.trade_name AS organization, coalesce(c.name, '') AS cluster,
       coalesce(c.zone, 'UTC') AS zone, k.sender_name, k.sender_organization, k.reply_to, k.message,
       n.organization_id, x.standard, x.body
FROM message m
JOIN notice n ON n.id = m.notice_id
JOIN person p ON p.person_id = m.person_id
JOIN person_organization r ON r.person_id = m.person_id AND r.organization_id = n.organization_id
JOIN organization o ON o.organization_id = n.organization_id
LEFT JOIN cluster c ON c.cluster_id = n.cluster_id
LEFT JOIN contact k ON k.contact_id = n.about
LEFT JOIN certificate x ON x.certificate_id = n.certificate_id AND x.until = n.effective
WHERE m.id = $1 AND (n.about IS NULL OR k.contact_id IS NOT NULL) AND (n.cluster_id IS NULL OR c.name IS NOT NULL)
  AND (n.certificate_id IS NULL OR x.certificate_id IS NOT NULL)
"""
TO_SEND_REGISTERED = """
SELECT m.id, m.subject, m.created_at, m.leave_key, n.category, n.effective, n.cause, n.traceparent,
       r.name AS person, r.mail, r.language, coalesce(o.trade_name, '') AS organization,
       coalesce(c.name, '') AS cluster,
       g.zone, g.gathering_id, g.slug, g.status AS gathering_status, g.title, g.summary, g.starts, g.ends, g.place,
       g.sequence, r.status, r.amount, r.currency, r.price_group, r.offer_until, r.join_url, r.check_in_code
FROM message m
JOIN notice n ON n.id = m.notice_id
JOIN registration r ON r.registration_id = m.person_id
JOIN gathering g ON g.gathering_id = n.gathering_id
LEFT JOIN organization o ON o.organization_id = r.organization_id
LEFT JOIN cluster c ON c.cluster_id = g.cluster_id
WHERE m.id = $1
"""
TO_SEND_ANNOUNCED = """
SELECT m.id, m.subject, m.created_at, m.leave_key, n.category, n.effective, n.cause, n.traceparent,
       p.name AS person, p.mail,
       CASE WHEN a.title_en <> '' AND (p.language = 'en' OR a.title_es = '') THEN 'en' ELSE 'es' END AS language,
       coalesce(o.trade_name, '') AS organization, coalesce(c.name, '') AS cluster, coalesce(c.zone, 'UTC') AS zone,
       a.id AS announcement_id, a.title_es, a.body_es, a.title_en, a.body_en, a.acknowledge
FROM message m
JOIN notice n ON n.id = m.notice_id
JOIN announcement a ON a.id = n.announcement_id
JOIN person p ON p.person_id = m.person_id
LEFT JOIN organization o ON o.organization_id = present_organization(m.organization_id)
LEFT JOIN cluster c ON c.cluster_id = n.cluster_id
WHERE m.id = $1 AND (n.cluster_id IS NULL OR c.name IS NOT NULL)
"""
KEY_OF = """
SELECT address_key(coalesce(p.mail, r.mail)) FROM message m LEFT JOIN person p USING (person_id)
LEFT JOIN registration r ON r.registration_id = m.person_id WHERE m.id = $1
"""
ADDRESS = """
SELECT coalesce(p.mail, r.mail) FROM message m LEFT JOIN person p USING (person_id)
LEFT JOIN registration r ON r.registration_id = m.person_id WHERE m.id = $1
"""


async def unaddressed(
    connection: Connection, now: datetime, organizations: Collection[UUID], clusters: Collection[UUID],
    contacts: Collection[UUID],
) -> list[Mapping[str, Any]]:  # fmt: skip
    """(notice_id, person_id, subject) of open notices that know their names and lack a message for a person."""
    return [dict(row) for row in await connection.fetch(
        UNADDRESSED, now, list(organizations), list(clusters), list(contacts))]  # fmt: skip


async def unaddressed_registered(
    connection: Connection, now: datetime, gatherings: Collection[UUID]
) -> list[Mapping[str, Any]]:
    """The same of notices about gatherings that are not over: the person is a registration."""
    return [dict(row) for row in await connection.fetch(UNADDRESSED_REGISTERED, now, list(gatherings))]


async def to_send(connection: Connection, id_: UUID) -> dict[str, Any] | None:
    """What a mail needs. None when the person, the organisation or the cluster was erased, or the person moved on."""
    for statement in (TO_SEND, TO_SEND_REGISTERED, TO_SEND_ANNOUNCED):
        if (row := await connection.fetchrow(statement, id_)) is not None:
            return dict(row)
    return None


async def address_of(connection: Connection, id_: UUID) -> str | None:
    """The present mail address of a message's person, None when erased."""
    address: str | None = await connection.fetchval(ADDRESS, id_)
    return address


async def key_of(connection: Connection, id_: UUID) -> str | None:
    """By what the address of a message's person is known, None when erased."""
    key: str | None = await connection.fetchval(KEY_OF, id_)
    return key


async def messages(
    connection: Connection,
    *,
    after: UUID | None,
    state: str | None,
    subject: str | None,
    limit: int,
    span: Span = WHOLE,
) -> list[Mapping[str, Any]]:
    """Messages by id, those within `span`."""
    return [dict(row) for row in await connection.fetch(PAGE, after, state, subject, limit, *span)]


async def newest(
    connection: Connection,
    *,
    before: tuple[datetime, UUID] | None,
    states: Sequence[str],
    cluster: UUID | None,
    limit: int,
    span: Span,
) -> list[Mapping[str, Any]]:
    """Messages within `span`, newest first, each with the names of its organisation and cluster as known here."""
    at, id_ = before or (None, None)
    return [dict(row) for row in await connection.fetch(NEWEST, at, id_, list(states), cluster, limit, *span)]


async def counts_by_state(connection: Connection, cluster: UUID | None, span: Span) -> dict[str, int]:
    """How many messages there are in each state."""
    return {row["state"]: row["count"] for row in await connection.fetch(STATES, cluster, *span)}


async def about(connection: Connection, id_: UUID) -> Mapping[str, Any]:
    """Which organisation and cluster a message concerns, and since when its fact is known here."""
    row = await connection.fetchrow(ABOUT, id_)
    return {} if row is None else dict(row)


async def message(connection: Connection, id_: UUID) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]] | None:
    """One message and its delivery log, None when there is none."""
    row = await connection.fetchrow(ONE, id_)
    if row is None:
        return None
    return dict(row), [dict(attempt) for attempt in await connection.fetch(DELIVERIES, id_)]


async def require_message(connection: Connection, caller: Allowed, id_: UUID) -> None:
    """Raises `NotYours` for a message about an organisation out of the caller's reach."""
    row = await connection.fetchrow(WHOSE, id_)
    if row is not None and not caller.covers(cluster=row["cluster_id"], organization=row["organization_id"]):
        raise NotYours("this message concerns another cluster")
