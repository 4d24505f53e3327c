"""Commands of membership in a terminal: clusters, and the import of a register.

Each says what it did; `--json` where a program reads it. Exit codes: 0 done, 1 refused, 2 wrong usage.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from uuid import UUID

import orjson
import typer
import uuid_utils.compat as uuid_utils
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from services.membership.clusters import commands as cluster_commands
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import Cluster
from services.membership.decisions import is_far_ahead
from services.membership.import_report import show
from services.membership.importing import ImportResult, import_members
from shared.http.inputs import Country, Day, Line, Slug
from shared.postgres.pool import TRANSIENT, Database, open_database
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime import spreadsheets, tasks
from shared.runtime.service import Definition, Service, at_hand
from shared.runtime.settings import Settings
from shared.runtime.spreadsheets import Limits
from shared.runtime.tasks import Words

T = TypeVar("T")
LARGE_ROWS = 1_000
_IMPORT = Words("Importación del padrón", "Import of the register")

cluster_app = typer.Typer(no_args_is_help=True, help="The clusters of the network.")
import_app = typer.Typer(no_args_is_help=True, help="Take over lists that people keep.")


def register(app: typer.Typer) -> None:
    """Adds `cumulo cluster` and `cumulo import`."""
    app.add_typer(cluster_app, name="cluster")
    app.add_typer(import_app, name="import")


@cluster_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Its name, e.g. «Clúster Costa y Agave».")],
    slug: Annotated[str, typer.Option(help="How it is called in addresses and commands, e.g. costa-y-agave.")],
    state: Annotated[str, typer.Option(help="Its state: a name, or the code of ISO 3166-2 (JAL).")],
    country: Annotated[str, typer.Option(help="ISO 3166-1.")] = "MX",
    zone: Annotated[str, typer.Option(help="Its time zone.")] = "America/Mexico_City",
    language: Annotated[str, typer.Option(help="es or en.")] = "es",
    since: Annotated[str | None, typer.Option(help="First day in the network, YYYY-MM-DD; default today.")] = None,
    network: Annotated[str, typer.Option(help="The network; made on first use.")] = cluster_commands.DEFAULT_NETWORK,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Found a cluster."""
    values = {
        "name": checked("NAME", Line, name),
        "slug": checked("--slug", Slug, slug),
        "state": checked("--state", Line, state),
        "country": checked("--country", Country, country),
        "zone": checked("--zone", Line, zone),
        "language": checked("--language", Literal["es", "en"], language),
        "since": checked("--since", Day, since) if since else None,
        "network": checked("--network", Slug, network),
    }

    async def run() -> Cluster:
        async with _database() as (database, _), database.unit(actor="cli", cause=f"cli:{uuid_utils.uuid7()}") as unit:
            return await cluster_commands.found_cluster(unit, **values)

    cluster = answered(run())
    if as_json:
        print_json(_cluster_json(cluster))
    else:
        since = _begins(cluster) + (" on" if _is_ahead(cluster) else "")
        Console().print(f"Founded {cluster.name} ({cluster.slug}), in the network {since}.", markup=False)
    if is_far_ahead(joined := cluster.stays[-1].since, _today(cluster)):
        typer.echo(f"--since: {joined} lies more than a year ahead; is it meant?", err=True)


@cluster_app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False) -> None:
    """The clusters and since when they are in the network."""

    async def run() -> list[Cluster]:
        async with _database() as (database, _), database.connection() as connection:
            return await clusters.page(connection, None, 10_000)

    found = answered(run())
    if as_json:
        print_json([_cluster_json(cluster) for cluster in found])
        return
    if not found:
        Console().print("No clusters yet. Found one: cumulo cluster add NAME --slug SLUG --state JAL")
        return
    table = Table(Column("slug", no_wrap=True), "name", "state", "zone", "in the network")
    for cluster in found:
        last = cluster.stays[-1]
        until = f" until {last.until}" if last.until else ""
        table.add_row(cluster.slug, cluster.name, f"{cluster.country}-{cluster.state}", cluster.zone,
                      f"{_begins(cluster)}{until}")  # fmt: skip
    print_table(table)


@import_app.command("members")
def members(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX.", exists=True, dir_okay=False, readable=True)],
    cluster: Annotated[str, typer.Option(help="The cluster's slug.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
    no_welcome: Annotated[bool, typer.Option("--no-welcome", help="Greet nobody.")] = False,
) -> None:
    """Take over a cluster's register of members. The same file twice changes nothing."""
    result = answered(_import(file, cluster, dry_run=dry_run, announce=not no_welcome, quiet=as_json))
    if as_json:
        print_json(result.as_json())
    else:
        show(result, Console())


async def _import(file: Path, cluster: str, *, dry_run: bool, announce: bool, quiet: bool) -> ImportResult:
    async with _database() as (database, settings):
        limits = Limits(settings.import_max_megabytes, settings.import_max_rows)
        content = await asyncio.to_thread(_content, file, limits)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True, disable=quiet,
        )  # fmt: skip
        with bar:
            shown = bar.add_task(file.name, total=None, visible=False)
            async with tasks.begin(database, kind="import", title=_IMPORT, actor="cli") as task:

                def reached(done: int, total: int) -> None:
                    bar.update(shown, completed=done, total=total, visible=total >= LARGE_ROWS)
                    task.reach(done, total)

                result = await import_members(
                    database, content, cluster=cluster, limits=limits, dry_run=dry_run, announce=announce,
                    progress=reached,
                )  # fmt: skip
                task.result = {"cluster": cluster, "dry_run": dry_run, **result.counts}
                return result


def _content(file: Path, limits: Limits) -> bytes:
    """A file that is too large is refused before it is read."""
    size = file.stat().st_size
    if size > limits.megabytes * 1024 * 1024:
        raise spreadsheets.too_large(size, limits)
    return file.read_bytes()


def _begins(cluster: Cluster) -> str:
    """ "since 2020-09-01", or "from 2150-01-01" for a day ahead."""
    return f"{'from' if _is_ahead(cluster) else 'since'} {cluster.stays[-1].since}"


def _is_ahead(cluster: Cluster) -> bool:
    return cluster.stays[-1].since > _today(cluster)


def _today(cluster: Cluster) -> date:
    return day_in(cluster.zone, datetime.now(UTC))


def _cluster_json(cluster: Cluster) -> dict[str, Any]:
    return {**cluster.published().model_dump(mode="json"), "version": cluster.version}


def print_table(table: Table) -> None:
    """For people; piped on, a line is as long as what it holds, so that nothing of an id is cut off."""
    console = Console()
    (console if console.is_terminal else Console(width=250)).print(table)


def print_json(value: Any) -> None:
    """For a program that reads what a command says."""
    typer.echo(orjson.dumps(value, default=_jsonable, option=orjson.OPT_INDENT_2).decode())


def _jsonable(value: object) -> Any:
    if isinstance(value, frozenset | set | tuple):
        return list(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):  # the driver's own kind, which orjson does not know
        return str(value)
    raise TypeError(type(value).__name__)


def checked(option: str, type_: Any, value: str) -> Any:
    """The value as its type takes it; a wrong one is one line that names the option, and exit code 2."""
    try:
        return TypeAdapter(type_).validate_python(value)
    except ValidationError as error:
        typer.echo(f"{option}: {error.errors()[0]['msg']}", err=True)
        raise typer.Exit(2) from None


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Service]:
    """Membership for a command: its pool, settings and clock; nothing runs by itself."""
    from shared.runtime.local import settings_for

    async with at_hand(Definition("membership"), settings_for("membership")) as service:
        yield service


@contextlib.asynccontextmanager
async def _database() -> AsyncIterator[tuple[Database, Settings]]:
    from shared.runtime.local import settings_for

    settings = settings_for("membership")
    async with open_database(
        settings.postgres("membership"), schema="membership", application="cumulo-cli", size=2
    ) as database:
        yield database, settings


def answered(work: Coroutine[Any, Any, T]) -> T:
    """Runs it; a refusal or a database that is away is one line and exit code 1."""
    try:
        return asyncio.run(work)
    except Refusal as refusal:
        _failed(refusal.reason)
    except TRANSIENT as error:
        _failed(f"the database does not answer ({type(error).__name__}); does the stack run? `cumulo up`")


def _failed(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(1)
