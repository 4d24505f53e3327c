"""The tables of access: accounts with their roles, links, sessions, keys. Functions take a connection."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from services.membership.access.domain import NETWORK, Account, Grant, Session, SigningKey, mail_key
from shared.http.policy import Span
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT a.id, a.kind, a.name, a.mail, a.language, a.services, a.not_before, a.ended, a.until, a.demo, a.made_by,
       a.made_at, a.version, g.grants
FROM account a LEFT JOIN LATERAL (
    SELECT array_agg((r.id, r.role, r.scope, r.scope_id, lower(r.period), upper(r.period), r.granted_by, r.granted_at)
                     ORDER BY r.period, r.id) AS grants
    FROM role_grant r WHERE r.account_id = a.id
) g ON true
"""
BY_IDS = COLUMNS + "WHERE a.id = ANY ($1::uuid[]) ORDER BY a.id"
PAGE = COLUMNS + "WHERE $1::uuid IS NULL OR a.id > $1 ORDER BY a.id LIMIT $2"
PEOPLE = (
    COLUMNS
    + """
WHERE a.kind = 'person' AND ($1::uuid IS NULL OR a.id > $1) AND ($3 OR EXISTS (
    SELECT FROM role_grant r WHERE r.account_id = a.id AND (
        r.scope = 'cluster' AND r.scope_id = ANY ($4::uuid[])
        OR r.scope = 'organization' AND (r.scope_id = ANY ($5::uuid[]) OR EXISTS (
            SELECT FROM membership m WHERE m.organization_id = r.scope_id AND m.cluster_id = ANY ($4::uuid[]))))))
ORDER BY a.id LIMIT $2
"""
)
PROGRAMS = COLUMNS + "WHERE a.kind = 'program' AND ($1::uuid IS NULL OR a.id > $1) ORDER BY a.id LIMIT $2"
DEMO_PEOPLE = COLUMNS + "WHERE a.demo IS NOT NULL ORDER BY a.id"
LOCK = "SELECT id FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
LOCK_BY_MAIL = "SELECT id FROM account WHERE mail_key = $1 FOR UPDATE"
BY_MAIL = "SELECT id FROM account WHERE mail_key = $1"
INSERT = """
INSERT INTO account (id, kind, name, mail, mail_key, language, services, not_before, until, demo, made_by, made_at,
                     version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
UPDATE = """
UPDATE account SET name = $2, language = $3, not_before = $4, until = $5, version = $6, ended = $7 WHERE id = $1
"""
DELETE = "DELETE FROM account WHERE id = $1"
HOLDERS = """
SELECT DISTINCT account_id FROM role_grant WHERE scope = 'organization' AND scope_id = $1 ORDER BY account_id
"""
FORGET_GRANTS = "DELETE FROM role_grant WHERE account_id = $1 AND id <> ALL ($2::uuid[])"
SAVE_GRANT = """
INSERT INTO role_grant (id, account_id, role, scope, scope_id, period, granted_by, granted_at)
VALUES ($1, $2, $3, $4, $5, daterange($6, $7), $8, $9)
ON CONFLICT (id) DO UPDATE SET period = excluded.period, scope_id = excluded.scope_id
"""
MARK_WITHDRAWN = "UPDATE role_grant SET withdrawn_by = $2, withdrawn_at = $3 WHERE id = $1"
OTHER_COORDINATORS = """
SELECT EXISTS (SELECT FROM role_grant
               WHERE role = 'coordinator' AND account_id <> $1 AND period @> $2::date)
"""
COORDINATORS = """
SELECT account_id FROM role_grant WHERE role = 'coordinator' AND period @> $1::date
GROUP BY account_id ORDER BY max(granted_at) DESC LIMIT 20
"""
INSERT_LINK = "INSERT INTO sign_in_link (hash, account_id, goes_to, made_at, until) VALUES ($1, $2, $3, $4, $5)"
LINK_LIVES = """
SELECT a.language FROM sign_in_link l JOIN account a ON a.id = l.account_id
WHERE l.hash = $1 AND l.used_at IS NULL AND l.until > $2
"""
USE_LINK = """
UPDATE sign_in_link SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND until > $2 RETURNING account_id, goes_to
"""
INSERT_SESSION = """
INSERT INTO session (id, account_id, how, agent, began_at, seen_at, until) VALUES ($1, $2, $3, $4, $5, $5, $6)
"""
SESSION = "SELECT id, account_id, how, agent, began_at, seen_at, until, ended_at FROM session WHERE id = $1 FOR UPDATE"
SESSIONS = """
SELECT id, account_id, how, agent, began_at, seen_at, until, ended_at FROM session
WHERE account_id = $1 AND ended_at IS NULL AND until > $2 ORDER BY began_at DESC
"""
SEEN = "UPDATE session SET seen_at = $2 WHERE id = $1"
END_SESSION = "UPDATE session SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL"
END_SESSIONS = "UPDATE session SET ended_at = $2 WHERE account_id = $1 AND ended_at IS NULL"
ENDED = "SELECT id FROM session WHERE account_id = $1 AND ended_at > $2 ORDER BY id"
KEY_COLUMNS = "SELECT id, x, d, made_at, since, until, version FROM signing_key "
KEYS = KEY_COLUMNS + "WHERE until > $1 ORDER BY since, id"
KEYS_PAGE = KEY_COLUMNS + "WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2"
KEYS_BY_IDS = KEY_COLUMNS + "WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
INSERT_KEY = "INSERT INTO signing_key (id, x, d, made_at, since, until, version) VALUES ($1, $2, $3, $4, $5, $6, $7)"
RETIRE_KEYS = "UPDATE signing_key SET d = NULL WHERE d IS NOT NULL AND since <= $1"
DELETE_KEYS = "DELETE FROM signing_key WHERE until <= $1 RETURNING id, version"
KEYS_IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('cumulo.membership.keys', 0))"
FORGET_LINKS = "DELETE FROM sign_in_link WHERE until < $1"
FORGET_SESSIONS = "DELETE FROM session WHERE until < $1"
FORGET_VISITS = "DELETE FROM provider_visit WHERE until < $1"
INSERT_VISIT = "INSERT INTO provider_visit (hash, nonce, verifier, goes_to, until) VALUES ($1, $2, $3, $4, $5)"
TAKE_VISIT = "DELETE FROM provider_visit WHERE hash = $1 RETURNING nonce, verifier, goes_to, until"
BOUND = "SELECT account_id FROM provider_identity WHERE issuer = $1 AND subject = $2"
BIND = """
INSERT INTO provider_identity (issuer, subject, account_id, bound_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""


async def load(connection: Connection, ids: Sequence[UUID]) -> list[Account]:
    """The named accounts that exist, by id."""
    return [_account(row) for row in await connection.fetch(BY_IDS, ids)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Account]:
    """The named accounts that exist, locked; read after the lock is held."""
    await connection.execute(LOCK, ids)
    return await load(connection, ids)


async def holders(connection: Connection, organization_id: UUID) -> list[UUID]:
    """The accounts that have or had a role over an organisation."""
    return [row["account_id"] for row in await connection.fetch(HOLDERS, organization_id)]


async def lock_by_mail(connection: Connection, mail: str) -> Account | None:
    """The account with this mail, locked."""
    id_ = await connection.fetchval(LOCK_BY_MAIL, mail_key(mail))
    return None if id_ is None else (await load(connection, [id_]))[0]


async def by_mail(connection: Connection, mail: str) -> Account | None:
    """The account with this mail."""
    id_ = await connection.fetchval(BY_MAIL, mail_key(mail))
    return None if id_ is None else next(iter(await load(connection, [id_])), None)


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Account]:
    """At most `limit` accounts behind an id, by id."""
    return [_account(row) for row in await connection.fetch(PAGE, after, limit)]


async def people(connection: Connection, after: UUID | None, limit: int, span: Span) -> list[Account]:
    """At most `limit` people behind an id who hold a role within `span`, by id."""
    return [_account(row) for row in await connection.fetch(PEOPLE, after, limit, *span)]


async def programs(connection: Connection, after: UUID | None, limit: int) -> list[Account]:
    """At most `limit` programs behind an id, by id."""
    return [_account(row) for row in await connection.fetch(PROGRAMS, after, limit)]


async def demo_people(connection: Connection) -> list[Account]:
    """The people of the demo, in the order in which they were made."""
    return [_account(row) for row in await connection.fetch(DEMO_PEOPLE)]


async def insert(connection: Connection, account: Account) -> None:
    """Saves a new account with its roles. A known mail raises `asyncpg.UniqueViolationError`."""
    await connection.execute(
        INSERT, account.id, account.kind, account.name, account.mail, mail_key(account.mail) if account.mail else None,
        account.language, account.services, account.not_before, account.until, account.demo, account.made_by,
        account.made_at, account.version,
    )  # fmt: skip
    await _save_grants(connection, account)


async def update(connection: Connection, account: Account) -> None:
    """Saves a locked account with its roles."""
    await connection.execute(
        UPDATE, account.id, account.name, account.language, account.not_before, account.until, account.version,
        list(account.ended),
    )  # fmt: skip
    await connection.execute(FORGET_GRANTS, account.id, [grant.id for grant in account.grants])
    await _save_grants(connection, account)


async def delete(connection: Connection, id_: UUID) -> None:
    """Removes an account with all that hangs on it."""
    await connection.execute(DELETE, id_)


async def mark_withdrawn(connection: Connection, grant_id: UUID, by: str, at: datetime) -> None:
    """Says who withdrew a role, and when."""
    await connection.execute(MARK_WITHDRAWN, grant_id, by, at)


async def others_coordinate(connection: Connection, account_id: UUID, today: date) -> bool:
    """Whether somebody else is a coordinator today."""
    return bool(await connection.fetchval(OTHER_COORDINATORS, account_id, today))


async def coordinators(connection: Connection, today: date) -> list[Account]:
    """Who coordinates the network today, at most twenty, those who came last."""
    return await load(connection, [row["account_id"] for row in await connection.fetch(COORDINATORS, today)])


async def insert_link(connection: Connection, hash_: bytes, account_id: UUID, goes_to: str, made: datetime,
                      until: datetime) -> None:  # fmt: skip
    """Keeps a one-time link by the hash of its secret."""
    await connection.execute(INSERT_LINK, hash_, account_id, goes_to, made, until)


async def link_lives(connection: Connection, hash_: bytes, now: datetime) -> Literal["es", "en"] | None:
    """The language of whom a link would let in, None when it opens nothing. Uses nothing up."""
    found: Literal["es", "en"] | None = await connection.fetchval(LINK_LIVES, hash_, now)
    return found


async def use_link(connection: Connection, hash_: bytes, now: datetime) -> tuple[UUID, str] | None:
    """Uses a link up: whose it is and where it leads. None when it was used, is too old, or never was."""
    row = await connection.fetchrow(USE_LINK, hash_, now)
    return None if row is None else (row["account_id"], row["goes_to"])


async def insert_session(connection: Connection, session: Session) -> None:
    """Keeps a new sign-in."""
    await connection.execute(
        INSERT_SESSION, session.id, session.account_id, session.how, session.agent, session.began_at, session.until
    )


async def session(connection: Connection, id_: UUID) -> Session | None:
    """One sign-in, locked."""
    row = await connection.fetchrow(SESSION, id_)
    return None if row is None else Session(**dict(row))


async def sessions(connection: Connection, account_id: UUID, now: datetime) -> list[Session]:
    """The living sign-ins of an account, the newest first."""
    return [Session(**dict(row)) for row in await connection.fetch(SESSIONS, account_id, now)]


async def seen(connection: Connection, id_: UUID, now: datetime) -> None:
    """Notes that a sign-in was renewed."""
    await connection.execute(SEEN, id_, now)


async def end_session(connection: Connection, id_: UUID, now: datetime) -> None:
    """Ends one sign-in."""
    await connection.execute(END_SESSION, id_, now)


async def end_sessions(connection: Connection, account_id: UUID, now: datetime) -> None:
    """Ends every sign-in of an account."""
    await connection.execute(END_SESSIONS, account_id, now)


async def ended_since(connection: Connection, account_id: UUID, since: datetime) -> list[UUID]:
    """The sign-ins that ended after an instant."""
    return [row["id"] for row in await connection.fetch(ENDED, account_id, since)]


async def keys(connection: Connection, now: datetime) -> list[SigningKey]:
    """The keys that still verify, oldest first."""
    return [SigningKey(**dict(row)) for row in await connection.fetch(KEYS, now)]


async def keys_in_turn(connection: Connection) -> None:
    """Waits for its turn to make or drop keys."""
    await connection.execute(KEYS_IN_TURN)


async def keys_page(connection: Connection, after: UUID | None, limit: int) -> list[SigningKey]:
    """At most `limit` keys behind an id, by id."""
    return [SigningKey(**dict(row)) for row in await connection.fetch(KEYS_PAGE, after, limit)]


async def lock_keys(connection: Connection, ids: Sequence[UUID]) -> list[SigningKey]:
    """The named keys that exist, locked."""
    return [SigningKey(**dict(row)) for row in await connection.fetch(KEYS_BY_IDS, ids)]


async def insert_key(connection: Connection, key: SigningKey) -> None:
    """Keeps a new key."""
    await connection.execute(INSERT_KEY, key.id, key.x, key.d, key.made_at, key.since, key.until, key.version)


async def drop_keys(connection: Connection, now: datetime) -> list[tuple[UUID, int]]:
    """Removes the keys that verify nothing any more: their ids and versions."""
    return [(row["id"], row["version"]) for row in await connection.fetch(DELETE_KEYS, now)]


async def retire_keys(connection: Connection, signing_since: datetime) -> None:
    """Drops the private halves of keys that have signed long enough."""
    await connection.execute(RETIRE_KEYS, signing_since)


async def forget(connection: Connection, before: datetime) -> None:
    """Removes links, sign-ins and visits to the provider that ended before an instant."""
    for statement in (FORGET_LINKS, FORGET_SESSIONS, FORGET_VISITS):
        await connection.execute(statement, before)


async def insert_visit(connection: Connection, hash_: bytes, nonce: str, verifier: str, goes_to: str,
                       until: datetime) -> None:  # fmt: skip
    """Keeps what must be known when somebody returns from the provider."""
    await connection.execute(INSERT_VISIT, hash_, nonce, verifier, goes_to, until)


async def take_visit(connection: Connection, hash_: bytes) -> Row | None:
    """What was kept for a return: nonce, verifier, goes_to, until. Once only."""
    return await connection.fetchrow(TAKE_VISIT, hash_)


async def bound(connection: Connection, issuer: str, subject: str) -> UUID | None:
    """The account that an identity of the provider is bound to."""
    found: UUID | None = await connection.fetchval(BOUND, issuer, subject)
    return found


async def bind(connection: Connection, issuer: str, subject: str, account_id: UUID, now: datetime) -> None:
    """Binds an identity of the provider to an account."""
    await connection.execute(BIND, issuer, subject, account_id, now)


async def _save_grants(connection: Connection, account: Account) -> None:
    await connection.executemany(
        SAVE_GRANT,
        [
            (g.id, account.id, g.role, g.scope, g.scope_id or NETWORK, g.since, g.until, g.granted_by, g.granted_at)
            for g in account.grants
        ],
    )


def _account(row: Row) -> Account:
    grants = tuple(
        Grant(id_, role, scope, None if scope_id == NETWORK else scope_id, since, until, by, at)
        for id_, role, scope, scope_id, since, until, by, at in row["grants"] or ()
    )
    services = None if row["services"] is None else tuple(row["services"])
    return Account(
        row["id"], row["kind"], row["name"], row["mail"], row["language"], services, row["not_before"], row["until"],
        row["demo"], row["made_by"], row["made_at"], row["version"], grants, tuple(row["ended"]),
    )  # fmt: skip


def access_record(account: Account) -> Record:
    """An account as its state topic carries it."""
    return Record(str(account.id), account.version, account.published())


def key_record(key: SigningKey) -> Record:
    """A key as its state topic carries it."""
    return Record(str(key.id), key.version, key.published())
