"""`cumulo jobs` and `cumulo day`: what time brings about, told, and brought about now.

Each says what it did or found, in words or with `--json`. `day` ends with 1 when something did not end well.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

if TYPE_CHECKING:
    from shared.runtime.jobs import Ran
    from shared.runtime.service import Definition, Service

Json = Annotated[bool, typer.Option("--json", help="for a program")]
OneService = Annotated[str | None, typer.Option("--service", help="one service, or all")]
Definitions = Callable[[], Mapping[str, "Definition"]]

PLACES = """
SELECT name, zone, due, day, resume::text AS resume, counts::text AS counts, begun_at, failures, retry_at, error,
       error_at, ran_at, ran_day, ran_counts::text AS ran_counts
FROM job
"""


def register(app: typer.Typer, definitions: Definitions) -> None:
    """Adds the commands. `definitions` gives the services by name, called when a command runs."""

    @app.command()
    def jobs(service: OneService = None, json: Json = False) -> None:
        """Show what time brings about in each service: what is due when, how it last went."""
        found = asyncio.run(_all_places(_chosen(service, definitions())))
        if json:
            typer.echo(orjson.dumps(found, default=str).decode())
            return
        for one in found:
            typer.echo(_line(one))
            if one["state"] == "failing":
                typer.echo(f"    {one['error']}, {one['failures']}x; again {_minute(one['retry_at'])}")

    @app.command()
    def day(
        day: Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="the day, in the zone of each")],
        service: OneService = None,
        json: Json = False,
    ) -> None:
        """Bring about now what a day brings in every service. Twice ends the same."""
        chosen, wanted = _chosen(service, definitions()), _day(day)
        ran = asyncio.run(_run_day(chosen, wanted))
        if json:
            told = [{"service": name, **one._asdict()} for name, each in ran.items() for one in each]
            typer.echo(orjson.dumps(told).decode())
        else:
            for name, each in ran.items():
                for line in [_told(one) for one in each] or [f"no job is about days, {wanted} brings nothing"]:
                    typer.echo(f"{name}: {line}")
        if any(one.error for each in ran.values() for one in each):
            raise typer.Exit(1)


def _chosen(service: str | None, definitions: Mapping[str, "Definition"]) -> "Mapping[str, Definition]":
    if service is None:
        return definitions
    if service not in definitions:
        raise typer.BadParameter(f"there is no service {service!r}; there are {', '.join(definitions)}")
    return {service: definitions[service]}


def _day(text: str) -> date:
    from pydantic import TypeAdapter, ValidationError

    from shared.http.inputs import Day

    try:
        found: date = TypeAdapter(Day).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"], param_hint="--date") from None
    return found


async def _services(definitions: Mapping[str, "Definition"]) -> "AsyncIterator[Service]":
    from shared.runtime import logging
    from shared.runtime.local import settings_for
    from shared.runtime.service import at_hand

    logging.configure_for_commands()
    for name, definition in definitions.items():
        settings = settings_for(name).model_copy(update={"postgres_pool": 3})
        async with at_hand(definition, settings) as service:
            yield service


async def _run_day(definitions: Mapping[str, "Definition"], wanted: date) -> "dict[str, list[Ran]]":
    from shared.runtime.job_runner import run_day

    return {service.name: await run_day(service, wanted) async for service in _services(definitions)}


async def _all_places(definitions: Mapping[str, "Definition"]) -> list[dict[str, Any]]:
    return [place async for service in _services(definitions) for place in await places(service)]


async def places(service: "Service") -> list[dict[str, Any]]:
    """Where each declared job of a service is, as JSON for a program; one that has not begun has no zone."""
    async with service.database.connection() as connection:
        rows = await connection.fetch(PLACES)
    found: list[dict[str, Any]] = []
    for job in service.jobs:
        every = "day" if job.every == "day" else f"{job.every.total_seconds():g} s"
        mine = sorted((row for row in rows if row["name"] == job.name), key=lambda row: str(row["zone"]))
        base = {"service": service.name, "job": job.name, "every": every}
        if not mine:
            found.append({**base, "state": "new", "zone": None})
        for row in mine:
            values = dict(row)
            for name in ("resume", "counts", "ran_counts"):
                values[name] = None if values[name] is None else orjson.loads(values[name])
            found.append({**base, "state": _state(values), **{k: v for k, v in values.items() if k != "name"}})
    return found


def _state(row: Mapping[str, Any]) -> str:
    if row["failures"]:
        return "failing"
    if row["resume"] is not None:
        return "under way"
    return "new" if row["ran_at"] is None else "done"


def _line(one: Mapping[str, Any]) -> str:
    name = f"{one['service']} {one['job']}"
    if one["zone"] is None:
        return f"{name:32} has not begun"
    line = f"{name:32} {one['state']:9} due {_minute(one['due'])}"
    if one["every"] == "day":
        line += f" for {one['day']} in {one['zone']}"
    if one["resume"] is not None:
        line += f", goes on at {orjson.dumps(one['resume']).decode()}{_counted(one['counts'])}"
    if one["ran_at"] is not None:
        line += f"; last {_minute(one['ran_at'])}{_counted(one['ran_counts'])}"
    return line


def _told(one: "Ran") -> str:
    what = _counted(one.counts) or (": nothing to do" if one.done else "")
    end = f" — not done: {one.error}" if one.error else ""
    return f"{one.job} {one.day} in {one.zone}{what}{end}"


def _counted(counts: Mapping[str, int] | None) -> str:
    return ": " + ", ".join(f"{count:,} {what}" for what, count in counts.items()) if counts else ""


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}Z"
