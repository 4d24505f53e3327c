"""The bus from a terminal: topics, feed, reconcile, backfill, parked.

Every command says what it did, in words or with `--json` for a program; what can be long shows progress.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from shared.messaging.feed import FeedClient
    from shared.postgres.pool import Database
    from shared.runtime.service import Definition

Json = Annotated[bool, typer.Option("--json", help="for a program")]
ServiceArgument = Annotated[str, typer.Argument(help="membership, events, notifications or reporting")]


def register(app: typer.Typer, definitions: Callable[[], Mapping[str, "Definition"]]) -> None:
    """Adds the commands. `definitions` gives the services by name, called when a command runs."""

    @app.command()
    def topics(json: Json = False) -> None:
        """Make the topics of deploy/topics.yaml; those that exist keep their records."""
        from shared.messaging.topics import make_topics
        from shared.runtime.local import settings_for

        done = asyncio.run(make_topics(settings_for("membership")))
        _say(done, json, lambda: [f"{name}: {what}" for name, what in done.items()])

    @app.command()
    def feed(
        service: ServiceArgument,
        after: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="the sequence behind which to begin")] = 0,
        follow: Annotated[bool, typer.Option("--follow", help="wait for more until Ctrl-C")] = False,
    ) -> None:
        """Print a service's facts, one CloudEvent in JSON a line."""
        _known(service, definitions())
        asyncio.run(_print_feed(service, after, follow))

    @app.command()
    def reconcile(service: ServiceArgument, json: Json = False) -> None:
        """Compare a service's state topics with its tables and publish again what differs."""
        definition = _known(service, definitions())
        done = asyncio.run(_reconcile(definition)) if definition.states else {}
        if definition.states and not done:
            typer.echo(f"another replica reconciles {service} right now", err=True)
            raise typer.Exit(1)
        lines = [
            f"{t}: {r.compared} compared, {r.published} published again, {r.erased} erased" for t, r in done.items()
        ]
        nothing = f"{service} publishes no states: there is nothing to reconcile"
        _say({topic: asdict(result) for topic, result in done.items()}, json, lambda: lines or [nothing])

    @app.command()
    def backfill(
        service: ServiceArgument,
        consumer: Annotated[str, typer.Argument(help="the consumer's name")],
        json: Json = False,
    ) -> None:
        """Give a consumer what was published of the types that it took on."""
        from shared.messaging.backfill import backfill as run
        from shared.messaging.listening import refuse_while_somebody_listens
        from shared.runtime.local import settings_for

        definition = _known(service, definitions())
        chosen = next((c for c in definition.consumers if c.name == consumer), None)
        if chosen is None:
            names = ", ".join(c.name for c in definition.consumers) or "none"
            raise typer.BadParameter(f"{service} has no consumer {consumer!r}; it has: {names}")

        async def work() -> dict[str, int]:
            count = 0

            def progress(more: int) -> None:
                nonlocal count
                count += more
                counter()(service, count)

            await refuse_while_somebody_listens(settings_for(service), chosen)
            async with _database(service) as database:
                return await run(database, chosen, _feed_client, progress=progress)

        done = asyncio.run(work())
        _say(done, json, lambda: [", ".join(f"{count} {what}" for what, count in done.items())])

    app.add_typer(_parked(definitions), name="parked")


def _parked(definitions: Callable[[], Mapping[str, "Definition"]]) -> typer.Typer:
    from shared.messaging.cli_parked import commands

    return commands(definitions)


def _known(service: str, definitions: Mapping[str, "Definition"]) -> "Definition":
    if service not in definitions:
        raise typer.BadParameter(f"there is no service {service!r}; there are {', '.join(definitions)}")
    return definitions[service]


def _say(result: Any, json: bool, lines: Callable[[], list[str]]) -> None:
    if json:
        import orjson

        typer.echo(orjson.dumps(result, default=str).decode())
    else:
        for line in lines():
            typer.echo(line)


def counter() -> Callable[[str, int], None]:
    """Shows how far a command is: a number on one line of a terminal; nothing where nobody watches."""
    if not sys.stderr.isatty():
        return lambda service, count: None
    return lambda service, count: print(f"\r{service}: {count:,}", end="", file=sys.stderr, flush=True)


def _database(service: str) -> "AbstractAsyncContextManager[Database]":
    from shared.postgres.pool import open_database
    from shared.runtime.local import settings_for

    return open_database(settings_for(service).postgres(service), schema=service, application="cumulo-cli", size=2)


def _feed_client(service: str) -> "FeedClient":
    from shared.messaging.feed import FeedClient
    from shared.runtime.local import settings_for

    settings = settings_for(service)
    url = settings.urls.get(service) or f"http://{settings.http_host}:{settings.http_port}"
    token = settings.service_token.get_secret_value() if settings.service_token else None
    return FeedClient(service, url, token)


async def _print_feed(service: str, after: int, follow: bool) -> None:
    import orjson

    async with _feed_client(service) as feed:
        if not follow and (last := await feed.barrier()) <= after:
            nothing = f"there is nothing after {after}; the last fact is {last}" if last else "there are no facts yet"
            typer.echo(f"{service}: {nothing}", err=True)
            return
        while True:
            page = await feed.raw("", after=after, limit=1000)
            for event in page:
                typer.echo(orjson.dumps(event).decode())
            if page:
                after = int(page[-1]["sequence"])
            elif not follow:
                return
            else:
                await asyncio.sleep(0.25)


async def _reconcile(definition: "Definition") -> dict[str, Any]:
    from shared.messaging.reconcile import reconcile as run
    from shared.runtime import logging
    from shared.runtime.local import settings_for
    from shared.runtime.service import running

    logging.configure_for_commands()
    settings = settings_for(definition.name).model_copy(update={"relay_enabled": False})
    bare = type(definition)(definition.name, states=definition.states)
    async with running(bare, settings) as service:
        return dict(await run(service))
