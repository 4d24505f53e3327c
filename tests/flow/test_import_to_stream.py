"""The thinnest whole, service by service in processes of their own on a real Kafka.

A spreadsheet goes in; a mail, a figure, a stream and a fact for everybody come out, once.
"""

import asyncio
import email
import email.policy
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiosmtpd.controller import Controller

from deploy.local.child import free_port
from shared.messaging import kafka as defaults
from shared.messaging.topics import make_topics
from shared.runtime.settings import SERVICES, Settings
from tests.conftest import TOKEN, SettingsFor
from tests.service.bus.records import until
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.program import Program, finished
from tests.stack.run import Run

pytestmark = [pytest.mark.requires_real_kafka, pytest.mark.xdist_group("flow")]

SHEET = """Razón social;Nombre comercial;Tipo;Posición;Categoría;Estado;Fecha de ingreso;Representante;Correo;Idioma
Inyectora Tres Cerros S.A. de C.V.;Inyectora Tres Cerros;empresa;Tier 2;asociado;Jalisco;15/03/2024;Lucía Montes;lucia@cerros.example;es
Logística Tres Puentes SC;Tres Puentes;empresa;servicio;afiliado;Jalisco;01/02/2025;John Smith;john@puentes.example;en
Arneses del Nazas SA de CV;Arneses;empresa;Tier 1;cliente;Jalisco;01/02/2025;;;
"""  # noqa: E501


class Sink:
    """Keeps what an SMTP client delivers."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.rcpt_tos[0], message))
        return "250 taken"


@dataclass
class Network:
    """The four running services and what surrounds them."""

    environment: Callable[[str], dict[str, str]]
    settings: Settings
    sink: Sink
    addresses: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.addresses[service], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20
        )

    def command(self, *arguments: str) -> dict[str, Any]:
        environment = self.environment("membership")
        environment["CUMULO_URLS"] = orjson.dumps(self.addresses).decode()
        if arguments[0] == "rebuild":
            environment |= self.environment("reporting") | {"CUMULO_URLS": environment["CUMULO_URLS"]}
        code, out, errors = finished(*arguments, environment=environment)
        assert code == 0, errors
        found: dict[str, Any] = orjson.loads(out) if "--json" in arguments else {"said": out}
        return found


@pytest.fixture(scope="module")
async def network(
    postgres: Cluster, service_settings: SettingsFor, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """A database, topics and processes of this module's own."""
    name = f"cumulo_flow_{run.name}"
    await database.clone(postgres, name)
    prefix = f"{run.name}.flow."
    folder = tmp_path_factory.mktemp("flow")
    settings = service_settings("membership", kafka=True, topic_prefix=prefix, postgres_database=name)
    await make_topics(settings)
    sink = Sink()
    smtp = Controller(sink, hostname="127.0.0.1", port=free_port())
    smtp.start()

    def environment(service: str) -> dict[str, str]:
        return {
            "CUMULO_ENVIRONMENT": "test",
            "CUMULO_REPLICA": f"flow-{service}",
            "CUMULO_POSTGRES_HOST": postgres.host,
            "CUMULO_POSTGRES_PORT": str(postgres.port),
            "CUMULO_POSTGRES_DATABASE": name,
            "CUMULO_POSTGRES_PASSWORD": postgres.role_password(f"cumulo_{service}"),
            "CUMULO_KAFKA": settings.kafka,
            "CUMULO_TOPIC_PREFIX": prefix,
            "CUMULO_SERVICE_TOKEN": TOKEN,
            "CUMULO_LOG_FORMAT": "json",
            "CUMULO_MAIL_HOST": "127.0.0.1",
            "CUMULO_MAIL_PORT": str(smtp.port),
        }

    network = Network(environment, settings, sink)
    with ExitStack() as stack:
        stack.callback(smtp.stop)
        programs = {}
        for service in SERVICES:
            log = folder / f"{service}.log"
            programs[service] = Program("serve", service, "--port", "0", log=log, environment=environment(service))
            stack.callback(programs[service].end, signal.SIGTERM)
        for service, program in programs.items():
            await asyncio.to_thread(program.wait_for, "service.listening")
            port = re.search(r'"port": (\d+)', program.output)
            assert port is not None, program.output
            network.addresses[service] = f"http://127.0.0.1:{port[1]}"
        for service in SERVICES:
            async with network.client(service) as client:
                await until(lambda c=client, s=service: _ready(c, s), 40)  # type: ignore[misc]
        yield network
    await database.drop(postgres, name)


async def _ready(client: httpx.AsyncClient, service: str) -> bool:
    return (await client.get(f"/{service}/ready")).status_code == 200


async def _value(client: httpx.AsyncClient, expected: int) -> dict[str, Any] | None:
    answer: dict[str, Any] = (await client.get("/reporting/indicators/members", params={"by": "cluster"})).json()
    return answer if answer["value"] == expected else None


async def test_a_spreadsheet_becomes_mails_a_figure_a_stream_and_facts_once(network: Network, tmp_path: Path) -> None:
    sheet = tmp_path / "padron.csv"
    sheet.write_text(SHEET, "utf-8")
    network.command("cluster", "add", "Costa y Agave", "--slug", "costa-y-agave", "--state", "JAL")
    reporting = network.client("reporting")
    events: list[dict[str, str]] = []
    listening = asyncio.create_task(_listen(network, events))
    await until(lambda: events)  # the snapshot

    result = await asyncio.to_thread(
        network.command, "import", "members", str(sheet), "--cluster", "costa-y-agave", "--json"
    )
    assert result["counts"] | {"warnings": 0} == {
        "new": 2, "changed": 0, "same": 0, "refused": 1, "warnings": 0, "absent": 0,
    }  # fmt: skip
    await until(lambda: len(network.sink.mails) >= 2)
    by_address = dict(network.sink.mails)
    assert "Inyectora Tres Cerros ya es parte de Costa y Agave" in by_address["lucia@cerros.example"]["Subject"]
    assert "Tres Puentes is now part of Costa y Agave" in by_address["john@puentes.example"]["Subject"]

    async with reporting:
        figure = await until(lambda: _value(reporting, 2))
        assert figure["rows"][0]["value"] == 2
        before = (await reporting.get("/reporting/indicators/members", params={"as_of": "2024-12-31"})).json()
        assert before["value"] == 1
    await until(lambda: any('"value":2' in event.get("data", "") for event in events))
    listening.cancel()

    # whoever comes back with the last id he saw misses nothing: here from the beginning
    replayed: list[dict[str, str]] = []
    again = asyncio.create_task(_listen(network, replayed, last="0"))
    await until(lambda: any('"value":2' in event.get("data", "") for event in replayed))
    again.cancel()

    async with network.client("membership") as membership:
        feed = (await membership.get("/membership/feed")).json()
    assert [int(fact["sequence"]) for fact in feed] == list(range(1, len(feed) + 1))
    joined = [fact for fact in feed if fact["type"].endswith("MembershipActivated.v1")]
    assert {fact["effective"] for fact in joined} == {"2024-03-15", "2025-02-01"}

    name = network.settings.topic_prefix + "membership.membership"
    async with defaults.reader(network.settings, [name]) as reader:
        seen: set[str] = set()
        async with asyncio.timeout(20):
            while len(seen) < 2:
                for records in (await reader.getmany(timeout_ms=200)).values():
                    seen |= {dict(r.headers)["ce_id"].decode() for r in records}
    assert seen == {fact["id"] for fact in joined}

    async with network.client("events") as client:
        members = (await client.get("/events/members", params={"cluster": "costa-y-agave"})).json()["items"]
    assert {member["name"] for member in members} == {"Inyectora Tres Cerros", "Tres Puentes"}

    # the same file once more: no fact, no mail
    result = network.command("import", "members", str(sheet), "--cluster", "costa-y-agave", "--json")
    assert (result["counts"]["same"], result["counts"]["new"], result["counts"]["changed"]) == (2, 0, 0)
    async with network.client("membership") as membership:
        assert len((await membership.get("/membership/feed")).json()) == len(feed)
    assert len(network.sink.mails) == 2

    rebuilt = network.command("rebuild", "reporting", "--json")
    assert rebuilt["read"] == len(feed)
    async with network.client("reporting") as client:
        assert await _value(client, 2)


async def _listen(network: Network, events: list[dict[str, str]], last: str | None = None) -> None:
    headers = {"Last-Event-ID": last} if last else {}
    async with (
        network.client("reporting") as client,
        client.stream("GET", "/reporting/stream", headers=headers, timeout=None) as answer,
    ):
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if not line:
                if "data" in event:
                    events.append(event)
                event = {}
            elif not line.startswith(":"):
                part, _, text = line.partition(": ")
                event[part] = text


async def test_one_trace_runs_from_the_request_to_the_mail(network: Network) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with network.client("membership") as client:
        client.headers["traceparent"] = f"00-{trace}-00f067aa0ba902b7-01"
        cluster = await client.post(
            "/membership/clusters", json={"name": "Semidesierto", "slug": "semidesierto", "state": "QUE"}
        )
        assert cluster.status_code == 201, cluster.text
        organization = await client.post(
            "/membership/organizations", json={"legal_name": "Maquinados Ocotillo SA de CV"}
        )
        body = {
            "organization_id": organization.json()["id"],
            "cluster_id": cluster.json()["id"],
            "category": "associate",
        }
        applied = await client.post("/membership/memberships", json=body)
        assert applied.status_code == 201, applied.text
        path = f"/membership/memberships/{applied.json()['id']}"
        assert (await client.post(f"{path}/approve", json={})).status_code == 200
        assert (await client.post(f"{path}/activate", json={})).status_code == 200
        mine = await until(lambda: _traced(client, trace, "MembershipActivated"))
    types = {fact["type"].split(".")[-2] for fact in mine}
    assert types >= {"MembershipApplied", "MembershipApproved", "MembershipActivated"}
    assert len({fact["cause"] for fact in mine}) >= 3  # each request is a cause of its own
    async with network.client("events") as client:
        await until(lambda: _is_member(client, organization.json()["id"]))


async def _is_member(client: httpx.AsyncClient, organization: str) -> bool:
    items = (await client.get("/events/members", params={"cluster": "semidesierto"})).json()["items"]
    return any(item["organization_id"] == organization and item["standing"] == "active" for item in items)


async def _traced(client: httpx.AsyncClient, trace: str, type_: str) -> list[dict[str, Any]]:
    feed = (await client.get("/membership/feed", params={"limit": 1000})).json()
    mine = [fact for fact in feed if trace in fact.get("traceparent", "")]
    return mine if any(type_ in fact["type"] for fact in mine) else []
