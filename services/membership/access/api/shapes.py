"""What the routes of access take and answer."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.membership.access.commands import giving, prepared
from services.membership.access.domain import Account
from shared.contracts.membership import Role, RoleScope
from shared.http.inputs import Line, Mail
from shared.refusal import NotFound
from shared.runtime.settings import ServiceName


class NoDemoHere(NotFound):
    """Cards open the door of a local stack only."""


class WantsLink(BaseModel):
    """Where a one-time link is to be sent, and where it is to lead."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"mail": "mariana@red.example"}})

    mail: Mail
    next: str | None = None


class UsesLink(BaseModel):
    """The secret of a one-time link."""

    model_config = ConfigDict(extra="forbid")

    token: Line


class UsesCard(BaseModel):
    """A demo person."""

    model_config = ConfigDict(extra="forbid")

    account_id: UUID


class HeldView(BaseModel):
    """A role and over what it is held; `scope_id` is null for the network."""

    role: Role
    scope: RoleScope
    scope_id: UUID | None


class Me(BaseModel):
    """Whoever calls: a person, a program, or the installation itself."""

    id: UUID | None
    kind: Literal["person", "program", "installation"]
    name: str
    language: Literal["es", "en"]
    roles: list[HeldView]


class Opened(BaseModel):
    """Who signed in, and where to go."""

    account_id: UUID
    name: str
    next: str


class SessionView(BaseModel):
    """One sign-in: how, with which browser, since when; `present` is the one that asks."""

    id: UUID
    how: str
    agent: str
    began_at: datetime
    seen_at: datetime
    until: datetime
    present: bool


class GrantView(BaseModel):
    """A role over a scope with its days, and who gave it when; `until` is the first day without it."""

    id: UUID
    role: Role
    scope: RoleScope
    scope_id: UUID | None
    since: date
    until: date | None
    granted_by: str
    granted_at: datetime


class AccountView(BaseModel):
    """Who may sign in, with which roles."""

    id: UUID
    name: str
    mail: str | None
    language: Literal["es", "en"]
    made_at: datetime
    version: int
    grants: list[GrantView]


class TokenView(BaseModel):
    """A program's token, without the token: it is shown once, when it is made."""

    id: UUID
    name: Annotated[str, Field(examples=["Accounting of the network"])]
    services: list[str] | None
    until: datetime | None
    ended: bool
    made_by: str
    made_at: datetime
    grants: list[GrantView]


class NewToken(TokenView):
    """A token that was just made; `token` is never shown again."""

    token: str


class PreparedView(BaseModel):
    """What waits to be released by another than who prepared it."""

    id: UUID
    kind: str
    payload: dict[str, Any]
    prepared_by: str
    prepared_at: datetime


class InvitationView(BaseModel):
    """What became of an invitation: the account, or what waits to be released."""

    account: AccountView | None
    prepared: PreparedView | None


class WantsToken(BaseModel):
    """A program's name, its role and scope, which services it opens, and for how many days."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Line, Field(examples=["Accounting of the network"])]
    role: giving.TokenRole = "service"
    cluster_id: UUID | None = None
    services: list[ServiceName] | None = None
    days: int = 90


class Profile(BaseModel):
    """How somebody is called and in which language they read; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    language: Literal["es", "en"] | None = None


def grants_of(account: Account) -> list[GrantView]:
    return [GrantView.model_validate(grant, from_attributes=True) for grant in account.grants]


def account_view(account: Account) -> AccountView:
    return AccountView(
        id=account.id, name=account.name, mail=account.mail, language=account.language, made_at=account.made_at,
        version=account.version, grants=grants_of(account),
    )  # fmt: skip


def token_view(account: Account, now: datetime) -> TokenView:
    return TokenView(
        id=account.id, name=account.name, services=list(account.services) if account.services else None,
        until=account.until, ended=account.until is not None and account.until <= now, made_by=account.made_by,
        made_at=account.made_at, grants=grants_of(account),
    )  # fmt: skip


def prepared_view(waiting: prepared.Prepared) -> PreparedView:
    return PreparedView(
        id=waiting.id, kind=waiting.kind, payload=dict(waiting.payload), prepared_by=waiting.prepared_by,
        prepared_at=waiting.prepared_at,
    )  # fmt: skip
