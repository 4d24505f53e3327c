"""Who calls: a person by the session cookie, a program by a bearer token, the installation by its own.

Tokens are verified with this service's copy of membership's public keys, and their roles are read from its
copy of the roles, so that what is withdrawn there ends here as soon as the record arrives.
"""

import hmac
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey

from shared.contracts.membership import AccessState, KeyState, Role, RoleScope
from shared.messaging.events import Consumer, Event
from shared.postgres.copies import erase, save
from shared.postgres.pool import Connection, Unit
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service

ISSUER = "cumulo"
ALGORITHM = "Ed25519"  # the fully specified name of EdDSA over that curve, RFC 9864
COOKIE = "cumulo_session"
LEEWAY_SECONDS = 30
"""How far the clocks of two machines may lie apart."""

Kind = Literal["person", "program", "installation"]

SAVE_ACCESS = """
INSERT INTO access_copy (subject_id, kind, name, language, grants, services, not_before, ended, until,
                         mail_hash)
SELECT subject_id, kind, name, language, grants,
       CASE WHEN services IS NULL THEN NULL ELSE ARRAY(SELECT jsonb_array_elements_text(services)) END,
       not_before, ARRAY(SELECT jsonb_array_elements_text(ended))::uuid[], until, mail_hash
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::timestamptz[], $8::jsonb[],
            $9::timestamptz[], $10::text[])
     AS r (subject_id, kind, name, language, grants, services, not_before, ended, until, mail_hash)
ON CONFLICT (subject_id) DO UPDATE SET kind = excluded.kind, name = excluded.name, language = excluded.language,
    grants = excluded.grants, services = excluded.services, not_before = excluded.not_before,
    ended = excluded.ended, until = excluded.until, mail_hash = excluded.mail_hash
"""
MAIL_HASH = "SELECT mail_hash FROM access_copy WHERE subject_id = $1"
ERASE_ACCESS = "DELETE FROM access_copy WHERE subject_id = ANY ($1::uuid[])"
SAVE_KEYS = """
INSERT INTO key_copy (key_id, x, since, until)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[])
ON CONFLICT (key_id) DO UPDATE SET x = excluded.x, since = excluded.since, until = excluded.until
"""
ERASE_KEYS = "DELETE FROM key_copy WHERE key_id = ANY ($1::uuid[])"
KEY = "SELECT x, until FROM key_copy WHERE key_id = $1"
ACCESS = """
SELECT subject_id, kind, name, language, grants::text AS grants, services, not_before, ended, until
FROM access_copy WHERE subject_id = $1
"""


class NotSignedIn(Refusal):
    """Nobody is signed in, or the sign-in has ended."""

    status = 401


class Held(NamedTuple):
    """One role in force today; `id` is the cluster or organisation, None for the network."""

    role: Role
    scope: RoleScope
    id: UUID | None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever calls. `actor` is what facts and change logs name: a person's id, "program:<id>", or "service".

    `session` is the sign-in that the token belongs to; `issued` when the token was made.
    """

    actor: str
    kind: Kind
    name: str
    language: Literal["es", "en"]
    held: tuple[Held, ...]
    subject: UUID | None = None
    session: UUID | None = None
    issued: datetime | None = None
    by_cookie: bool = False

    @property
    def roles(self) -> frozenset[Role]:
        """The roles in force today, over whatever scope."""
        return frozenset(held.role for held in self.held)


INSTALLATION = Viewer("service", "installation", "Cumulo", "es", (Held("service", "network", None),))
"""The caller with the token of the installation itself, as `cumulo status` prints it."""


class Claims(NamedTuple):
    """What a verified token says."""

    subject: UUID
    session: UUID | None
    issued: datetime


async def keep_access(unit: Unit, events: Sequence[Event]) -> None:
    """Writes the copy of roles as the state topic says."""
    await save_access(unit.connection, [event.data for event in events if event.data is not None])
    await erase(unit.connection, ERASE_ACCESS, [event.key_id for event in events if event.data is None])


async def keep_keys(unit: Unit, events: Sequence[Event]) -> None:
    """Writes the copy of keys as the state topic says."""
    await save_keys(unit.connection, [event.data for event in events if event.data is not None])
    await erase(unit.connection, ERASE_KEYS, [event.key_id for event in events if event.data is None])


async def mail_hash_of(connection: Connection, viewer: Viewer) -> str | None:
    """By what a reader's address is known, None for a program and for who has none."""
    found: str | None = await connection.fetchval(MAIL_HASH, viewer.subject) if viewer.subject else None
    return found


async def save_access(connection: Connection, states: Sequence[AccessState]) -> None:
    """Writes rows of the copy whole. Membership calls it in the transaction that changes them."""
    await save(
        connection,
        SAVE_ACCESS,
        [
            (
                s.subject_id, s.kind, s.name, s.language,
                orjson.dumps([grant.model_dump(mode="json") for grant in s.grants]).decode(),
                None if s.services is None else orjson.dumps(s.services).decode(),
                s.not_before, orjson.dumps([str(one) for one in s.ended]).decode(), s.until, s.mail_hash,
            )
            for s in states
        ],
    )  # fmt: skip


async def save_keys(connection: Connection, states: Sequence[KeyState]) -> None:
    """Writes keys of the copy whole."""
    await save(connection, SAVE_KEYS, [(s.key_id, s.x, s.since, s.until) for s in states])


def access_consumer(service: str) -> Consumer:
    """The listener by which a service other than membership keeps its copy of roles and keys."""
    return Consumer(name=f"{service}.access", handlers={AccessState: keep_access, KeyState: keep_keys})


async def viewer_of(service: Service, *, bearer: str | None, cookie: str | None) -> Viewer | None:
    """Whoever a request's bearer token, else its cookie, belongs to; None when it has neither.

    Raises `NotSignedIn` for a token that opens nothing (any more).
    """
    if bearer is not None:
        if _is_installation(service, bearer):
            return INSTALLATION
        return await _verified(service, bearer, by_cookie=False)
    if cookie:
        return await _verified(service, cookie, by_cookie=True)
    return None


def _is_installation(service: Service, bearer: str) -> bool:
    expected = service.settings.service_token
    return expected is not None and hmac.compare_digest(bearer.encode(), expected.get_secret_value().encode())


async def _verified(service: Service, token: str, *, by_cookie: bool) -> Viewer:
    now = service.clock()
    async with service.database.connection() as connection:
        claims = await claims_of(connection, token, now)
        row = await connection.fetchrow(ACCESS, claims.subject)
    if row is None or claims.issued <= row["not_before"] or claims.session in row["ended"]:
        raise NotSignedIn("this sign-in has ended; sign in again")
    if row["until"] is not None and row["until"] <= now:
        raise NotSignedIn("this token has ended; ask for another")
    if (row["kind"] == "person") != by_cookie:
        raise NotSignedIn("a session is carried by its cookie only, a program's token by the header only")
    if row["services"] is not None and service.name not in row["services"]:
        raise NotSignedIn("this token is not for this service")
    today = day_in(service.settings.network_zone, now)
    person = row["kind"] == "person"
    return Viewer(
        actor=str(row["subject_id"]) if person else f"program:{row['subject_id']}",
        kind=row["kind"],
        name=row["name"],
        language=row["language"],
        held=tuple(in_force(orjson.loads(row["grants"]), today)),
        subject=row["subject_id"],
        session=claims.session,
        issued=claims.issued,
        by_cookie=by_cookie,
    )


def in_force(grants: Sequence[Mapping[str, Any]], today: date) -> list[Held]:
    """The roles of a grant list that hold on a day."""
    return [
        Held(grant["role"], grant["scope"], UUID(grant["scope_id"]) if grant["scope_id"] else None)
        for grant in grants
        if date.fromisoformat(grant["since"]) <= today
        and (grant["until"] is None or today < date.fromisoformat(grant["until"]))
    ]


async def session_of(connection: Connection, cookie: str | None, now: datetime) -> UUID:
    """The sign-in that a session cookie belongs to, also when its token has run out. Raises `NotSignedIn`."""
    session = (await claims_of(connection, cookie, now, run_out=True)).session if cookie else None
    if session is None:
        raise NotSignedIn("sign in, or send a bearer token")
    return session


async def claims_of(connection: Connection, token: str, now: datetime, *, run_out: bool = False) -> Claims:
    """What a token says, once its signature, algorithm, issuer and times hold. Raises `NotSignedIn`.

    The key is looked up by the header's `kid` among the keys we know; the header chooses nothing else.
    With `run_out` one that has run out is good enough.
    """
    key_id = _key_named(token)
    row = None if key_id is None else await connection.fetchrow(KEY, key_id)
    if row is None or row["until"] <= now:
        raise NotSignedIn("this is no token of this installation")
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": row["x"]})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        subject, session = UUID(claims["sub"]), UUID(claims["sid"]) if claims.get("sid") else None
        issued, expires = float(claims["iat"]), float(claims["exp"])
        found = Claims(subject, session, datetime.fromtimestamp(issued, tz=now.tzinfo))
        if claims["iss"] != ISSUER or issued > now.timestamp() + LEEWAY_SECONDS:
            raise ValueError
    except (JoseError, SecurityWarning, KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError):
        raise NotSignedIn("this is no token of this installation") from None
    if expires <= now.timestamp() and not run_out:
        raise NotSignedIn("this sign-in has ended; sign in again")
    return found


def _key_named(token: str) -> UUID | None:
    """The `kid` of a compact token's header; None when it has none that could be ours."""
    if len(token) > 4096 or token.count(".") != 2:
        return None
    try:
        from joserfc.util import urlsafe_b64decode

        return UUID(orjson.loads(urlsafe_b64decode(token.split(".", 1)[0].encode("ascii")))["kid"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def signed(claims: Mapping[str, Any], *, key_id: UUID, private: Mapping[str, str]) -> str:
    """A compact token over these claims, by the private JSON Web Key."""
    key = OKPKey.import_key(dict(private))
    return jwt.encode({"alg": ALGORITHM, "kid": str(key_id)}, dict(claims), key, algorithms=[ALGORITHM])
