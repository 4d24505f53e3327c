"""Use cases of giving access: ask somebody in, release or drop what another prepared, withdraw a role.

Each looks first how far the caller's own role reaches; the edges only read what was sent and answer.
"""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.membership.access import domain
from services.membership.access.commands import accounts, giving, prepared
from services.membership.access.commands.accounts import Invited
from services.membership.access.commands.prepared import Prepared
from services.membership.access.domain import Account
from shared.contracts.membership import Role
from shared.http.inputs import Day, Mail, OptionalLine
from shared.http.policy import Allowed
from shared.postgres.pool import Unit


class Invitation(BaseModel):
    """Whom to invite, as what, over which cluster or organisation, in which days."""

    model_config = ConfigDict(extra="forbid")

    mail: Mail
    role: Role
    name: OptionalLine = None
    language: Literal["es", "en"] = "es"
    cluster_id: UUID | None = None
    organization_id: UUID | None = None
    since: Day | None = None
    until: Day | None = None


async def ask_in(
    unit: Unit, caller: Allowed, releasing: Allowed, asked: Invitation, *, today: date
) -> Invited | Prepared:
    """Invites, or prepares it for another where the caller may not release it (`releasing`).

    Raises `WrongScope`, `NotYours`, `NoSuchCluster`, `NoSuchOrganization`, `NotInSequence`, `RoleAlreadyHeld`.
    """
    domain.checked_scope(asked.role, asked.cluster_id, asked.organization_id)
    if asked.role == "service":
        raise domain.WrongScope("service is a role of programs, which get it by a token", field="role")
    scope = (asked.role, asked.cluster_id, asked.organization_id)
    await giving.require_giving(unit.connection, caller, *scope)
    if not await giving.may_release(unit.connection, releasing, *scope):
        return await prepared.prepare(
            unit, "invitation", asked.model_dump(mode="json"), cluster=asked.cluster_id
        )  # fmt: skip
    return await _invite(unit, asked, today)


async def release(unit: Unit, caller: Allowed, prepared_id: UUID, *, today: date) -> Invited:
    """Invites as another prepared it. Raises `NoSuchPrepared`, `NotByOneself`, and what `ask_in` raises."""
    waiting = await prepared.take(unit, prepared_id)
    asked = Invitation.model_validate(waiting.payload)
    await giving.require_giving(unit.connection, caller, asked.role, asked.cluster_id, asked.organization_id)
    await prepared.release(unit, waiting)
    return await _invite(unit, asked, today)


async def drop(unit: Unit, caller: Allowed, prepared_id: UUID) -> None:
    """Gives up what oneself prepared, or what one could release. Raises `NoSuchPrepared`, `NotYours`."""
    waiting = await prepared.take(unit, prepared_id)
    if waiting.prepared_by != caller.actor:
        asked = Invitation.model_validate(waiting.payload)
        await giving.require_giving(unit.connection, caller, asked.role, asked.cluster_id, asked.organization_id)
    await prepared.drop(unit, waiting)


async def withdraw(
    unit: Unit, caller: Allowed, account_id: UUID, grant_id: UUID, *, today: date, note: str | None
) -> Account:
    """Ends a role that the caller may give. Raises `NotYours` and what `accounts.withdraw` raises."""
    account = await accounts.locked(unit, account_id)
    for grant in account.grants:
        if grant.id == grant_id:
            cluster = grant.scope_id if grant.scope == "cluster" else None
            organization = grant.scope_id if grant.scope == "organization" else None
            await giving.require_giving(unit.connection, caller, grant.role, cluster, organization)
    return await accounts.withdraw(unit, account_id, grant_id, today=today, note=note)


async def _invite(unit: Unit, asked: Invitation, today: date) -> Invited:
    await giving.require_known_scope(unit.connection, asked.cluster_id, asked.organization_id)
    return await accounts.invite(
        unit, asked.mail, role=asked.role, today=today, name=asked.name, language=asked.language,
        cluster=asked.cluster_id, organization=asked.organization_id, since=asked.since, until=asked.until,
    )  # fmt: skip
