"""`cumulo parked`: what was set aside, why, and what to do about it.

`show` prints the record as it came; `retry` applies a key's events in order; `drop` gives one up and
then applies what waited behind it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.messaging.cli import Json, ServiceArgument, _database, _known, _say

if TYPE_CHECKING:
    from shared.messaging.parked import Parked, Retried
    from shared.runtime.service import Definition

Number = Annotated[int, typer.Argument(min=1, help="the number that `cumulo parked list` shows")]


def commands(definitions: Callable[[], Mapping[str, "Definition"]]) -> typer.Typer:
    """The sub-commands."""
    app = typer.Typer(help="Events that were set aside.", no_args_is_help=True)

    @app.command("list")
    def list_(
        service: Annotated[str | None, typer.Argument(help="one service, or all")] = None, json: Json = False
    ) -> None:
        """List parked events, by service."""
        services = [str(_known(service, definitions()).name)] if service else list(definitions())
        found = asyncio.run(_list(services))
        _say(
            [{"service": name, **asdict(event)} for name, event in found], json,
            lambda: [
                f"{name} {e.number}: {e.consumer} {e.topic} {e.key} {e.type.removeprefix('org.cumulo.') or '(no type)'}"
                f" — {e.reason or 'waits behind the one before'} ({e.attempts}x, {e.parked_at:%Y-%m-%d %H:%M})"
                for name, e in found
            ] or ["Nothing is parked."],
        )  # fmt: skip

    @app.command()
    def show(service: ServiceArgument, number: Number) -> None:
        """Print one parked event as it came."""
        import orjson

        from shared.messaging.parked import parked_record, record_as_json

        _known(service, definitions())

        async def work() -> dict[str, Any]:
            async with _database(service) as database, database.connection() as connection:
                event, item = await parked_record(connection, number)
                return {**asdict(event), "record": record_as_json(item)}

        typer.echo(orjson.dumps(asyncio.run(work()), default=str, option=orjson.OPT_INDENT_2).decode())

    @app.command()
    def retry(
        service: ServiceArgument,
        number: Annotated[int | None, typer.Argument(min=1, help="one event's key; without it, all")] = None,
        json: Json = False,
    ) -> None:
        """Apply parked events again, in order; what still fails stays."""
        done = asyncio.run(_retry(_known(service, definitions()), number))
        _report(done, json)

    @app.command()
    def drop(service: ServiceArgument, number: Number, json: Json = False) -> None:
        """Give one event up for good, then apply what waited behind it."""
        from shared.messaging.parked import ConsumerGone, applier_of, drop_event, parked_record

        definition = _known(service, definitions())

        async def work() -> "Retried":
            async with _database(service) as database:
                async with database.connection() as connection:
                    event, _ = await parked_record(connection, number)
                try:
                    applier = applier_of(definition.consumers, event.consumer)
                except ConsumerGone as gone:
                    raise typer.BadParameter(gone.reason) from gone
                return await drop_event(database, applier, number, actor="cli")

        _report(asyncio.run(work()), json)

    return app


async def _list(services: list[str]) -> list[tuple[str, "Parked"]]:
    from shared.messaging.parked import parked_events

    found: list[tuple[str, Parked]] = []
    for service in services:
        async with _database(service) as database, database.connection() as connection:
            after = 0
            while page := await parked_events(connection, after=after):
                found += [(service, event) for event in page]
                after = page[-1].number
    return found


async def _retry(definition: "Definition", number: int | None) -> "Retried":
    from shared.messaging.parked import ConsumerGone, Retried, applier_of, parked_keys, parked_record, retry_key

    total = Retried()
    async with _database(definition.name) as database:
        async with database.connection() as connection:
            if number is None:
                keys = await parked_keys(connection)
            else:
                event, _ = await parked_record(connection, number)
                keys = [(event.consumer, event.topic, event.key)]
        for consumer, topic, key in keys:
            try:
                applier = applier_of(definition.consumers, consumer)
            except ConsumerGone as gone:  # a consumer that is no more does not keep the others from it
                if number is not None:
                    raise typer.BadParameter(gone.reason) from gone
                total.waiting, total.reason = total.waiting + 1, gone.reason
                continue
            done = await retry_key(database, applier, topic, key, actor="cli")
            total.applied += done.applied
            total.outdated += done.outdated
            total.waiting += done.waiting
            total.reason = done.reason or total.reason
    return total


def _report(done: "Retried", json: bool) -> None:
    _say(
        asdict(done), json,
        lambda: [
            f"{done.applied} applied, {done.outdated} outdated, {done.dropped} dropped, {done.waiting} still wait"
            + (f": {done.reason}" if done.reason else "")
        ],
    )  # fmt: skip
