"""The thinnest whole, service by service in processes of their own on a real Kafka.

A spreadsheet goes in; a mail, a figure, a stream and a fact for everybody come out, once.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.messaging import kafka as defaults
from tests.conftest import SettingsFor
from tests.service.bus.records import until
from tests.stack.database import Cluster
from tests.stack.network import Network, network_of
from tests.stack.run import Run

pytestmark = [pytest.mark.requires_real_kafka, pytest.mark.xdist_group("flow")]

SHEET = """Razón social;Nombre comercial;Tipo;Posición;Categoría;Estado;Fecha de ingreso;Representante;Correo;Idioma
Inyectora Tres Cerros S.A. de C.V.;Inyectora Tres Cerros;empresa;Tier 2;asociado;Jalisco;15/03/2024;Lucía Montes;lucia@cerros.example;es
Logística Tres Puentes SC;Tres Puentes;empresa;servicio;afiliado;Jalisco;01/02/2025;John Smith;john@puentes.example;en
Arneses del Nazas SA de CV;Arneses;empresa;Tier 1;cliente;Jalisco;01/02/2025;;;
"""  # noqa: E501


@pytest.fixture(scope="module")
async def network(
    postgres: Cluster, service_settings: SettingsFor, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Network]:
    """A database, topics and processes of this module's own."""
    name = f"cumulo_flow_{run.name}"
    settings = service_settings("membership", kafka=True, topic_prefix=f"{run.name}.flow.", postgres_database=name)
    async with network_of(postgres, settings, tmp_path_factory.mktemp("flow")) as found:
        yield found


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
