"""`cumulo up --data D --kafka HOST:PORT` on a folder that has facts: the real Kafka gets them, and says so."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging import kafka as defaults
from shared.messaging.topics import make_topics
from shared.runtime.settings import Settings
from tests.conftest import Kafka
from tests.service.bus.records import until
from tests.stack.program import Program, finished
from tests.stack.run import Run

pytestmark = [pytest.mark.requires_real_kafka, pytest.mark.xdist_group("local-stack")]

MEMBERS = "razón social;rfc\n" + "".join(f"Arneses {n};\n" for n in range(12))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a cluster and its twelve members were registered on the embedded broker."""
    place = tmp_path_factory.mktemp("moving")
    (place / "members.csv").write_text(MEMBERS, "utf-8")
    program = Program("up", "--port", "0", "--data", str(place / "data"), log=place / "up.log")
    program.wait_for("Ctrl-C")
    _register(place, "one")
    assert program.end(signal.SIGINT) == 0
    return place / "data"


def _register(place: Path, slug: str) -> None:
    folder = ["--data", str(place / "data")]
    for command in (
        ["cluster", "add", slug, "--slug", slug, "--state", "JAL"],
        ["import", "members", str(place / "members.csv"), "--cluster", slug],
    ):
        code, _, errors = finished(*command, *folder)
        assert code == 0, errors


class Stack:
    """The stack of the folder on a real Kafka, with a topic prefix."""

    def __init__(self, data: Path, kafka: Kafka, prefix: str, log: Path) -> None:
        self.settings = Settings(kafka=kafka.bootstrap, topic_prefix=prefix)
        self.data, self.log, self.number = data, log, 0
        self.program: Program | None = None

    def up(self) -> Program:
        self.number += 1
        self.program = Program(
            "up", "--port", "0", "--data", str(self.data), "--kafka", self.settings.kafka,
            log=self.log / f"up-{self.number}.log", environment={"CUMULO_TOPIC_PREFIX": self.settings.topic_prefix},
        )  # fmt: skip
        return self.program

    def command(self, *arguments: str) -> tuple[int, str, str]:
        return finished(*arguments, environment={"CUMULO_TOPIC_PREFIX": self.settings.topic_prefix})

    async def held(self, topic: str) -> int:
        """Records of a topic."""
        name = self.settings.topic_prefix + topic
        async with defaults.reader(self.settings, [name]) as reader:
            return sum(
                (
                    await reader.end_offsets([TopicPartition(name, p) for p in reader.partitions_for_topic(name)])
                ).values()
            )


@pytest.fixture
def stack(request: pytest.FixtureRequest, data: Path, kafka: Kafka, run: Run, tmp_path: Path) -> Iterator[Stack]:
    found = Stack(data, kafka, f"{run.name}.moving.{request.node.name[5:30]}.", tmp_path)
    yield found
    if found.program is not None:
        found.program.end(signal.SIGKILL)


async def test_an_empty_kafka_gets_all_states_and_facts_and_one_that_was_left_the_facts_since(
    stack: Stack, data: Path
) -> None:
    up = stack.up()
    up.wait_for("Ctrl-C")
    assert "refill of empty topics" in up.output
    members = await stack.held("membership.membership")
    assert members >= 12
    assert await stack.held("membership.standing.state") == members
    assert up.end(signal.SIGINT) == 0

    meanwhile = Program("up", "--port", "0", "--data", str(data), log=stack.log / "embedded.log")
    meanwhile.wait_for("Ctrl-C")
    _register(data.parent, "two")
    assert meanwhile.end(signal.SIGINT) == 0

    up = stack.up()
    up.wait_for("Ctrl-C")
    assert "facts this Kafka did not have" in up.output
    assert await stack.held("membership.membership") == members + 12
    up.wait_for("reconcile.differed")
    assert up.end(signal.SIGINT) == 0

    up = stack.up()
    up.wait_for("Ctrl-C")
    assert "did not have" not in up.output
    assert "refill" not in up.output
    assert up.end(signal.SIGINT) == 0


async def test_refill_fills_a_kafka_from_a_folder_that_stands_still(stack: Stack, data: Path) -> None:
    refill = ["refill", "membership", "--data", str(data)]
    code, _, errors = stack.command(*refill)
    assert code == 1
    assert "--kafka" in errors
    code, output, errors = stack.command(*refill, "--kafka", stack.settings.kafka, "--json")
    assert code == 0, errors
    assert json.loads(output)["membership"] >= 36
    assert await stack.held("membership.membership") >= 12
    code, _, errors = stack.command(*refill, "--kafka", stack.settings.kafka)
    assert code == 1
    assert len(errors.strip().splitlines()) == 1
    assert "is not empty" in errors


async def test_topics_that_were_lost_are_filled_when_their_readers_are_gone_and_not_before(stack: Stack) -> None:
    up = stack.up()
    up.wait_for("Ctrl-C")
    held = await stack.held("membership.membership")
    assert up.end(signal.SIGINT) == 0
    admin = defaults.admin(stack.settings)
    await admin.start()
    topics = [name for name in await admin.list_topics() if name.startswith(stack.settings.topic_prefix)]
    await admin.delete_topics(topics)
    await until(lambda: _made(stack.settings))
    await admin.close()
    topic = f"{stack.settings.topic_prefix}membership.membership"
    async with AIOKafkaConsumer(topic, bootstrap_servers=stack.settings.kafka, group_id=f"{topic}.reader") as reader:
        await until(reader.assignment)
        refused = stack.up()
        assert refused.process.wait(60) == 1
    assert refused.output.splitlines()[-1].startswith("cumulo: the topics of")
    assert "is reading these topics; stop it before a refill" in refused.output
    assert "Traceback" not in refused.output

    async def refilled() -> bool:
        found = await asyncio.to_thread(
            stack.command, "refill", "--data", str(stack.data), "--kafka", stack.settings.kafka
        )
        return found[0] == 0

    await until(refilled, 60)
    assert await stack.held("membership.membership") == held
    up = stack.up()
    up.wait_for("Ctrl-C")
    assert "refill" not in up.output
    assert up.end(signal.SIGINT) == 0


async def _made(settings: Settings) -> bool:
    return set((await make_topics(settings)).values()) == {"made"}
