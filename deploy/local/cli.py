"""Running Cumulo from a terminal: the local stack, its status, one service alone, migrations.

Each says what it did; `--json` where a program reads it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from shared.messaging.cli import counter

if TYPE_CHECKING:
    from shared.runtime.service import Definition, Service

PORT = "where it listens; 0 chooses a free one"


DemoMakers: TypeAlias = "tuple[Callable[..., Awaitable[int]], Callable[..., Awaitable[None]]]"
"""What makes the demo's people, and what makes its network: `people` and `network` of deploy.local.stack.Demo."""
Json = Annotated[bool, typer.Option("--json", help="for a program")]
Kafka = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="a real Apache Kafka")]


def register(
    app: typer.Typer,
    definitions: Callable[[], Mapping[str, "Definition"]],
    definition_of: Callable[[str], "Definition"],
    make_demo: "DemoMakers",
) -> None:
    """Adds the commands. `definitions` gives all services by name, `definition_of` one, `make_demo` makes the demo."""

    @app.command()
    def up(
        port: Annotated[int, typer.Option(min=0, max=65535, help=f"{PORT}; default: 8000")] = 8000,
        kafka: Kafka = None,
        with_demo: Annotated[
            bool, typer.Option("--demo", help="with an invented network, whose people sign in by a click")
        ] = False,
        demo_size: Annotated[
            Literal["people", "network"],
            typer.Option(help="how much of the demo: its people and a few companies, or the whole network"),
        ] = "network",
    ) -> None:
        """Start the whole system on this computer: PostgreSQL, Kafka and the four services."""
        from deploy.local import stack
        from shared.runtime import logging
        from shared.runtime.local import data_folder

        _check_form(kafka)
        logging.configure_for_commands()
        place = stack.Place(data_folder(), port, kafka, demo_size if with_demo else None)
        demo = stack.Demo(*make_demo, progress=_demo_progress)
        stack.run(place, definitions, say=_step, warn=_warn, ready=_box, demo=demo)
        typer.echo("stopped")

    demo_app = typer.Typer(no_args_is_help=True, help="The invented network of `cumulo up --demo`.")
    app.add_typer(demo_app, name="demo")

    @demo_app.command("reset")
    def reset(
        yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    ) -> None:
        """Remove the demo with everything that was done in it; the next `cumulo up --demo` makes it anew."""
        from deploy.local import folder
        from shared.runtime.local import data_folder

        place = data_folder()
        if not yes and not typer.confirm(f"Remove everything in {place}?"):
            raise typer.Exit(1)
        folder.empty(place)
        typer.echo(f"{place} is empty; `cumulo up --demo` makes the demo anew")

    @app.command()
    def status(json: Json = False) -> None:
        """Tell where the local stack answers: http, kafka, postgres, mail, token."""
        from shared.runtime.local import data_folder, running_status

        folder = data_folder()
        _tell(running_status(folder), folder, json)

    @app.command()
    def serve(
        service: Annotated[str, typer.Argument(help="membership, events, notifications or reporting")],
        port: Annotated[
            int | None, typer.Option(min=0, max=65535, help=f"{PORT}; default: CUMULO_HTTP_PORT, else 8000")
        ] = None,
    ) -> None:
        """Run one service against the PostgreSQL and Kafka that the environment names."""
        from shared.runtime import loop

        loop.run(_serve(definition_of(service), port))

    @app.command()
    def migrate(json: Json = False) -> None:
        """Bring the database to this version: roles, extensions, the schema of every service."""
        from deploy.local.migrate import migrate as run
        from deploy.local.migrate import passwords_from_environment
        from shared.runtime.local import admin_connect_options, data_folder, named_folder, read_secrets

        options = admin_connect_options()
        passwords = passwords_from_environment()
        if named_folder.get() is not None:
            secrets = read_secrets(data_folder())
            passwords = {role: word for role, word in secrets.items() if role.startswith("cumulo_")}
        said: list[str] = []
        ran = asyncio.run(run(options, passwords, say=said.append if json else typer.echo))
        if json:
            import orjson

            typer.echo(orjson.dumps({"ran": ran, "files": said}).decode())
        else:
            total = sum(ran.values())
            typer.echo(f"{total} migrations ran" if total else "nothing to do: the database is of this version")

    @app.command()
    def refill(
        service: Annotated[
            str, typer.Argument(help="membership, events, notifications, reporting, or all of them")
        ] = "all",
        kafka: Kafka = None,
        all_facts: Annotated[bool, typer.Option("--all/--needed", help="every fact, or what a consumer lacks")] = True,
        json: Json = False,
    ) -> None:
        """Publish all states and facts again, into empty topics that nobody reads.

        With --kafka it starts the PostgreSQL of the data folder itself, when nothing runs there.
        """
        from deploy.local.refilling import refill as run

        _check_form(kafka)
        if service != "all":
            definition_of(service)
        only = None if service == "all" else [service]
        done = run(definitions(), kafka=kafka, only=only, all_facts=all_facts, progress=counter())
        if json:
            import orjson

            typer.echo(orjson.dumps(done).decode())
        else:
            for name, count in done.items():
                typer.echo(f"{name}: {count:,} records published")


def _check_form(kafka: str | None) -> None:
    from deploy.local.broker import addresses

    if kafka is not None:
        try:
            addresses(kafka)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="'--kafka'") from None


def _warn(line: str) -> None:
    typer.echo(f"cumulo: {line}", err=True)


def _step(what: str, seconds: float) -> None:
    typer.echo(f"{what} ✓ {seconds:.1f} s")


@contextmanager
def _demo_progress() -> Iterator[Callable[[int, int], None]]:
    """A bar while somebody looks; lines now and then where a file does."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("demo"), BarColumn(), MofNCompleteColumn(), TextColumn("organisations"))
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("demo", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _box(status: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.panel import Panel

    lines = (
        f"[bold]Cumulo[/]    {status['http']}",
        f"data      {status['data']}",
        f"mail      {status['mail']}",
        f"Kafka     {status['kafka']}",
        "more      cumulo status",
        "stop      Ctrl-C",
    )
    Console(soft_wrap=True).print(Panel.fit("\n".join(lines)))


def _tell(found: dict[str, Any], folder: Path, json: bool) -> None:
    from shared.postgres.migrations import OWNER
    from shared.runtime.local import SUPERUSER, read_secrets

    keys = ("http", "kafka", "postgres", "mail", "token", "ready", "data", "pid")
    shown = {key: found[key] for key in keys}
    dsn = shown["postgres"].replace(f"//{SUPERUSER}@", f"//{OWNER}@")
    if json:
        import orjson

        # complete, so that a program can sign in; the folder it is read from is private
        shown["postgres"] = dsn.replace(f"//{OWNER}@", f"//{OWNER}:{read_secrets(folder)[OWNER]}@")
        typer.echo(orjson.dumps(shown).decode())
        return
    shown["postgres"] = f"{dsn} (password: secrets.json in the data folder)"
    if found["kafka_embedded"]:
        shown["kafka"] += " (embedded, in memory; how far a consumer lags is unknown there)"
    shown["ready"] = "yes" if found["ready"] else "not yet"
    for key, value in shown.items():
        typer.echo(f"{key:<9} {value}")


async def _serve(definition: "Definition", port: int | None) -> None:
    from deploy.local.server import listening, serve, stop_signals
    from shared.http.edge import application
    from shared.runtime import logging
    from shared.runtime.settings import Settings

    settings = Settings()
    logging.configure(format=settings.log_format, level=settings.log_level)
    log = logging.get_log(definition.name)
    app = application(definition, settings)
    with (
        stop_signals() as stopping,
        listening(
            settings.http_host, settings.http_port if port is None else port, command=f"serve {definition.name}"
        ) as door,
    ):

        async def started() -> None:
            host, chosen = door.getsockname()[:2]
            log.info("service.listening", host=host, port=chosen)

        async with app.router.lifespan_context(app):
            running = app.state.service
            watching = asyncio.create_task(_end_on_failure(running, stopping))
            await serve(app, door, stopping, started, running.stopping.set, running.settings.trusted_proxies)
            watching.cancel()
    if running.failed is not None:
        raise typer.Exit(1)


async def _end_on_failure(service: "Service", stopping: asyncio.Event) -> None:
    """A service that cannot go on ends its process, so that whoever supervises it starts a new one."""
    await service.failing.wait()
    stopping.set()
