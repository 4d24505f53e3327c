"""`cumulo migrate` and `cumulo serve` against servers that the environment names, as in containers."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Kafka, SettingsFor
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.program import Program, finished
from tests.stack.run import Run


@pytest.fixture
async def environment(postgres: Cluster, run: Run) -> "Any":
    """Variables that name a database which is not there yet, and its administrator."""
    name = f"cumulo_commands_{run.name}"
    yield {
        "CUMULO_POSTGRES_HOST": postgres.host,
        "CUMULO_POSTGRES_PORT": str(postgres.port),
        "CUMULO_POSTGRES_DATABASE": name,
        "CUMULO_POSTGRES_ADMIN_USER": postgres.user,
        "CUMULO_POSTGRES_ADMIN_PASSWORD": postgres.password,
    }
    await database.drop(postgres, name)


async def test_migrate_makes_the_database_and_has_nothing_to_do_the_second_time(environment: dict[str, str]) -> None:
    code, output, errors = finished("migrate", "--json", environment=environment)
    assert code == 0, errors
    assert set(json.loads(output)["ran"]) == {"membership", "events", "notifications", "reporting"}
    assert min(json.loads(output)["ran"].values()) > 0

    code, output, errors = finished("migrate", environment=environment)
    assert code == 0, errors
    assert "nothing to do" in output


async def test_a_wrong_password_is_one_clear_line(environment: dict[str, str]) -> None:
    code, _, errors = finished("migrate", environment=environment | {"CUMULO_POSTGRES_ADMIN_PASSWORD": "wrong"})
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert "password authentication failed" in errors


def test_a_command_without_servers_says_what_to_do(tmp_path: Path) -> None:
    for command in (["status"], ["topics"], ["migrate"]):
        code, _, errors = finished(*command, environment={"CUMULO_DATA": str(tmp_path)})
        assert code == 1
        assert len(errors.strip().splitlines()) == 1
        assert "cumulo up" in errors


@pytest.fixture
def serving(service_settings: SettingsFor, kafka: Kafka, tmp_path: Path) -> Iterator[Program]:
    """`cumulo serve events` on a port of its own choice, with its password in a file."""
    settings = service_settings("events", kafka=True)
    assert settings.postgres_password is not None
    (tmp_path / "password").write_text(f"{settings.postgres_password.get_secret_value()}\n")
    program = Program(
        "serve", "events", "--port", "0",
        log=tmp_path / "serve.log",
        environment={
            "CUMULO_POSTGRES_HOST": settings.postgres_host,
            "CUMULO_POSTGRES_PORT": str(settings.postgres_port),
            "CUMULO_POSTGRES_DATABASE": settings.postgres_database,
            "CUMULO_POSTGRES_PASSWORD_FILE": str(tmp_path / "password"),
            "CUMULO_KAFKA": kafka.bootstrap,
            "CUMULO_KAFKA_EMBEDDED": str(kafka.embedded),
            "CUMULO_KAFKA_IDEMPOTENT": str(not kafka.embedded),
            "CUMULO_TOPIC_PREFIX": settings.topic_prefix,
        },
    )  # fmt: skip
    yield program
    program.end(signal.SIGKILL)


def test_a_service_alone_tells_its_address_answers_and_ends_orderly(serving: Program) -> None:
    serving.wait_for("service.listening")
    line = next(json.loads(line) for line in serving.output.splitlines() if "service.listening" in line)
    with urllib.request.urlopen(f"http://{line['host']}:{line['port']}/events/health", timeout=10) as answer:
        assert json.load(answer)["alive"] is True
    assert serving.end(signal.SIGTERM) == 0
    assert "service.stopped" in serving.output
    assert "Traceback" not in serving.output
