"""Use cases of signing in by an OpenID Connect provider: a visit that begins here, and who comes back from it.

An identity there, (issuer, subject), is bound to an account at the first sign-in, by a mail that the provider has
verified; afterwards the mail may change on either side.
"""

import secrets
from datetime import timedelta
from uuid import UUID

from services.membership.access import domain, store
from services.membership.access.commands import sign_in
from services.membership.access.commands.sign_in import SignedIn
from shared.http.provider import Stranger, Visit
from shared.postgres.pool import Unit
from shared.refusal import Refusal

VISIT_MINUTES = 10


class NotInvited(Refusal):
    """The provider knows them; nobody here has given them a role."""

    status = 403


class VisitUnknown(Refusal):
    """Who comes back from the provider did not leave from here, or too long ago."""

    status = 401


async def leave(unit: Unit, goes_to: str) -> Visit:
    """Begins a visit to the provider."""
    visit = Visit(domain.new_secret(), domain.new_secret(), secrets.token_urlsafe(48), goes_to)
    until = unit.now + timedelta(minutes=VISIT_MINUTES)
    await store.insert_visit(unit.connection, domain.hash_of(visit.state), visit.nonce, visit.verifier, goes_to, until)
    return visit


async def come_back(unit: Unit, state: str) -> Visit:
    """The visit that this state belongs to, once only. Raises `VisitUnknown`."""
    row = await store.take_visit(unit.connection, domain.hash_of(state))
    if row is None or row["until"] <= unit.now:
        raise VisitUnknown("this sign-in did not begin here, or took too long; begin again")
    return Visit(state, row["nonce"], row["verifier"], row["goes_to"])


async def enter(unit: Unit, stranger: Stranger, agent: str, goes_to: str) -> SignedIn:
    """Signs in whom the provider vouches for. Raises `NotInvited`."""
    account_id: UUID | None = await store.bound(unit.connection, stranger.issuer, stranger.subject)
    if account_id is None:
        account = None
        if stranger.mail is not None and stranger.mail_verified:
            account = await store.by_mail(unit.connection, stranger.mail)
        if account is None:
            raise NotInvited("nobody has given you access yet: ask the coordinator of the network for an invitation")
        account_id = account.id
        await store.bind(unit.connection, stranger.issuer, stranger.subject, account_id, unit.now)
    return await sign_in.begin(unit, account_id, "provider", agent, goes_to)
