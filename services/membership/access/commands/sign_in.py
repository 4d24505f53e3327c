"""Use cases of signing in: a one-time link by mail, the provider, a demo card; renewing and ending a session.

An address that is unknown gets the same answer as a known one, and no mail. A link is used up by the first
POST that carries it, so that a mail scanner that opens it uses nothing.
"""

from datetime import timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.access import domain, store
from services.membership.access.commands import accounts, keys
from services.membership.access.domain import Account, Session
from shared.http.identity import NotSignedIn
from shared.postgres.pool import Unit
from shared.refusal import NotFound

How = Literal["link", "provider", "demo"]


class NoSuchDemoPerson(NotFound):
    """There are no demo people here, or none of this name."""


class Link(NamedTuple):
    """A one-time link for an account; `secret` goes into the mail and is kept nowhere."""

    account: Account
    secret: str


class SignedIn(NamedTuple):
    """A new session, the token for its cookie, and where to go."""

    account: Account
    session: Session
    token: str
    goes_to: str


class Renewed(NamedTuple):
    """A session's next token."""

    account: Account
    session: Session
    token: str


async def make_link(unit: Unit, mail: str, goes_to: str) -> Link | None:
    """A link for whoever has this address, None when nobody has it."""
    account = await store.by_mail(unit.connection, mail)
    if account is None or account.kind != "person":
        return None
    secret = domain.new_secret()
    until = unit.now + timedelta(minutes=domain.LINK_MINUTES)
    await store.insert_link(unit.connection, domain.hash_of(secret), account.id, goes_to, unit.now, until)
    return Link(account, secret)


async def open_link(unit: Unit, secret: str, agent: str) -> SignedIn:
    """Uses a link up and begins a session. Raises `LinkOpensNothing`."""
    found = await store.use_link(unit.connection, domain.hash_of(secret), unit.now)
    if found is None:
        raise domain.LinkOpensNothing(
            "this link was used already or is older than {minutes} minutes; ask for another",
            minutes=domain.LINK_MINUTES, field="token",
        )  # fmt: skip
    return await begin(unit, found[0], "link", agent, found[1])


async def open_card(unit: Unit, account_id: UUID, agent: str) -> SignedIn:
    """Signs a demo person in. The edge sees to it that this is a local stack. Raises `NoSuchDemoPerson`."""
    found = await store.load(unit.connection, [account_id])
    if not found or found[0].demo is None:
        raise NoSuchDemoPerson("there is no demo person {id}", id=account_id, field="account_id")
    return await begin(unit, account_id, "demo", agent, "/")


async def begin(unit: Unit, account_id: UUID, how: How, agent: str, goes_to: str) -> SignedIn:
    """A new session of a known account. Raises `NoSuchAccount`."""
    account = await accounts.locked(unit, account_id)
    session = Session(
        uuid_utils.uuid7(), account.id, how, agent[:200], unit.now, unit.now,
        unit.now + timedelta(days=domain.SESSION_DAYS), None,
    )  # fmt: skip
    await store.insert_session(unit.connection, session)
    token = await keys.token_for(unit, account.id, session.id, accounts.soon(unit.now))
    return SignedIn(account, session, token, goes_to)


async def renew(unit: Unit, session_id: UUID) -> Renewed:
    """The next token of a session that lives. Raises `NotSignedIn` when it has ended."""
    session = await store.session(unit.connection, session_id)
    if session is None or not session.lives(unit.now):
        raise NotSignedIn("this sign-in has ended; sign in again")
    found = await store.load(unit.connection, [session.account_id])
    if not found or session.began_at <= found[0].not_before:
        raise NotSignedIn("this sign-in has ended; sign in again")
    await store.seen(unit.connection, session.id, unit.now)
    token = await keys.token_for(unit, session.account_id, session.id, min(accounts.soon(unit.now), session.until))
    return Renewed(found[0], session, token)
