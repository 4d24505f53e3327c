"""`cumulo migrate` and `cumulo serve` against servers that the environment names, as in containers."""

import json
import logging
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy.local.broker import addresses, check_answers
from deploy.local.child import NotStarted
from services.cli import app
from shared.messaging.topics import make_topics
from shared.runtime.local import SecretsUnreadable, read_secrets
from tests.conftest import TOKEN, Kafka, SettingsFor
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


def test_a_server_that_does_not_answer_is_named_with_its_address(environment: dict[str, str]) -> None:
    away = {**environment, "CUMULO_POSTGRES_PORT": "1", "CUMULO_KAFKA": "127.0.0.1:2"}
    for command, place in ((["migrate"], "PostgreSQL does not answer at 127.0.0.1:1"),
                           (["parked", "list"], "PostgreSQL does not answer at 127.0.0.1:1"),
                           (["topics"], "no Kafka answers at 127.0.0.1:2")):  # fmt: skip
        code, _, errors = finished(*command, environment=away)
        assert code == 1
        assert len(errors.strip().splitlines()) == 1
        assert place in errors


def test_every_command_that_talks_to_the_stack_says_which_by_one_option() -> None:
    def leaves(name: str, command: Any) -> list[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        return [(name, command)] if inner is None else [one for n in inner for one in leaves(f"{name} {n}", inner[n])]

    elsewhere = ("version", "serve", "contracts", "roles")
    for name, command in leaves("", typer.main.get_command(app)):
        options = [option for parameter in command.params for option in parameter.opts]
        assert options.count("--data") == (0 if name.split()[0] in elsewhere else 1), name


def test_the_option_goes_before_the_environment_and_both_are_told_where_nothing_runs(tmp_path: Path) -> None:
    environment = {"CUMULO_DATA": "/elsewhere", "CUMULO_KAFKA": "127.0.0.1:1"}
    for command in (["cluster", "list"], ["feed", "events"], ["refill"]):
        code, _, errors = finished(*command, "--data", str(tmp_path), environment=environment)
        assert code == 1
        [line] = errors.strip().splitlines()
        assert f"nothing runs in {tmp_path}" in line
        assert "--data or CUMULO_DATA" in line


def test_the_version_is_a_command_and_an_option() -> None:
    for told in ("version", "--version"):
        done = CliRunner().invoke(app, [told])
        assert (done.exit_code, done.output.split()[0]) == (0, "cumulo")


def test_an_address_of_kafka_that_is_wrong_is_told_before_anything_is_started(tmp_path: Path) -> None:
    for address, code, reason in (("foo", 2, "HOST:PORT"), ("127.0.0.1:1", 1, "nobody answers at 127.0.0.1:1")):
        command = ("up", "--port", "0", "--data", str(tmp_path / "data"), "--kafka", address)
        found, output, errors = finished(*command)
        assert (found, output) == (code, "")
        assert reason in errors
    assert not (tmp_path / "data").exists()
    with pytest.raises(NotStarted, match=r"there is no host 'nohost.invalid'; nobody answers at ::1:1"):
        check_answers("nohost.invalid:1,[::1]:1")
    for wrong in ("foo", "foo:x", "foo:0", "foo:70000", "http://foo:1", "foo:1,", ""):
        with pytest.raises(ValueError, match="HOST:PORT"):
            addresses(wrong)


def test_broken_secrets_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("1\n")
    for text in ("[]", '{"postgres": 1}', "\x00", '{"postgres": "x"'):
        (tmp_path / "secrets.json").write_text(text)
        with pytest.raises(SecretsUnreadable, match=r"secrets\.json cannot be read"):
            read_secrets(tmp_path)
    code, _, errors = finished("up", "--port", "0", "--data", str(tmp_path))
    assert code == 1
    [line] = errors.strip().splitlines()
    assert f"{tmp_path / 'secrets.json'} cannot be read" in line


def test_a_port_that_is_taken_names_the_command_that_was_typed() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, _, errors = finished("serve", "reporting", "--port", str(port))
    assert code == 1
    assert errors == f"cumulo: another program uses port {port}. Try: uv run cumulo serve reporting --port {port + 1}\n"


@pytest.fixture
async def servers(service_settings: SettingsFor, postgres: Cluster) -> dict[str, str]:
    """Variables that name this worker's database and a Kafka with the topics."""
    settings = service_settings("membership", kafka=True)
    await make_topics(settings)
    assert settings.postgres_password is not None
    return {
        "CUMULO_POSTGRES_HOST": settings.postgres_host,
        "CUMULO_POSTGRES_PORT": str(settings.postgres_port),
        "CUMULO_POSTGRES_DATABASE": settings.postgres_database,
        "CUMULO_POSTGRES_USER": postgres.user,
        "CUMULO_POSTGRES_PASSWORD": postgres.password,
        "CUMULO_KAFKA": settings.kafka,
        "CUMULO_KAFKA_EMBEDDED": str(settings.kafka_embedded),
        "CUMULO_KAFKA_IDEMPOTENT": str(settings.kafka_idempotent),
        "CUMULO_TOPIC_PREFIX": settings.topic_prefix,
    }


@pytest.mark.parametrize(
    ("command", "level"),
    [("topics", None), ("reconcile membership", None), ("reconcile membership", "debug"), ("reconcile events", None),
     ("parked list", None), ("parked retry reporting", None), ("cluster list", None)],
)  # fmt: skip
async def test_standard_output_holds_json_and_nothing_else(
    servers: dict[str, str], command: str, level: str | None
) -> None:
    code, output, errors = finished(
        *command.split(), "--json", environment=servers | ({"CUMULO_LOG_LEVEL": level} if level else {})
    )
    assert code == 0, errors
    json.loads(output)
    assert ("service.started" in errors) if level else (errors == "")


async def test_reconcile_says_that_there_are_no_states_or_that_another_replica_is_at_it(
    servers: dict[str, str], postgres: Cluster
) -> None:
    assert finished("reconcile", "notifications", environment=servers)[1].startswith(
        "notifications publishes no states"
    )
    async with postgres.connection(role="cumulo_membership") as other:
        await other.execute("SELECT pg_advisory_lock(hashtextextended('membership.reconcile', 0))")
        code, output, errors = finished("reconcile", "membership", "--json", environment=servers)
    assert (code, output, errors) == (1, "", "another replica reconciles membership right now\n")


def test_the_drivers_say_nothing_of_their_own_in_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool whose server went away logs a traceback each second, over the one line that the command ends with."""
    for driver in ("asyncpg", "aiokafka", "asyncio"):
        monkeypatch.setattr(logging.getLogger(driver), "level", logging.NOTSET)
    CliRunner().invoke(app, ["feed"])
    assert not logging.getLogger("asyncpg.pool").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("asyncio").isEnabledFor(logging.WARNING)


def test_a_sequence_that_is_too_large_is_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["feed", "membership", "--after", "99999999999999999999"])
    assert done.exit_code == 2
    assert "'--after'" in done.output


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
            "CUMULO_SERVICE_TOKEN": TOKEN,
        },
    )  # fmt: skip
    yield program
    program.end(signal.SIGKILL)


def test_the_feed_tells_that_there_is_nothing_behind_its_end_and_what_a_service_refuses(
    serving: Program,
) -> None:
    serving.wait_for("service.listening")
    line = next(json.loads(line) for line in serving.output.splitlines() if "service.listening" in line)
    environment = {"CUMULO_KAFKA": "127.0.0.1:1", "CUMULO_SERVICE_TOKEN": TOKEN,
                   "CUMULO_URLS": json.dumps({"events": f"http://{line['host']}:{line['port']}"})}  # fmt: skip
    code, output, errors = finished("feed", "events", "--after", "9000000000", environment=environment)
    assert (code, output) == (0, "")
    # other tests may have published some into this worker's database
    assert errors.startswith(("events: there are no facts yet", "events: there is nothing after 9000000000;"))
    code, _, errors = finished("feed", "events", environment=environment | {"CUMULO_SERVICE_TOKEN": "another"})
    assert code == 1
    assert errors.endswith("answered 401: this is no token of this installation\n")


def test_a_service_alone_tells_its_address_answers_and_ends_orderly(serving: Program) -> None:
    serving.wait_for("service.listening")
    line = next(json.loads(line) for line in serving.output.splitlines() if "service.listening" in line)
    with urllib.request.urlopen(f"http://{line['host']}:{line['port']}/events/health", timeout=10) as answer:
        assert json.load(answer)["alive"] is True
    assert serving.end(signal.SIGTERM) == 0
    assert "service.stopped" in serving.output
    assert "Traceback" not in serving.output
