"""A crowd for 50 places, the service killed -9 in between: 50 have one, the rest waits in order, nobody twice."""

import asyncio
import secrets
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import uuid_utils.compat as uuid_utils

from deploy.local.child import free_port
from tests.conftest import TOKEN
from tests.failure.servers import OwnPostgres
from tests.service.bus.records import until
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.program import Program

PLACES, PEOPLE = 50, 200
BODY = {"kind": "webinar", "title": "Seminario", "mode": "online", "zone": "UTC", "capacity": PLACES,
        "starts": "2190-05-14T15:00:00Z", "ends": "2190-05-14T16:00:00Z"}  # fmt: skip


def environment(cluster: Cluster, name: str) -> dict[str, str]:
    """Events alone: what it promises of places depends on no Kafka."""
    return {
        "CUMULO_ENVIRONMENT": "test", "CUMULO_REPLICA": "crowd", "CUMULO_POSTGRES_HOST": cluster.host,
        "CUMULO_POSTGRES_PORT": str(cluster.port), "CUMULO_POSTGRES_DATABASE": name,
        "CUMULO_POSTGRES_PASSWORD": cluster.role_password("cumulo_events"), "CUMULO_KAFKA": "127.0.0.1:9",
        "CUMULO_RELAY_ENABLED": "false", "CUMULO_SERVICE_TOKEN": TOKEN,
    }  # fmt: skip


async def persistent(client: httpx.AsyncClient, path: str, body: dict[str, Any], key: str) -> Any:
    """Asks under one key until there is an answer, as a browser that lost its connection would."""
    while True:
        try:
            answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code != 503:
            assert answer.is_success, answer.text
            return answer.json()


async def test_a_kill_in_between_neither_oversells_nor_undersells_nor_registers_anybody_twice(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    name, port = f"crowd_{secrets.token_hex(4)}", free_port()
    cluster = own_postgres.cluster
    await database.clone(cluster, name)
    async with cluster.connection(database=name) as admin:
        await admin.execute(
            "INSERT INTO events.cluster_network VALUES ($1, $1)", uuid_utils.uuid7()
        )  # fmt: skip

    def start() -> Program:
        return Program("serve", "events", "--port", str(port), log=tmp_path / "log",
                       environment=environment(cluster, name))  # fmt: skip

    program = start()
    told: list[dict[str, Any]] = []
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30,
            limits=httpx.Limits(max_connections=40),
        ) as client:  # fmt: skip
            one = await persistent(client, "/events/gatherings", BODY, "draft")
            path = f"/events/gatherings/{one['id']}"
            await persistent(client, f"{path}/publish", {}, "publish")

            async def come(number: int) -> None:
                people = [{"name": f"Persona {number}", "mail": f"p{number}@empresa.example"}]
                told.extend(await persistent(client, f"{path}/registrations", {"people": people}, f"p{number}"))

            crowd = [asyncio.create_task(come(number)) for number in range(PEOPLE)]
            await until(lambda: len(told) > PEOPLE // 4)
            await asyncio.to_thread(program.end, signal.SIGKILL)
            before = len(told)
            program = start()
            await asyncio.gather(*crowd)
    finally:
        program.end(signal.SIGTERM)
    assert before < PEOPLE
    async with cluster.connection(database=name) as admin:
        rows = await admin.fetch("SELECT id::text, number, status, mail FROM events.registration ORDER BY number")
    assert [(row["number"], row["status"]) for row in rows] == [
        (n, "confirmed" if n <= PLACES else "waiting") for n in range(1, PEOPLE + 1)
    ]
    assert Counter(row["mail"] for row in rows) == {f"p{n}@empresa.example": 1 for n in range(PEOPLE)}
    # and everybody was told what is so
    assert {(line["id"], line["number"], line["status"]) for line in told} == {
        (row["id"], row["number"], row["status"]) for row in rows
    }
    await database.drop(cluster, name)
