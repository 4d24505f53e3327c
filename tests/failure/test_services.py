"""The four services as they are delivered, each killed -9 in turn while companies join and leave over HTTP."""

import asyncio
import random
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from shared.postgres.values import day_in
from shared.runtime.settings import SERVICES
from tests.conftest import Kafka, SettingsFor
from tests.failure.servers import OwnPostgres
from tests.failure.whole import judge
from tests.failure.writers import Journal
from tests.service.bus.records import until
from tests.stack.network import Network, network_of
from tests.stack.run import ROOT

pytestmark = pytest.mark.requires_real_kafka
ZONE = "America/Mexico_City"
COMPANIES = 40


@pytest.fixture(scope="module")
async def network(
    requires_real_kafka: Kafka, own_postgres: OwnPostgres, service_settings: SettingsFor,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Network]:  # fmt: skip
    """A network with two clusters, forty companies in the first, each with a representative."""
    tmp_path = tmp_path_factory.mktemp("services")
    name = f"whole_{secrets.token_hex(4)}"
    settings = service_settings("membership", kafka=True, topic_prefix=f"{name}.", postgres_database=name)
    async with network_of(own_postgres.cluster, settings, tmp_path) as found:
        for slug in ("costa", "valle"):
            found.command("cluster", "add", slug.title(), "--slug", slug, "--state", "JAL")
        sheet = tmp_path / "padron.csv"
        rows = [f"Troquelados {n};Jalisco;Ana Ruiz;ana{n}@troquel{n}.example" for n in range(COMPANIES)]
        sheet.write_text("\n".join(["Razón social;Estado;Representante;Correo", *rows]), "utf-8")
        done = found.command("import", "members", str(sheet), "--cluster", "costa", "--json")
        assert done["counts"]["new"] == COMPANIES
        yield found


class Office:
    """Clerks who bring companies into the second cluster and take some out again, whatever is killed meanwhile."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.journal = network.folder / "steps.journal"
        self.closing = asyncio.Event()
        self.steps = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Office"]:
        """Clerks work inside the block; a step under way at its end is finished."""
        async with self.network.client("membership") as client:
            clusters = (await client.get("/membership/clusters")).json()["items"]
            companies = (await client.get("/membership/organizations", params={"limit": 100})).json()["items"]
        [cluster] = [cluster["id"] for cluster in clusters if cluster["slug"] == "valle"]
        with Journal(self.journal) as journal:
            clerks = [
                asyncio.create_task(self._work(journal, cluster, [c["id"] for c in companies[n::4]], n))
                for n in range(4)
            ]
            try:
                yield self
            finally:
                self.closing.set()
                await asyncio.gather(*clerks)

    async def _work(self, journal: Journal, cluster: str, companies: list[str], seed: int) -> None:
        chance = random.Random(seed)
        async with self.network.client("membership") as client:
            while not self.closing.is_set():
                about = {"organization_id": chance.choice(companies), "cluster_id": cluster}
                try:
                    await self._step(client, journal, about)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)  # its answer will never come: what became of it is looked up

    async def _step(self, client: httpx.AsyncClient, journal: Journal, about: dict[str, str]) -> None:
        found = (await client.get("/membership/memberships", params=about)).json().get("items")
        if found is None:
            return  # a problem: the service is starting
        present: dict[str, Any] = found[0] if found else {"standing": "resigned", "version": 0}
        on = {"effective": str(date(2023, 1, 1) + timedelta(days=present["version"]))}
        ways = {"applied": "approve", "approved": "activate", "active": "resign"}
        if (way := ways.get(present["standing"])) is None:
            answer = await client.post("/membership/memberships", json=about | on)
        else:
            answer = await client.post(
                f"/membership/memberships/{present['id']}/{way}",
                json=on,
                headers={"If-Match": f'"{present["version"]}"'},
            )
        assert answer.status_code in (200, 201, 503), answer.text
        if answer.is_success:
            journal._append({"key": answer.json()["id"], "version": answer.json()["version"]})
            self.steps += 1
            await asyncio.sleep(0.02)  # leaves the processor to whoever is starting


async def at_rest(network: Network) -> None:
    """Waits until nothing is left to publish, to receive, to send or to compute."""

    async def holds() -> bool:
        async with network.cluster.connection(database=network.settings.postgres_database) as admin:
            waiting = await admin.fetchval(
                "SELECT (SELECT count(*) FROM membership.outbox) + (SELECT count(*) FROM reporting.outbox)"
                " + (SELECT count(*) FROM reporting.dirty)"
                " + (SELECT count(*) FROM notifications.message WHERE state = 'due')"
            )
        return waiting == 0 and all([await _lag(network, name) == 0 for name in SERVICES if name != "membership"])

    for _ in range(2):  # what one of them did last may have given another one something to do
        await until(holds, 60)
        await asyncio.sleep(0.3)


async def _lag(network: Network, service: str) -> float:
    async with network.client(service) as client:
        lines = (await client.get(f"/{service}/metrics")).text.splitlines()
    return sum(abs(float(line.split()[-1])) for line in lines if line.startswith("cumulo_consumer_lag{"))


def evidence(network: Network, name: str) -> list[str]:
    """What the checker is given: where everything stands, and the mails that came."""
    mails = network.folder / "mails"
    mails.write_bytes(b"".join(orjson.dumps({"id": mail["Message-ID"]}) + b"\n" for _, mail in network.sink.mails))
    c = network.cluster
    return [
        "--postgres", f"postgresql://{c.user}:{c.password}@{c.host}:{c.port}/{name}", "--kafka", network.settings.kafka,
        "--prefix", network.settings.topic_prefix, "--journal", str(network.folder / "steps.journal"),
        "--mails", str(mails), "--today", str(day_in(ZONE, datetime.now(UTC))),
    ]  # fmt: skip


async def findings(network: Network) -> list[dict[str, Any]]:
    """What the checker, a process of its own, says."""
    command = [sys.executable, "-m", "tests.failure.whole", *evidence(network, network.settings.postgres_database)]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("["), done.stderr
    found: list[dict[str, Any]] = orjson.loads(done.stdout)
    return found


@pytest.mark.parametrize("rounds", [1, pytest.param(6, marks=pytest.mark.slow)])
async def test_each_service_is_killed_in_turn_while_companies_join_and_leave(network: Network, rounds: int) -> None:
    office = Office(network)
    async with office.open():
        for _ in range(rounds):
            for service in SERVICES:
                done = office.steps
                await until(lambda done=done: office.steps > done + 15)  # type: ignore[misc]
                await asyncio.to_thread(network.kill, service)
                network.start(service)
                await network.ready(service)
    await at_rest(network)
    found = await findings(network)
    assert found == [], f"{orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()}\n{network.said()}"
    async with network.client("reporting") as client:
        before = (await client.get("/reporting/indicators/members", params={"by": "cluster"})).json()
        network.command("rebuild", "reporting", "--json")
        after = (await client.get("/reporting/indicators/members", params={"by": "cluster"})).json()
    assert (after["value"], after["rows"]) == (before["value"], before["rows"])
    assert await findings(network) == []


TAMPERED = {
    "acknowledged": "DELETE FROM membership.history WHERE sequence = (SELECT max(sequence) FROM membership.history)",
    "organisations of events": "UPDATE events.organization SET trade_name = 'another'",
    "standings of events": "DELETE FROM events.standing",
    "greeted once": "DELETE FROM notifications.delivery; DELETE FROM notifications.message",
    "sent": "UPDATE notifications.message SET state = 'failed'",
    "facts of reporting": "DELETE FROM reporting.membership_fact WHERE version = 2",
    "rows of reporting": "DELETE FROM reporting.membership_period",
    "figure": "UPDATE reporting.figure SET value = value + 1",
    "versions": "UPDATE reporting.history SET version = version + 1",
}


async def test_the_checker_notices_what_a_service_must_never_do(network: Network) -> None:
    async with Office(network).open() as office:
        await until(lambda: office.steps > 20)
    await at_rest(network)
    for service in SERVICES:
        await asyncio.to_thread(network.kill, service)
    assert await findings(network) == []
    whole, name = network.settings.postgres_database, network.settings.postgres_database + "_tampered"
    for rule, fault in TAMPERED.items():
        async with network.cluster.connection() as admin:
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{whole}"')
        async with network.cluster.connection(database=name) as admin:
            await admin.execute(fault)
        found = await judge(evidence(network, name))
        async with network.cluster.connection() as admin:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        assert rule in {finding["rule"] for finding in found}, rule
    network.sink.mails.clear()
    assert "mail" in {finding["rule"] for finding in await judge(evidence(network, whole))}
