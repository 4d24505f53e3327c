"""The `cumulo` command: each part of the system registers its own commands here.

What goes wrong in a known way ends in one line on standard error and exit code 1, never in a traceback.
Modules that take long to import are imported by the commands that need them.
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import typer

import deploy.local.cli
import services.membership.cli
import services.reporting.cli
import shared.contracts.cli
import shared.messaging.cli

if TYPE_CHECKING:
    from shared.runtime.service import Definition

app = typer.Typer(
    name="cumulo",
    help="The open platform on which a network of industry clusters runs its work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_HARMLESS = ("Refusal", "NotStarted", "NothingRuns", "MigrationChanged", "DatabaseTooNew", "RefillRefused",
             "FeedRefused", "NothingToBackfill", "ReleasedFileAltered")  # fmt: skip


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


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    typer.echo(f"cumulo {version_of('cumulo')}")


deploy.local.cli.register(app, definitions, definition_of)
services.membership.cli.register(app)
services.reporting.cli.register(app)
shared.messaging.cli.register(app, definitions)
shared.contracts.cli.register(app)


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
        return f"no Kafka answers ({str(error).removeprefix('KafkaConnectionError: ')})"
    if type(error).__module__.startswith("aiokafka"):
        return f"Kafka: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    if kinds & {"PostgresError", "InterfaceError"}:
        return f"PostgreSQL: {str(error).splitlines()[0]}"
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
