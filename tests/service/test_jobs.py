"""Jobs: killed, failing, late, in two replicas at once, in several zones; what they leave is always the same."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
import uuid_utils.compat as uuid_utils
from pydantic import JsonValue
from typer.testing import CliRunner

from services.cli import app
from shared.postgres.pool import Connection, Unit
from shared.postgres.values import day_in
from shared.runtime.job_runner import due_jobs, run_day, run_due, run_job
from shared.runtime.jobs import Job, Place, Ran, Turn, due_place, retry_after
from shared.runtime.jobs_cli import places
from shared.runtime.service import Definition, Service, at_hand, running
from shared.runtime.settings import Settings
from shared.runtime.upkeep import PIECE, REQUESTS, jobs_of
from tests.conftest import SettingsFor
from tests.stack import database as stack
from tests.stack.database import Cluster

WRITTEN = "SELECT bucket FROM attempt WHERE bucket LIKE $1 || ' %' ORDER BY xmin::text::bigint"
NETWORK = "America/Mexico_City"
NOON = datetime(2026, 3, 31, 18, tzinfo=UTC)
ONE_DAY = timedelta(days=1)


class World:
    """One replica of a service whose jobs write into a table that would hold doubles; its clock is set by hand."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.name = f"test-{uuid_utils.uuid7()}"
        self.now = NOON
        service.clock = lambda: self.now

    def job(self, chunk: Any = None, **more: Any) -> Job:
        return Job(self.name, chunk=chunk or self.work, **more)

    async def work(self, unit: Unit, turn: Turn) -> JsonValue:
        """Three chunks, each written down."""
        number = int(turn.resume) + 1 if isinstance(turn.resume, int) else 1
        await self.write(unit, f"{turn.zone} {turn.day} {number}")
        turn.count("written")
        return number if number < 3 else None

    async def write(self, unit: Unit, what: str) -> None:
        await unit.connection.execute("INSERT INTO attempt VALUES ($1, $2)", f"{self.name} {what}", unit.now)

    async def written(self) -> list[str]:
        async with self.service.database.connection() as connection:
            rows = await connection.fetch(WRITTEN, self.name)
        return [row["bucket"].removeprefix(f"{self.name} ") for row in rows]

    async def days(self) -> list[str]:
        """The days of which something was written, in the order of writing."""
        return list(dict.fromkeys(line.split()[1] for line in await self.written()))

    async def place(self) -> dict[str, Any]:
        """The job's row, as `cumulo jobs --json` has it."""
        (found,) = [one for one in await places(self.service) if one["job"] == self.name]
        return found


@pytest.fixture
async def replica(service_settings: SettingsFor) -> AsyncIterator[Callable[[], Any]]:
    """`await replica()`: another replica of the same service, with jobs of its own."""
    async with AsyncExitStack() as stack:

        async def make() -> World:
            return World(await stack.enter_async_context(at_hand(Definition("events"), service_settings("events"))))

        yield make


@pytest.fixture
async def world(replica: Callable[[], Any]) -> World:
    found: World = await replica()
    return found


def three(zone: str, *days: date) -> list[str]:
    return [f"{zone} {day} {number}" for day in days for number in (1, 2, 3)]


async def test_a_day_is_worked_once_chunk_by_chunk(world: World) -> None:
    world.service.jobs = [world.job()]
    (ran,) = await run_due(world.service)
    assert ran == Ran(world.name, NETWORK, date(2026, 3, 31), True, {"written": 3})
    assert await world.written() == three(NETWORK, date(2026, 3, 31))
    assert await run_due(world.service) == []
    place = await world.place()
    assert (place["state"], place["due"]) == ("done", datetime(2026, 4, 1, 6, tzinfo=UTC))
    assert place["ran_counts"] == {"written": 3}


async def test_days_on_which_nothing_ran_are_caught_up_in_order(world: World) -> None:
    world.service.jobs = [world.job()]
    await run_due(world.service)
    world.now += timedelta(days=3)
    assert [ran.day.day for ran in await run_due(world.service)] == [1, 2, 3]
    assert await world.days() == ["2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03"]
    assert len(await world.written()) == 12


async def test_only_the_newest_of_the_missed_days_counts_where_the_job_says_so(world: World) -> None:
    world.service.jobs = [world.job(each_day=False)]
    await run_due(world.service)
    world.now += timedelta(days=3)
    assert [ran.day.day for ran in await run_due(world.service)] == [3]
    assert await world.days() == ["2026-03-31", "2026-04-03"]


async def test_each_zone_has_its_own_day_from_the_hour_of_the_job_on(world: World) -> None:
    async def zones(connection: Connection) -> list[str]:
        return ["Asia/Tokyo", "America/Tijuana", "Asia/Tokyo", "Moon/Base"]

    world.service.jobs = [world.job(zones=zones, at=time(6))]
    assert [(ran.zone, str(ran.day)) for ran in await run_due(world.service)] == [("America/Tijuana", "2026-03-31")]
    world.now = datetime(2026, 3, 31, 21, tzinfo=UTC)  # 6:00 of April in Tokyo
    assert [(ran.zone, str(ran.day)) for ran in await run_due(world.service)] == [("Asia/Tokyo", "2026-04-01")]
    world.now = datetime(2026, 4, 1, 12, 59, tzinfo=UTC)  # 5:59 in Tijuana
    assert await run_due(world.service) == []


async def test_two_replicas_at_once_work_a_job_once(replica: Callable[[], Any]) -> None:
    one, other = await replica(), await replica()
    job = one.job()
    one.service.jobs = other.service.jobs = [job]
    ran = await asyncio.gather(*(run_job(each.service, job) for each in (one, other) for _ in range(2)))
    assert sum(len(each) for each in ran) == 1
    assert await one.written() == three(NETWORK, date(2026, 3, 31))


KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from shared.runtime.job_runner import run_due
from shared.runtime.jobs import Job
from shared.runtime.service import Definition, at_hand
from shared.runtime.settings import Settings

async def work(unit, turn):
    number = (turn.resume or 0) + 1
    await unit.connection.execute(
        "INSERT INTO attempt VALUES ($1, $2)", f"{sys.argv[1]} {turn.zone} {turn.day} {number}", unit.now)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number

async def main():
    async with at_hand(Definition("events"), Settings()) as service:
        service.clock = lambda: datetime(2026, 3, 31, 18, tzinfo=UTC)
        service.jobs = [Job(sys.argv[1], chunk=work)]
        await run_due(service)

asyncio.run(main())
"""


async def test_a_job_killed_within_a_chunk_goes_on_where_the_last_one_ended(
    world: World, service_settings: SettingsFor
) -> None:
    environment = {**os.environ, **variables(service_settings("events"))}
    command = [sys.executable, "-c", KILLED, world.name]
    killed = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    world.service.jobs = [world.job()]
    place = await world.place()
    assert (place["state"], place["resume"], place["ran_at"]) == ("under way", 1, None)
    # the server notices the death by itself; until then the lock is held, as it must be
    async with asyncio.timeout(10):
        while not (ran := await run_due(world.service)):
            await asyncio.sleep(0.01)
    assert [one.done for one in ran] == [True]
    assert await world.written() == three(NETWORK, date(2026, 3, 31))


async def test_a_service_that_stops_ends_its_chunk_and_no_more(world: World) -> None:
    async def work(unit: Unit, turn: Turn) -> JsonValue:
        after = await world.work(unit, turn)
        if after == 2:
            world.service.stopping.set()
        return after

    world.service.jobs = [world.job(work)]
    (ran,) = await run_due(world.service)
    assert (ran.done, ran.error, ran.counts) == (False, None, {"written": 2})
    world.service.stopping.clear()
    (ran,) = await run_due(world.service)
    assert (ran.done, ran.counts) == (True, {"written": 3})
    assert len(await world.written()) == 3


async def test_a_job_that_fails_is_told_and_tried_again_later_and_stops_no_other(world: World) -> None:
    broken = True

    async def work(unit: Unit, turn: Turn) -> JsonValue:
        after = await world.work(unit, turn)
        if broken and after == 2:
            raise KeyError("Rebeca Treviño, rebeca@example.org")
        return after

    async def fine(unit: Unit, turn: Turn) -> JsonValue:
        turn.count("fine")
        return None

    async def nowhere(connection: Connection) -> list[str]:
        raise KeyError("zones")

    service = world.service
    other = Job(f"{world.name}-other", chunk=fine)
    service.jobs = [Job(f"{world.name}-zones", chunk=fine, zones=nowhere), world.job(work), other]
    failed, well = await run_due(service)
    assert (failed.done, well.done, well.counts) == (False, True, {"fine": 1})
    place = await world.place()
    assert (place["state"], place["failures"], place["resume"]) == ("failing", 1, 1)
    assert re.fullmatch(r"KeyError in work \(tests/service/test_jobs\.py:\d+\)", place["error"])
    assert service.metrics.registry.get_sample_value(
        "cumulo_job_turns_total", {"job": world.name, "outcome": "failed"}
    ) == 1  # fmt: skip

    world.now += timedelta(seconds=29)
    assert await run_due(service) == []
    world.now += timedelta(seconds=1)
    assert [ran.done for ran in await run_due(service)] == [False]
    assert (await world.place())["retry_at"] == world.now + timedelta(minutes=1)
    broken = False
    world.now += timedelta(minutes=1)
    assert [ran.done for ran in await run_due(service)] == [True]
    place = await world.place()
    assert (place["state"], place["failures"], place["error"] is None) == ("done", 0, False)
    assert await world.written() == three(NETWORK, date(2026, 3, 31))
    assert [retry_after(number).total_seconds() for number in (0, 1, 6, 7, 99)] == [30, 60, 1920, 3600, 3600]


async def test_work_whose_lock_is_gone_is_not_committed_and_is_done_again(world: World) -> None:
    cut = True

    async def work(unit: Unit, turn: Turn) -> JsonValue:
        after = await world.work(unit, turn)
        if cut and after == 2:
            async with world.service.database.connection() as other:
                await other.fetchval("SELECT pg_terminate_backend($1, 5000)", unit.connection.get_server_pid())
        return after

    world.service.jobs = [world.job(work)]
    (ran,) = await run_due(world.service)
    assert (ran.done, ran.error is None) == (False, False)
    assert await world.written() == [f"{NETWORK} 2026-03-31 1"]
    cut = False
    world.now += timedelta(seconds=30)
    (ran,) = await run_due(world.service)
    assert (ran.done, ran.counts) == (True, {"written": 3})
    assert await world.written() == three(NETWORK, date(2026, 3, 31))


async def test_a_stretch_of_time_has_one_turn_however_long_nothing_ran(world: World) -> None:
    async def apart(turn: Turn) -> JsonValue:
        async with world.service.unit(actor="test", cause="test") as unit:
            return await world.work(unit, turn)

    world.service.jobs = [Job(world.name, every=timedelta(hours=1), apart=apart)]
    assert await due_jobs(world.service) == []
    world.now += timedelta(hours=5)
    assert [ran.done for ran in await run_due(world.service)] == [True]
    assert await due_jobs(world.service) == []
    assert len(await world.written()) == 3
    assert (await world.place())["due"] == world.now + timedelta(hours=1)
    # the clock was ahead: a turn that lies further away than any can is due
    world.now -= timedelta(days=400)
    assert [job.name for job in await due_jobs(world.service)] == [world.name]


async def test_a_day_brought_about_twice_ends_the_same_and_one_ahead_still_comes(world: World) -> None:
    async def settle(unit: Unit, turn: Turn) -> JsonValue:
        """As every job works: what is due by the day and not done."""
        for day in (31, 32, 33):
            due = date(2026, 3, 1) + timedelta(days=day - 1)
            line = f"{NETWORK} {due} lapsed"
            if due <= turn.day and line not in await world.written():
                await world.write(unit, line)
                turn.count("lapsed")
        return None

    service = world.service
    service.jobs = [world.job(settle)]
    ahead = await run_day(service, date(2026, 4, 1))
    assert [(str(ran.day), ran.counts) for ran in ahead] == [("2026-04-01", {"lapsed": 2})]
    assert [(str(ran.day), ran.counts) for ran in await run_day(service, date(2026, 4, 1))] == [("2026-04-01", {})]
    assert str((await world.place())["day"]) == "2026-03-31"
    world.now += timedelta(days=2)
    caught_up = await run_day(service, date(2026, 4, 2))
    assert [(str(ran.day), ran.counts) for ran in caught_up] == [
        ("2026-03-31", {}), ("2026-04-01", {}), ("2026-04-02", {"lapsed": 1}),
    ]  # fmt: skip
    assert await run_due(service) == []
    assert [(str(ran.day), ran.done) for ran in await run_day(service, date(2026, 3, 1))] == [("2026-03-01", True)]
    assert str((await world.place())["day"]) == "2026-04-03"
    assert len(await world.written()) == 3


@pytest.mark.parametrize("zone", ["America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Pacific/Apia"])
def test_a_day_begins_within_itself_also_where_its_midnight_is_skipped_or_comes_twice(zone: str) -> None:
    async def nothing(unit: Unit, turn: Turn) -> JsonValue:
        return None

    job = Job("days", chunk=nothing)
    for number in range(730):
        day = date(2026, 1, 1) + timedelta(days=number)
        begins = job.begins(day, zone)
        assert (job.newest(zone, begins), job.newest(zone, begins - timedelta(seconds=1))) == (day, day - ONE_DAY)
        place = Place(day, begins)
        assert due_place(job, zone, place, begins) == place
        assert due_place(job, zone, place, begins - timedelta(seconds=1)) is None
    assert day_in(zone, datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))) == date(2026, 1, 1)


def test_a_place_that_only_a_wrong_clock_could_have_written_counts_for_nothing() -> None:
    async def nothing(unit: Unit, turn: Turn) -> JsonValue:
        return None

    job = Job("days", chunk=nothing)
    far = Place(date(2031, 1, 1), NOON, 17, {"written": 3})
    assert due_place(job, NETWORK, far, NOON) == Place(date(2026, 3, 31), NOON)
    with pytest.raises(ValueError, match="one of chunk and apart"):
        Job("neither")
    with pytest.raises(ValueError, match="two jobs of one name: days"):
        jobs_of(Definition("events", jobs=[job, job]), Settings())


async def test_a_running_service_works_its_jobs_by_itself(service_settings: SettingsFor) -> None:
    done = asyncio.Event()

    async def work(unit: Unit, turn: Turn) -> JsonValue:
        done.set()
        return None

    definition = Definition("events", jobs=[Job(f"test-{uuid_utils.uuid7()}", chunk=work)])
    async with running(definition, service_settings("events")), asyncio.timeout(10):
        await done.wait()


async def test_answers_and_attempts_are_forgotten_after_a_day_piece_by_piece(world: World) -> None:
    world.now = datetime(2031, 1, 1, tzinfo=UTC)
    name, service = world.name, world.service
    async with service.database.connection() as connection:
        await connection.execute(
            "INSERT INTO attempt SELECT $1 || ' ' || n, $2 FROM generate_series(1, $3::int) AS n",
            name, world.now - timedelta(hours=25), PIECE + 1,
        )  # fmt: skip
        await connection.execute("INSERT INTO attempt VALUES ($1 || ' young', $2)", name, world.now)
        await connection.executemany(
            "INSERT INTO idempotency (actor, route, key, hash, at) VALUES ($1, 'r', $2, '', $3)",
            [(name, "old", world.now - timedelta(hours=25)), (name, "young", world.now)],
        )
    service.jobs = [REQUESTS]  # at this date the inbox would forget what other tests know
    await due_jobs(service)
    world.now += timedelta(hours=1)
    (ran,) = await run_due(service)
    assert ran.done
    assert ran.counts["attempts forgotten"] > PIECE
    assert await world.written() == ["young"]
    async with service.database.connection() as connection:
        assert await connection.fetchval("SELECT array_agg(key) FROM idempotency WHERE actor = $1", name) == ["young"]


@pytest.fixture
async def terminal(
    postgres: Cluster, service_settings: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Settings]:
    """A database of the test's own, which the environment names as reporting sees it."""
    name = f"cumulo_{uuid_utils.uuid7().hex[-12:]}"
    await stack.clone(postgres, name)
    settings = service_settings("reporting", postgres_database=name)
    for variable, value in variables(settings).items():
        monkeypatch.setenv(variable, value)
    yield settings
    await stack.drop(postgres, name)


def variables(settings: Settings) -> dict[str, str]:
    assert settings.postgres_password is not None
    return {
        "CUMULO_POSTGRES_HOST": settings.postgres_host,
        "CUMULO_POSTGRES_PORT": str(settings.postgres_port),
        "CUMULO_POSTGRES_DATABASE": settings.postgres_database,
        "CUMULO_POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
    }


async def test_the_commands_say_what_is_due_and_bring_a_day_about(terminal: Settings) -> None:
    async def cumulo(*words: str) -> tuple[int, str]:
        chosen = [] if "--service" in words else ["--service", "reporting"]
        answer = await asyncio.to_thread(CliRunner().invoke, app, [*words, *chosen])
        return answer.exit_code, answer.output

    for _ in range(2):
        code, output = await cumulo("day", "--date", "2026-04-01", "--json")
        assert code == 0, output
        (figures,) = orjson.loads(output.splitlines()[-1])
        assert (figures["service"], figures["job"], figures["done"]) == ("reporting", "figures", True)
    code, output = await cumulo("day", "--date", "2026-04-01")
    assert (code, output.splitlines()[-1]) == (
        0, f"reporting: figures 2026-04-01 in {terminal.network_zone}: 1 mark for all figures",
    )  # fmt: skip
    code, output = await cumulo("jobs", "--json")
    assert code == 0
    assert {"inbox", "requests", "tasks", "figures", "generations"} <= {
        one["job"] for one in orjson.loads(output.splitlines()[-1])
    }
    code, output = await cumulo("jobs")
    assert (code, "reporting figures" in output) == (0, True)
    code, output = await cumulo("day", "--date", "2026-02-30")
    assert (code, "--date" in output) == (2, True)
    code, output = await cumulo("jobs", "--service", "weather")
    assert (code, "there is no service 'weather'" in output) == (2, True)
