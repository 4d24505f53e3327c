"""`cumulo rebuild reporting`: the read model anew from the feeds of the other services, while the live one goes on.

Says what it did, in words or as JSON; shows a bar where somebody watches.
"""

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from shared.runtime.tasks import Words

if TYPE_CHECKING:
    from services.reporting.generations.commands import Progress, Rebuilt

SOURCES = ("membership", "events", "notifications")
TITLE = Words("Reconstrucción de los indicadores", "Rebuild of the indicators")


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def rebuild(
        service: Annotated[str, typer.Argument(help="reporting")],
        json: Annotated[bool, typer.Option("--json", help="for a program")] = False,
    ) -> None:
        """Build a read model anew from the feeds, beside the one in use, and swap it in."""
        if service != "reporting":
            raise typer.BadParameter(f"{service!r} has no read model; reporting has one", param_hint="service")
        import orjson

        done = asyncio.run(_rebuild())
        if json:
            typer.echo(orjson.dumps(asdict(done)).decode())
            return
        typer.echo(
            f"reporting: {done.read:,} facts read, {done.applied:,} applied in {done.seconds} s;"
            f" generation {done.generation} is in use"
        )
        for count, what in (
            (done.carried, "had come by Kafka and were not in the feed yet: carried over"),
            (done.strays, "were in the old model and neither in the feed nor in the inbox: left out"),
            (done.parked, "are parked: left out until they are retried"),
            (done.refused, "cannot be applied as they are: left out"),
        ):
            if count:
                typer.echo(f"{count:,} {what}")


async def _rebuild() -> "Rebuilt":
    from services.reporting.generations.commands import rebuild
    from shared.messaging.feed import FeedClient
    from shared.postgres.pool import open_database
    from shared.runtime import tasks
    from shared.runtime.local import settings_for

    settings = settings_for("reporting")
    here = f"http://{settings.http_host}:{settings.http_port}"
    token = settings.service_token.get_secret_value() if settings.service_token else None
    postgres = settings.postgres("reporting")
    async with (
        open_database(postgres, schema="reporting", application="cumulo-rebuild", size=3) as database,
        FeedClient(SOURCES[0], settings.urls.get(SOURCES[0]) or here, token) as membership,
        FeedClient(SOURCES[1], settings.urls.get(SOURCES[1]) or here, token) as events,
        tasks.begin(database, kind="rebuild", title=TITLE, actor="cli") as task,
    ):
        show = _progress()

        def progress(reached: int, end: int) -> None:
            show(reached, end)
            task.reach(reached, end)

        done = await rebuild(database, membership, events, progress=progress)
        task.result = asdict(done)
        return done


def _progress() -> "Progress":
    if not sys.stderr.isatty():
        return lambda reached, end: None

    def show(reached: int, end: int) -> None:
        part = reached / end if end else 1.0
        bar = ("▇" * round(part * 30)).ljust(30, "▁")
        finish = "\n" if reached >= end else ""
        print(f"\r{bar} {reached:,}/{end:,}", end=finish, file=sys.stderr, flush=True)

    return show
