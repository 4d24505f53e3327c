"""`cumulo contracts generate | check | release`: the committed form of the published language.

`check` is the gate: it ends with 1 and a line for each file that is stale, altered, unreadable or that
would break a subscriber.
"""

from typing import Annotated

import typer

from shared.contracts import CONTRACTS
from shared.contracts.publish import ROOT, Published, ReleasedFileAltered


def register(app: typer.Typer) -> None:
    """Adds the group `contracts` to the `cumulo` command."""
    contracts = typer.Typer(help="The published language: schemas, samples, AsyncAPI, releases.", no_args_is_help=True)
    contracts.command("generate")(generate)
    contracts.command("check")(check)
    contracts.command("release")(release)
    app.add_typer(contracts, name="contracts")


def generate() -> None:
    """Writes schemas and asyncapi.json from the models."""
    changed = _published().generate()
    for path in changed:
        typer.echo(f"{path.relative_to(ROOT).as_posix()} {'written' if path.exists() else 'removed'}")
    typer.echo(f"{len(CONTRACTS)} contracts, {len(changed)} files changed")


def check(
    json_: Annotated[bool, typer.Option("--json", help="the problems as a JSON list")] = False,
) -> None:
    """Ends with 1 when a committed file is stale, a released one altered, or a subscriber would break."""
    problems = _published().problems()
    if json_:
        import json

        typer.echo(json.dumps(problems, ensure_ascii=False))
    else:
        for line in problems:
            typer.echo(line, err=True)
        if not problems:
            typer.echo(f"{len(CONTRACTS)} contracts, all in order")
    if problems:
        raise typer.Exit(1)


def release() -> None:
    """Freezes the schemas of types that are new or gained fields; never alters a released file."""
    try:
        made = _published().release()
    except (ReleasedFileAltered, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    for path in made:
        typer.echo(f"{path.relative_to(ROOT).as_posix()} released")
    typer.echo(f"{len(made)} schemas released")


def _published() -> Published:
    return Published(tuple(CONTRACTS.values()))
