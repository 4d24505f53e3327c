"""The `cumulo` command: each part of the system registers its own commands here.

What goes wrong in a known way ends in one line on standard error and exit code 1, never in a traceback.
Modules that take long to import are imported by the commands that need them.
"""

import functools
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

import deploy.local.cli
import services.demo
import services.membership.cli
import services.membership.cli_access
import services.privacy
import services.reporting.cli
import shared.contracts.cli
import shared.messaging.cli
import shared.runtime.jobs_cli

if TYPE_CHECKING:
    from shared.runtime.service import Definition

ELSEWHERE = ("version", "serve", "contracts", "roles")
"""Commands that have nothing to do with a data folder."""


Data = Annotated[
    Path | None,
    typer.Option("--data", help="data folder of the local stack; default: CUMULO_DATA, else ~/.local/share/cumulo"),
]


def _give_data(app: typer.Typer) -> None:
    """Gives every command that talks to the local stack the one option that says which: `--data`."""
    for group in app.registered_groups:
        if group.typer_instance is not None and group.name not in ELSEWHERE:
            _give_data(group.typer_instance)
    for command in app.registered_commands:
        if command.callback is not None and (command.name or command.callback.__name__) not in ELSEWHERE:
            command.callback = _with_data(command.callback)


def _with_data(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def run(*arguments: Any, data: Path | None, **more: Any) -> Any:
        from shared.runtime.local import named_folder

        named_folder.set(data)
        return command(*arguments, **more)

    told = inspect.signature(command)
    option = inspect.Parameter("data", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Data)
    run.__signature__ = told.replace(parameters=[*told.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {**get_type_hints(command, include_extras=True), "data": Data}
    return run


app = typer.Typer(
    name="cumulo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_HARMLESS = ("Refusal", "NotStarted", "NothingRuns", "SecretsUnreadable", "PostgresAway", "MigrationChanged",
             "DatabaseTooNew", "RefillRefused", "FeedRefused", "NothingToBackfill", "StillListening",
             "ReleasedFileAltered")  # fmt: skip


def definition_of(service: str) -> "Definition":
    """What one service is made of; only its own modules are imported."""
    from shared.runtime.settings import SERVICES

    if service not in SERVICES:
        raise typer.BadParameter(f"there is no service {service!r}; there are {', '.join(SERVICES)}")
    found: Definition = import_module(f"services.{service}.app").DEFINITION
    return found


def definitions() -> Mapping[str, "Definition"]:
    """All services by name."""
    from shared.runtime.settings import SERVICES

    return {service: definition_of(service) for service in SERVICES}


@app.command("version")
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    typer.echo(f"cumulo {version_of('cumulo')}")


@app.command("roles")
def roles() -> None:
    """Print which role may do what, as docs/roles.md has it."""
    from services.roles import page
    from shared.http.edge import application
    from shared.runtime.settings import Settings

    found = definitions()
    typer.echo(page(found, {name: application(one, Settings()) for name, one in found.items()}), nl=False)


def _print_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    asked: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The open platform on which a network of industry clusters runs its work."""
    if context.invoked_subcommand not in ("up", "serve"):
        # what the drivers tell of a server that went away is told by the command itself, in one line
        logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        logging.getLogger("asyncio").setLevel(logging.ERROR)


deploy.local.cli.register(app, definitions, definition_of, (services.demo.people, services.demo.network))
services.membership.cli.register(app)
services.membership.cli_access.register(app)
services.reporting.cli.register(app)
shared.messaging.cli.register(app, definitions)
shared.runtime.jobs_cli.register(app, definitions)
services.privacy.register(app, definitions)
shared.contracts.cli.register(app)
_give_data(app)


def reason_of(error: BaseException) -> str | None:
    """One line about an error of a known kind, None for a fault of the program."""
    if isinstance(error, BaseExceptionGroup):
        reasons = [reason_of(inner) for inner in error.exceptions]
        return next(iter(reasons)) if all(reasons) else None
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & set(_HARMLESS):
        return str(error)
    if type(error).__name__ == "ValidationError" and type(error).__module__.startswith("pydantic"):
        first = error.errors()[0]  # type: ignore[attr-defined]
        return f"CUMULO_{'_'.join(map(str, first['loc'])).upper()}: {first['msg']}"
    if "KafkaConnectionError" in kinds:
        tried = re.findall(r"\('([^']+)', (\d+), <AddressFamily", str(error))
        places = " or ".join(f"{host}:{port}" for host, port in tried)
        return f"no Kafka answers at {places}" if tried else f"no Kafka answers ({error})"
    if type(error).__module__.startswith("aiokafka"):
        return f"Kafka: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    if kinds & {"PostgresError", "InterfaceError"}:
        return f"PostgreSQL: {str(error).splitlines()[0]}"
    if isinstance(error, TimeoutError) and not str(error):
        return "a server that is needed gave no answer in time"
    if isinstance(error, ConnectionError):
        return f"a server that is needed does not answer: {error}"
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or error}{place}"
    return None


def main() -> None:
    """Runs the command line; the process's exit code says how it went."""
    try:
        app()
    except BrokenPipeError:
        # whoever read our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        reason = reason_of(error)
        if reason is None:
            raise
        print(f"cumulo: {reason}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
