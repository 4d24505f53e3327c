"""Commands of access in a terminal: who may sign in as what, and tokens for programs.

`cumulo admin invite` makes the first person; everything else is there on pages too. `--json` for a program.
"""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
import uuid_utils.compat as uuid_utils
from rich.console import Console
from rich.table import Column, Table

from services.membership import mailing
from services.membership.access import domain, store
from services.membership.access.commands import accounts, giving, letters
from services.membership.access.domain import Account
from services.membership.cli import answered, checked, opened, print_json, print_table
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.organizations import store as organizations
from services.membership.organizations.domain import NoSuchOrganization
from shared.contracts.membership import Role
from shared.http.inputs import Day, Line, Mail, Slug
from shared.postgres.pool import Connection
from shared.postgres.values import day_in
from shared.runtime.service import Service
from shared.runtime.settings import ServiceName

admin_app = typer.Typer(no_args_is_help=True, help="Who may sign in, and as what.")
token_app = typer.Typer(no_args_is_help=True, help="Tokens with which programs call.")

Json = Annotated[bool, typer.Option("--json", help="For a program.")]
RoleName = Annotated[str, typer.Option(help=f"One of {', '.join(domain.SCOPES)}.")]
ClusterSlug = Annotated[str | None, typer.Option(help="The cluster's slug, for a role over one cluster.")]
CompanySlug = Annotated[str | None, typer.Option(help="The organisation's slug, for a role over one.")]


def register(app: typer.Typer) -> None:
    """Adds `cumulo admin` and `cumulo token`."""
    app.add_typer(admin_app, name="admin")
    app.add_typer(token_app, name="token")


@admin_app.command("invite")
def invite(
    mail: Annotated[str, typer.Argument(help="Their mail address.")],
    role: RoleName,
    name: Annotated[str | None, typer.Option(help="Their name; default: what stands before the @.")] = None,
    cluster: ClusterSlug = None,
    organization: CompanySlug = None,
    language: Annotated[str, typer.Option(help="es or en.")] = "es",
    since: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD; default today.")] = None,
    until: Annotated[str | None, typer.Option(help="First day without it; default: open.")] = None,
    as_json: Json = False,
) -> None:
    """Give somebody a role; they sign in by a link that is mailed to them."""
    address = checked("EMAIL", Mail, mail)
    chosen: Role = checked("--role", Role, role)
    values: dict[str, Any] = {
        "name": checked("--name", Line, name) if name else None,
        "language": checked("--language", Literal["es", "en"], language),
        "since": checked("--since", Day, since) if since else None,
        "until": checked("--until", Day, until) if until else None,
    }

    async def run() -> tuple[Account, bool]:
        async with opened() as service:
            async with service.unit(actor="cli", cause=f"cli:{uuid_utils.uuid7()}") as unit:
                scope = await _scope(unit.connection, cluster, organization)
                invited = await accounts.invite(
                    unit, address, role=chosen, today=_today(service), cluster=scope[0], organization=scope[1], **values
                )
            sent = False
            if (door := service.settings.public_url) is not None:
                sent = await mailing.send(service, letters.invitation_letter(invited, door))
            return invited.account, sent

    account, sent = answered(run())
    if as_json:
        print_json(_account(account) | {"mail_sent": sent})
        return
    told = "a mail tells them so" if sent else "no mail was sent (CUMULO_PUBLIC_URL says where they sign in)"
    Console().print(f"{account.name} <{account.mail}> is {chosen}; {told}.", markup=False)


@admin_app.command("list")
def list_(as_json: Json = False) -> None:
    """Who may sign in, and as what."""

    async def run() -> list[Account]:
        async with opened() as service, service.database.connection() as connection:
            return await store.people(connection, None, 10_000, (True, [], []))

    found = answered(run())
    if as_json:
        print_json([_account(account) for account in found])
        return
    if not found:
        Console().print("Nobody yet. Invite the first: cumulo admin invite EMAIL --role coordinator")
        return
    table = Table(Column("account", no_wrap=True, min_width=36), "name", "mail", "roles")
    for account in found:
        table.add_row(str(account.id), account.name, account.mail, "\n".join(_grant(g) for g in account.grants))
    print_table(table)


@admin_app.command("withdraw")
def withdraw(
    mail: Annotated[str, typer.Argument(help="Whose role.")],
    role: RoleName,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: Json = False,
) -> None:
    """Take a role back, from today on, over whatever scope."""
    address = checked("EMAIL", Mail, mail)

    async def run() -> Account:
        async with opened() as service, service.unit(actor="cli", cause=f"cli:{uuid_utils.uuid7()}") as unit:
            today = _today(service)
            account = await store.lock_by_mail(unit.connection, address)
            if account is None:
                raise domain.NoSuchAccount("nobody signs in as {mail}", mail=address, field="mail")
            held = [g for g in account.grants if g.role == role and (g.until is None or g.until > today)]
            if not held:
                raise domain.NoSuchGrant("{mail} is no {role}", mail=address, role=role, field="role")
            for grant in held:
                account = await accounts.withdraw(unit, account.id, grant.id, today=today, note=note)
            return account

    account = answered(run())
    if as_json:
        print_json(_account(account))
    else:
        Console().print(f"{account.name} is {role} no more.", markup=False)


@token_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the program is called.")],
    role: Annotated[str, typer.Option(help="service (reads, and the feeds) or partner (figures).")] = "service",
    cluster: ClusterSlug = None,
    service_: Annotated[
        list[str] | None, typer.Option("--service", help="Only for this service; may be given again.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long it lasts; a year at most.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a token for a program. It is shown once."""
    chosen = checked("--role", giving.TokenRole, role)
    services = [checked("--service", ServiceName, one) for one in service_ or []] or None
    called = checked("NAME", Line, name)

    async def run() -> accounts.MadeToken:
        async with opened() as service, service.unit(actor="cli", cause=f"cli:{uuid_utils.uuid7()}") as unit:
            scope = await _scope(unit.connection, cluster, None)
            return await accounts.make_token(
                unit, called, role=chosen, days=days, today=_today(service), cluster=scope[0], services=services
            )

    made = answered(run())
    if as_json:
        print_json(_token(made.account) | {"token": made.token})
        return
    typer.echo(made.token)
    until = f"{made.account.until:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{called}: {role}, until {until}, id {made.account.id}. Keep it: it is not shown again.", err=True)


@token_app.command("list")
def tokens(as_json: Json = False) -> None:
    """Tokens of programs, without the tokens."""

    async def run() -> list[Account]:
        async with opened() as service, service.database.connection() as connection:
            return await store.programs(connection, None, 10_000)

    found = answered(run())
    if as_json:
        print_json([_token(account) for account in found])
        return
    table = Table(Column("id", no_wrap=True, min_width=36), "name", "role", "services", "until")
    for account in found:
        table.add_row(
            str(account.id), account.name, "\n".join(_grant(g) for g in account.grants),
            ", ".join(account.services or ("all",)), f"{account.until:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    print_table(table)


@token_app.command("revoke")
def revoke(token: Annotated[str, typer.Argument(help="Its id, as `list` tells it.")], as_json: Json = False) -> None:
    """End a token at once."""
    id_ = checked("TOKEN", UUID, token)

    async def run() -> Account:
        async with opened() as service, service.unit(actor="cli", cause=f"cli:{uuid_utils.uuid7()}") as unit:
            return await accounts.revoke_token(unit, id_)

    account = answered(run())
    if as_json:
        print_json(_token(account))
    else:
        Console().print(f"{account.name} opens nothing any more.", markup=False)


async def _scope(
    connection: Connection, cluster: str | None, organization: str | None
) -> tuple[UUID | None, UUID | None]:
    found: list[UUID | None] = [None, None]
    if cluster is not None:
        slug = checked("--cluster", Slug, cluster)
        named = await clusters.by_slug(connection, slug)
        if named is None:
            raise NoSuchCluster("there is no cluster {slug}", slug=slug, field="cluster")
        found[0] = named.id
    if organization is not None:
        slug = checked("--organization", Slug, organization)
        found[1] = await organizations.id_of_slug(connection, slug)
        if found[1] is None:
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug, field="organization")
    return found[0], found[1]


def _today(service: Service) -> date:
    return day_in(service.settings.network_zone, service.clock())


def _grant(grant: domain.Grant) -> str:
    until = f" until {grant.until}" if grant.until else ""
    return f"{grant.role} ({grant.scope}) since {grant.since}{until}"


def _account(account: Account) -> dict[str, Any]:
    return {
        "id": account.id, "name": account.name, "mail": account.mail, "language": account.language,
        "roles": [
            {"role": g.role, "scope": g.scope, "scope_id": g.scope_id, "since": g.since, "until": g.until}
            for g in account.grants
        ],
    }  # fmt: skip


def _token(account: Account) -> dict[str, Any]:
    return {
        "id": account.id, "name": account.name, "services": account.services,
        "until": account.until.isoformat() if account.until else None,
        "roles": [{"role": g.role, "scope": g.scope, "scope_id": g.scope_id} for g in account.grants],
    }  # fmt: skip
