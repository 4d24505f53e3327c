"""docs/subscribing.md keeps its word: each of its programs and commands is taken from the page and run.

Against a real relay, Kafka and feed, with facts recorded as the service records them.
"""

import asyncio
import dataclasses
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

import pytest
import uuid_utils.compat as uuid_utils
import uvicorn

from services.cli import definition_of
from shared.contracts.membership import MembershipActivated
from shared.contracts.publish import ROOT
from shared.http.edge import application
from shared.messaging.outbox import Record, record
from shared.messaging.topics import make_topics
from shared.runtime.service import Service
from tests.conftest import TOKEN, Kafka, SettingsFor
from tests.stack.run import required

PAGE = (ROOT / "docs/subscribing.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SHORT, FROM_THE_FEED = PROGRAMS


@dataclass(slots=True)
class Publisher:
    """The service membership, running, and what a subscriber's environment holds."""

    service: Service
    environment: Mapping[str, str]

    async def activate(self) -> MembershipActivated:
        """One fact of a new aggregate, recorded and committed."""
        fact = MembershipActivated(
            membership_id=uuid_utils.uuid7(), organization_id=uuid_utils.uuid7(), cluster_id=uuid_utils.uuid7(),
            category="associate", origin="application",
        )  # fmt: skip
        async with self.service.unit(actor="test", cause="test") as unit:
            await record(unit, [Record(str(fact.membership_id), 1, fact, effective=date(2026, 3, 1))])
        return fact

    async def published(self) -> None:
        """Waits until the relay has moved everything on."""
        async with asyncio.timeout(20):
            async with self.service.database.connection() as connection:
                while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                    await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self, program: str) -> AsyncIterator[asyncio.StreamReader]:
        """A program of the page in a process of its own; gives its standard output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env={**os.environ, **self.environment}, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def shell(self, command: str, *, until: str | None = None) -> str:
        """What a command of the page writes, to its end, or until the text appears in it."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", f"exec {command.strip()}", env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(60):
                if until is not None:
                    return await line_with(process.stdout, until)
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, errors.decode()
        return output.decode()


async def line_with(output: asyncio.StreamReader, text: str) -> str:
    """The first line that contains the text. Fails when the output ends before, or after a minute."""
    async with asyncio.timeout(60):
        async for line in output:
            if text in line.decode():
                return line.decode()
    raise AssertionError(f"{text} never came")


@pytest.fixture(scope="module")
async def publisher(service_settings: SettingsFor, kafka: Kafka) -> AsyncIterator[Publisher]:
    settings = service_settings("membership", kafka=True)
    await make_topics(settings)
    definition = dataclasses.replace(definition_of("membership"), consumers=(), loops={})
    app = application(definition, settings)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Publisher(
        app.state.service,
        {
            "KAFKA": settings.kafka, "HTTP": f"http://127.0.0.1:{port}", "TOKEN": TOKEN,
            "CUMULO_TOPIC_PREFIX": settings.topic_prefix,
        },
    )  # fmt: skip
    server.should_exit = True
    await serving


@pytest.fixture
def kcat() -> None:
    if shutil.which("kcat") is None:
        if "kcat" in required():
            pytest.fail("kcat is needed")
        pytest.skip("kcat is not installed")


def command(start: str) -> str:
    """The one command of the page that begins like this."""
    [found] = [block for block in COMMANDS if block.startswith(start)]
    return str(found)


def test_the_program_has_about_twenty_lines() -> None:
    assert len([line for line in SHORT.splitlines() if line.strip()]) <= 20


async def test_the_subscriber_in_python_sees_a_fact(publisher: Publisher) -> None:
    fact = await publisher.activate()
    async with publisher.running(SHORT) as output:
        assert await line_with(output, str(fact.organization_id)) == f"2026-03-01 {fact.organization_id}\n"
        later = await publisher.activate()
        await line_with(output, str(later.organization_id))


@pytest.mark.requires_real_kafka
async def test_the_snapshot_recipe_sees_each_fact_once(publisher: Publisher) -> None:
    before = await publisher.activate()
    await publisher.published()
    async with publisher.running(FROM_THE_FEED) as output:
        assert (await line_with(output, str(before.membership_id))).startswith("feed ")
        after = await publisher.activate()
        async with asyncio.timeout(60):
            seen = [line.decode() async for line in until(output, str(after.membership_id))]
    assert not [line for line in seen if str(before.membership_id) in line]


async def until(output: asyncio.StreamReader, text: str) -> AsyncIterator[bytes]:
    async for line in output:
        yield line
        if text in line.decode():
            return


@pytest.mark.requires_real_kafka
async def test_kcat_reads_a_topic_to_its_end(publisher: Publisher, kcat: None) -> None:
    fact = await publisher.activate()
    await publisher.published()
    output = await publisher.shell(command("kcat -b $KAFKA -t"))
    [line] = [line for line in output.splitlines() if line.startswith(str(fact.membership_id))]
    assert "ce_type=org.cumulo.membership.MembershipActivated.v1" in line
    assert "ce_effective=2026-03-01" in line
    assert json.loads(line[line.index(" {") :]) == json.loads(fact.model_dump_json())


@pytest.mark.requires_real_kafka
async def test_kcat_follows_a_topic_as_a_group(publisher: Publisher, kcat: None) -> None:
    fact = await publisher.activate()
    line = await publisher.shell(command("kcat -b $KAFKA -X"), until=str(fact.membership_id))
    assert str(fact.organization_id) in line


async def test_curl_reads_the_feed(publisher: Publisher) -> None:
    fact = await publisher.activate()
    await publisher.published()
    feed, states, barrier = (block for block in COMMANDS if block.startswith("curl"))
    last = json.loads(await publisher.shell(barrier))["sequence"]
    after = feed.replace("after=0", f"after={last - 1}")
    assert feed != after or last == 1
    [event] = json.loads(await publisher.shell(after))
    assert event["sequence"] == str(last)
    assert event["data"] == json.loads(fact.model_dump_json())
    first = json.loads(await publisher.shell(feed))
    assert [int(each["sequence"]) for each in first] == list(range(1, len(first) + 1))
    assert {each["type"] for each in json.loads(await publisher.shell(states))} <= {
        "org.cumulo.membership.OrganizationState.v1"
    }
    refused = {**publisher.environment, "TOKEN": "another"}
    with pytest.raises(AssertionError, match="401"):
        await Publisher(publisher.service, refused).shell(feed)


def test_every_topic_of_the_page_is_listed_and_none_is_left_out() -> None:
    from shared.contracts import CONTRACTS

    rows = dict(re.findall(r"^\| `([a-z.]+)` \| (fact|state) \|", PAGE, re.MULTILINE))
    assert rows == {contract.topic: contract.kind for contract in CONTRACTS.values()}
