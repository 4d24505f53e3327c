"""`cumulo up`: ready soon, killed and started again at any moment, ended orderly, one clear line for what is wrong."""

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local import postgres as embedded
from tests.stack.program import Program, finished

pytestmark = pytest.mark.xdist_group("local-stack")

STEPS = ("PostgreSQL ✓", "Kafka (Tansu) ✓", "migrations", "topics", "refill")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for the whole module: its first start is the only one that makes a cluster."""
    return tmp_path_factory.mktemp("stack") / "data"


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Path:
    """The data folder, after a first start at least, whichever test comes first."""
    if not (data / "postgres" / "PG_VERSION").exists():
        first = Program("up", "--port", "0", "--data", str(data), log=tmp_path / "first.log")
        first.wait_for("Ctrl-C")
        assert first.end(signal.SIGINT) == 0
    return data


@pytest.fixture
def up(data: Path, tmp_path: Path) -> Iterator[Program]:
    """A running stack on a free port."""
    program = Program("up", "--port", "0", "--data", str(data), log=tmp_path / "up.log")
    yield program
    program.end(signal.SIGKILL)


def _status(data: Path) -> dict[str, Any]:
    code, output, errors = finished("status", "--json", "--data", str(data))
    assert code == 0, errors
    found: dict[str, Any] = json.loads(output)
    return found


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


async def test_it_starts_answers_tells_its_status_holds_its_folder_and_ends_on_ctrl_c(data: Path, up: Program) -> None:
    up.wait_for("Ctrl-C")
    for step in STEPS:
        assert step in up.output

    status = _status(data)
    assert status["ready"] is True
    assert status["token"]
    told = finished("status", "--data", str(data))[1]
    assert f"{status['kafka']} (embedded, in memory; how far a consumer lags is unknown there)" in told
    assert Path(status["mail"]).is_dir()
    assert _get(f"{status['http']}/ready") == {"ready": True, "reasons": {}}
    assert set(_get(f"{status['http']}/services")["services"]) == {"membership", "events", "notifications", "reporting"}
    for service in ("membership", "events", "notifications", "reporting"):
        assert _get(f"{status['http']}/{service}/health")["alive"] is True
    connection = await asyncpg.connect(status["postgres"])
    assert await connection.fetchval("SELECT count(*) FROM membership.migration") > 0
    await connection.close()
    host, port = status["kafka"].split(":")
    socket.create_connection((host, int(port)), timeout=5).close()

    for private in ("status.json", "secrets.json"):
        assert (data / private).stat().st_mode & 0o077 == 0
    for address in (status["http"], f"//{status['kafka']}", status["postgres"]):
        assert "127.0.0.1" in address

    code, _, errors = finished("up", "--port", "0", "--data", str(data))
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert "in use by another `cumulo up`" in errors

    assert up.end(signal.SIGINT) == 0
    assert "Traceback" not in up.output
    code, _, errors = finished("status", "--data", str(data))
    assert code == 1
    assert "nothing runs" in errors


async def test_killed_while_it_runs_and_while_it_starts_it_is_ready_again_in_ten_seconds_with_everything_there(
    data: Path, up: Program, tmp_path: Path
) -> None:
    up.wait_for("Ctrl-C")
    first = _status(data)
    connection = await asyncpg.connect(first["postgres"])
    await connection.execute("CREATE SCHEMA keepsake")
    await connection.close()
    up.end(signal.SIGKILL)
    for number, step in enumerate(("PostgreSQL ✓", "migrations")):
        killed = Program("up", "--port", "0", "--data", str(data), log=tmp_path / f"killed-{number}.log")
        killed.wait_for(step)
        killed.end(signal.SIGKILL)

    # the promise is for a computer that has a processor free
    crowded = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    began = time.monotonic()
    again = Program("up", "--port", "0", "--data", str(data), log=tmp_path / "again.log")
    try:
        again.wait_for("Ctrl-C")
        assert time.monotonic() - began < 10 * crowded
        second = _status(data)
        assert second["token"] == first["token"]
        connection = await asyncpg.connect(second["postgres"])
        assert await connection.fetchval("SELECT to_regnamespace('keepsake')") is not None
        await connection.execute("DROP SCHEMA keepsake")
        await connection.close()
        assert again.end(signal.SIGTERM) == 0
    finally:
        again.end(signal.SIGKILL)


def test_a_server_that_was_left_behind_is_stopped_first(made: Path, tmp_path: Path) -> None:
    password = json.loads((made / "secrets.json").read_text())["postgres"]
    with embedded.running(made / "postgres", password=password, log=tmp_path / "left-behind.log") as left:
        up = Program("up", "--port", "0", "--data", str(made), log=tmp_path / "up.log")
        try:
            up.wait_for("PostgreSQL ✓")
            stat = Path(f"/proc/{left.pid}/stat")
            assert not stat.exists() or stat.read_text().split()[2] == "Z"
            assert up.end(signal.SIGINT) == 0
        finally:
            up.end(signal.SIGKILL)


def test_a_pid_file_whose_number_another_program_has_got_is_no_obstacle(made: Path, tmp_path: Path) -> None:
    (made / "postgres/postmaster.pid").write_text(f"{os.getpid()}\n/nowhere\n0\n5432\n\n127.0.0.1\n\nready   \n")
    up = Program("up", "--port", "0", "--data", str(made), log=tmp_path / "up.log")
    try:
        up.wait_for("PostgreSQL ✓")
        assert up.end(signal.SIGINT) == 0
    finally:
        up.end(signal.SIGKILL)


def test_a_taken_port_is_one_clear_line(data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, _, errors = finished("up", "--port", str(port), "--data", str(data))
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert f"another program uses port {port}. Try: uv run cumulo up --port {port + 1}" in errors


def test_a_folder_of_a_newer_version_is_one_clear_line(tmp_path: Path) -> None:
    folder = tmp_path / "newer"
    folder.mkdir()
    (folder / "version").write_text("99\n")
    code, _, errors = finished("up", "--port", "0", "--data", str(folder))
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert "newer version of Cumulo" in errors


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Querida abuela")
    code, _, errors = finished("up", "--port", "0", "--data", str(tmp_path))
    assert code == 1
    assert "is no data folder of Cumulo" in errors
    assert {entry.name for entry in tmp_path.iterdir()} <= {"letter.txt", "lock"}
