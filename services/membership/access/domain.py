"""Who may sign in and as what: accounts of people and programs, dated roles, links, sessions, keys.

Pure. A role holds over a scope from a day on; what somebody may only prepare, another releases.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

from shared.contracts.membership import AccessGrant, AccessState, KeyState, Role, RoleScope
from shared.refusal import Conflict, NotFound, Refusal, Word
from shared.runtime.privacy import NOBODY, Personal, by_text

Language = Literal["es", "en"]
Kind = Literal["person", "program"]
NETWORK = UUID(int=0)
"""The id of the network as a scope, in the table."""

EVER = datetime(2000, 1, 1, tzinfo=UTC)
"""Before the first token of all."""
LINK_MINUTES = 15
TOKEN_MINUTES = 15
"""How long one session token verifies; it is renewed while its session lives."""
SESSION_DAYS = 7
LONGEST_TOKEN_DAYS = 366
KEY_SIGNS = timedelta(days=90)
KEY_AHEAD = timedelta(days=1)
"""A key is published this long before it signs, so that every copy has it by then."""

SCOPES: dict[Role, RoleScope] = {
    "coordinator": "network", "assistant": "network", "board_member": "network", "treasurer": "network",
    "cluster_director": "cluster", "cluster_president": "cluster", "cluster_staff": "cluster",
    "representative": "organization", "buyer": "organization",
    "partner": "network", "operator": "network", "developer": "network", "service": "network",
}  # fmt: skip
"""Over what each role is held."""
BY_A_DIRECTOR: tuple[Role, ...] = ("cluster_staff", "representative", "buyer")
"""Roles that a cluster's own director may give, within the cluster."""
PERSONAL = (
    Personal("account", ("name", "mail", "mail_key"), "id::text = ANY ($1)", "record"),
    Personal("session", ("agent",), "account_id::text = ANY ($1)", "record"),
    Personal("provider_identity", ("issuer", "subject"), "account_id::text = ANY ($1)", "record"),
    Personal("prepared", ("payload",), f"{NOBODY} OR lower(payload->>'mail') = ANY ($2)", "row"),
    Personal("change_log", ("note", "fields"), by_text("concat(note, fields::text)"), "values",
             "note = CASE WHEN note IS NULL THEN NULL ELSE 'erased' END, fields = NULL"),
)  # fmt: skip
"""What access and erasure of a person concern. The change log keeps that something was changed, and when."""


class NoSuchAccount(NotFound):
    """No account has this id, or it was erased."""


class NoSuchGrant(NotFound):
    """The account has no such role in force."""


class NoSuchPrepared(NotFound):
    """Nothing waits to be released under this id."""


class WrongScope(Refusal):
    """A role is held over the network, a cluster or an organisation, and this one over another kind."""


class NotInSequence(Refusal):
    """A role ends before it begins, or lies in the past altogether."""


class RoleAlreadyHeld(Conflict):
    """The account holds this role over this scope in these days."""


class NotByOneself(Refusal):
    """Who prepared a thing does not release it; who would change their own roles asks another."""

    status = 403


class LastCoordinator(Conflict):
    """Without this role nobody could give roles any more."""


class LinkOpensNothing(Refusal):
    """The link was used, is older than fifteen minutes, or never was one."""

    status = 401


class TokenTooLong(Refusal):
    """A program's token lasts a year at most."""


class NotAPath(Refusal):
    """Where to go after signing in is a path of this installation."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role over one scope; `scope_id` is None for the network, `until` the first day without it."""

    id: UUID
    role: Role
    scope: RoleScope
    scope_id: UUID | None
    since: date
    until: date | None
    granted_by: str
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody or something that may sign in. Tokens made before `not_before` are refused.

    `ended` are sign-ins that ended so short a time ago that their tokens would still verify.
    """

    id: UUID
    kind: Kind
    name: str
    mail: str | None
    language: Language
    services: tuple[str, ...] | None
    not_before: datetime
    until: datetime | None
    demo: str | None
    made_by: str
    made_at: datetime
    version: int
    grants: tuple[Grant, ...] = ()
    ended: tuple[UUID, ...] = ()

    def published(self) -> AccessState:
        """The record for the state topic."""
        return AccessState(
            subject_id=self.id,
            kind=self.kind,
            name=self.name,
            language=self.language,
            grants=[
                AccessGrant(role=g.role, scope=g.scope, scope_id=g.scope_id, since=g.since, until=g.until)
                for g in self.grants
            ],
            services=None if self.services is None else list(self.services),  # type: ignore[arg-type]
            not_before=self.not_before,
            ended=sorted(self.ended),
            until=self.until,
            mail_hash=None if self.mail is None else hashlib.sha256(self.mail.strip().casefold().encode()).hexdigest(),
        )


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of a person in one browser."""

    id: UUID
    account_id: UUID
    how: Literal["link", "provider", "demo"]
    agent: str
    began_at: datetime
    seen_at: datetime
    until: datetime
    ended_at: datetime | None

    def lives(self, now: datetime) -> bool:
        """Whether it may still be renewed."""
        return self.ended_at is None and now < self.until


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair; `d` is its private half, None once it only verifies."""

    id: UUID
    x: str
    d: str | None
    made_at: datetime
    since: datetime
    until: datetime
    version: int

    def published(self) -> KeyState:
        """The record for the state topic."""
        return KeyState(key_id=self.id, x=self.x, since=self.since, until=self.until)


def checked_scope(role: Role, cluster: UUID | None, organization: UUID | None) -> tuple[RoleScope, UUID | None]:
    """The scope of a role that is to be given. Raises `WrongScope`.

    A service or a partner may also be held to one cluster; the other roles have the scope of their work.
    """
    scope = SCOPES[role]
    if role in ("service", "partner") and cluster is not None and organization is None:
        return "cluster", cluster
    given = {"network": None, "cluster": cluster, "organization": organization}[scope]
    other = organization if scope == "cluster" else cluster if scope == "organization" else cluster or organization
    if other is not None or (scope != "network" and given is None):
        needs = {"network": "the whole network", "cluster": "one cluster", "organization": "one organisation"}[scope]
        raise WrongScope("{role} is a role over {needs}", role=Word(role), needs=Word(needs), field="scope")
    return scope, given


def granted(account: Account, grant: Grant, today: date) -> Account:
    """The account with one more role. Raises `NotInSequence`, `RoleAlreadyHeld`."""
    if grant.until is not None and (grant.until <= grant.since or grant.until <= today):
        raise NotInSequence("until: the role would end before it holds", field="until")
    for held in account.grants:
        same = (held.role, held.scope, held.scope_id) == (grant.role, grant.scope, grant.scope_id)
        if same and _overlap(held, grant):
            raise RoleAlreadyHeld("{name} holds this role since {since}", name=account.name, since=held.since,
                                  field="role")  # fmt: skip
    return replace(account, grants=(*account.grants, grant), version=account.version + 1)


def _overlap(one: Grant, other: Grant) -> bool:
    return (one.until is None or other.since < one.until) and (other.until is None or one.since < other.until)


def withdrawn(account: Account, grant_id: UUID, today: date) -> Account:
    """The account without a role from today on. Raises `NoSuchGrant`."""
    kept = [g for g in account.grants if g.id != grant_id]
    found = next((g for g in account.grants if g.id == grant_id and (g.until is None or g.until > today)), None)
    if found is None:
        raise NoSuchGrant("there is no role {grant} in force", grant=grant_id, field="grant_id")
    if found.since < today:
        kept.append(replace(found, until=today))
    return replace(account, grants=tuple(kept), version=account.version + 1)


def signed_out(account: Account, now: datetime) -> Account:
    """The account whose tokens so far all end."""
    return replace(account, not_before=now, ended=(), version=account.version + 1)


def token_days(days: int) -> int:
    """How long a program's token lasts. Raises `TokenTooLong`."""
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        raise TokenTooLong("days: a token lasts 1 to {longest} days", longest=LONGEST_TOKEN_DAYS, field="days")
    return days


def local_path(goes_to: str | None) -> str:
    """Where to go after signing in: a path of this installation, never another's address. Raises `NotAPath`."""
    if not goes_to:
        return "/"
    plain = goes_to.isascii() and goes_to.isprintable() and len(goes_to) <= 500
    if not plain or not goes_to.startswith("/") or goes_to.startswith("//") or "\\" in goes_to:
        raise NotAPath("next: it begins with one / and is a path of this installation", field="next")
    return goes_to


def new_secret() -> str:
    """A secret of 256 bits, as it stands in a link."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """What is kept of a secret. It has full entropy, so that a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


def mail_key(mail: str) -> str:
    """What a mail address compares by."""
    return mail.strip().casefold()


def mail_bucket(mail: str) -> str:
    """Under what attempts with an address are counted: not the address itself, which would have to be erased."""
    return hashlib.sha256(mail_key(mail).encode()).hexdigest()[:32]


def is_role(text: str) -> bool:
    """Whether it is the code of a role."""
    return text in get_args(Role)
