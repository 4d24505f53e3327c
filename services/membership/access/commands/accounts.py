"""Use cases of access: invite, give and withdraw roles, tokens for programs. Never opens, commits or reads a clock.

Each writes this service's own copy (what every other service gets by the state topic) in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.access import domain, store
from services.membership.access.commands import keys
from services.membership.access.domain import Account, Grant, Language
from services.membership.recording import Logged, log_changes
from shared.contracts.membership import AccessState, Role
from shared.http.identity import ERASE_ACCESS, save_access
from shared.messaging.outbox import Erased, record
from shared.postgres.copies import erase
from shared.postgres.pool import Unit


class Invited(NamedTuple):
    """An account and the role it was given; `is_new` when nobody had this mail before."""

    account: Account
    grant: Grant
    is_new: bool


async def invite(
    unit: Unit,
    mail: str,
    *,
    role: Role,
    today: date,
    name: str | None = None,
    language: Language = "es",
    cluster: UUID | None = None,
    organization: UUID | None = None,
    since: date | None = None,
    until: date | None = None,
    demo: str | None = None,
) -> Invited:
    """A person may sign in with this role from `since` on. Who has an account gets one role more.

    Raises `WrongScope`, `NotInSequence`, `RoleAlreadyHeld`.
    """
    scope, scope_id = domain.checked_scope(role, cluster, organization)
    grant = Grant(uuid_utils.uuid7(), role, scope, scope_id, since or today, until, unit.actor, unit.now)
    found = await store.lock_by_mail(unit.connection, mail)
    account = found or Account(
        uuid_utils.uuid7(), "person", name or mail.partition("@")[0], mail.strip(), language, None, domain.EVER, None,
        demo, unit.actor, unit.now, 0,
    )  # fmt: skip
    account = domain.granted(account, grant, today)
    if found is None:
        await store.insert(unit.connection, account)
    else:
        await store.update(unit.connection, account)
    await _publish(unit, account, fields={"role": (None, _held(grant))})
    return Invited(account, grant, found is None)


async def withdraw(unit: Unit, account_id: UUID, grant_id: UUID, *, today: date, note: str | None = None) -> Account:
    """A role ends today. Raises `NoSuchAccount`, `NoSuchGrant`, `NotByOneself`, `LastCoordinator`."""
    account = await locked(unit, account_id)
    grant = next((one for one in account.grants if one.id == grant_id), None)
    if str(account_id) == unit.actor:
        raise domain.NotByOneself("nobody withdraws a role of their own: ask another coordinator")
    if (
        grant is not None
        and grant.role == "coordinator"
        and not await store.others_coordinate(unit.connection, account_id, today)
    ):
        raise domain.LastCoordinator("{name} is the only coordinator; name another first", name=account.name)
    after = domain.withdrawn(account, grant_id, today)
    await store.mark_withdrawn(unit.connection, grant_id, unit.actor, unit.now)
    await store.update(unit.connection, after)
    await _publish(unit, after, note, {"role": (_held(grant) if grant else None, None)})
    return after


async def sign_out_everywhere(unit: Unit, account_id: UUID) -> Account:
    """Ends every sign-in of an account, in every service. Raises `NoSuchAccount`."""
    account = domain.signed_out(await locked(unit, account_id), unit.now)
    await store.end_sessions(unit.connection, account_id, unit.now)
    await store.update(unit.connection, account)
    await _publish(unit, account)
    return account


async def sign_out(unit: Unit, account_id: UUID, session_id: UUID) -> None:
    """Ends one sign-in, in every service."""
    account = await locked(unit, account_id)
    await store.end_session(unit.connection, session_id, unit.now)
    lately = unit.now - timedelta(minutes=domain.TOKEN_MINUTES + 1)
    ended = await store.ended_since(unit.connection, account_id, lately)
    account = replace(account, ended=tuple(ended), version=account.version + 1)
    await store.update(unit.connection, account)
    await _publish(unit, account)


class MadeToken(NamedTuple):
    """A program's new token. `token` is shown once: only its account is kept."""

    account: Account
    token: str


async def make_token(
    unit: Unit,
    name: str,
    *,
    role: Role,
    days: int,
    today: date,
    cluster: UUID | None = None,
    organization: UUID | None = None,
    services: Sequence[str] | None = None,
    language: Language = "es",
) -> MadeToken:
    """A program may call with this role until so many days from now. Raises `WrongScope`, `TokenTooLong`."""
    scope, scope_id = domain.checked_scope(role, cluster, organization)
    until = unit.now + timedelta(days=domain.token_days(days))
    grant = Grant(uuid_utils.uuid7(), role, scope, scope_id, today, None, unit.actor, unit.now)
    account = Account(
        uuid_utils.uuid7(), "program", name, None, language, tuple(services) if services else None, domain.EVER, until,
        None, unit.actor, unit.now, 0,
    )  # fmt: skip
    account = domain.granted(account, grant, today)
    await store.insert(unit.connection, account)
    await _publish(unit, account, fields={"role": (None, _held(grant)), "until": (None, until)})
    return MadeToken(account, await keys.token_for(unit, account.id, None, until))


async def revoke_token(unit: Unit, account_id: UUID) -> Account:
    """A program's token opens nothing any more. Raises `NoSuchAccount`."""
    account = await locked(unit, account_id)
    if account.kind != "program":
        raise domain.NoSuchAccount("there is no token {id}", id=account_id, field="token_id")
    if account.until is None or account.until > unit.now:
        before = account.until
        account = replace(domain.signed_out(account, unit.now), until=unit.now)
        await store.update(unit.connection, account)
        await _publish(unit, account, fields={"until": (before, unit.now)})
    return account


async def rename(unit: Unit, account_id: UUID, *, name: str | None, language: Language | None) -> Account:
    """Another name or language; what is None stays."""
    account = await locked(unit, account_id)
    after = replace(account, name=name or account.name, language=language or account.language)
    if after != account:
        after = replace(after, version=account.version + 1)
        await store.update(unit.connection, after)
        fields = {"name": (account.name, after.name), "language": (account.language, after.language)}
        await _publish(unit, after, fields={name: pair for name, pair in fields.items() if pair[0] != pair[1]})
    return after


async def erase_account(unit: Unit, account_id: UUID) -> None:
    """Removes an account here and, by a record without a value, everywhere.

    Raises `NoSuchAccount`; `LastCoordinator` when nobody else could let anybody in.
    """
    account = await locked(unit, account_id)
    if any(grant.role == "coordinator" for grant in account.grants) and not await store.others_coordinate(
        unit.connection, account_id, unit.now.date()
    ):
        raise domain.LastCoordinator("{name} is the only coordinator; name another first", name=account.name)
    await store.delete(unit.connection, account_id)
    await erase(unit.connection, ERASE_ACCESS, [account_id])
    await record(unit, [Erased(str(account_id), account.version + 1, AccessState)])


async def locked(unit: Unit, account_id: UUID) -> Account:
    """One account, locked. Raises `NoSuchAccount`."""
    found = await store.lock(unit.connection, [account_id])
    if not found:
        raise domain.NoSuchAccount("there is no account {id}", id=account_id, field="account_id")
    return found[0]


async def _publish(
    unit: Unit, account: Account, note: str | None = None, fields: Mapping[str, tuple[Any, Any]] | None = None
) -> None:
    await save_access(unit.connection, [account.published()])
    await record(unit, [store.access_record(account)])
    await log_changes(unit, [Logged("account", account.id, account.version, note, dict(fields) if fields else None)])


def _held(grant: Grant) -> dict[str, Any]:
    """A role as the change log has it."""
    return {"role": grant.role, "over": grant.scope_id, "since": grant.since, "until": grant.until}


def soon(now: datetime) -> datetime:
    """Until when a session token that is made now verifies."""
    return now + timedelta(minutes=domain.TOKEN_MINUTES)
