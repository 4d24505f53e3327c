"""`cumulo privacy`: what is held of a person is shown, blocked, erased everywhere; what is left is found."""

import asyncio
import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer

from services.cli import definitions
from shared.runtime.privacy import lists
from tests.stack.program import Program, finished

pytestmark = pytest.mark.xdist_group("local-stack")

SHEET = """Razón social;Tipo;Posición;Categoría;Estado;Fecha de ingreso;Representante;Correo;Idioma
Moldes Peregrinos SA de CV;empresa;Tier 2;asociado;Jalisco;15/03/2024;Ximena Olvidada Prieto;ximena@moldes.example;es
Otra Firma SA de CV;empresa;Tier 2;asociado;Jalisco;15/03/2024;Queda Aquí;queda@otra.example;es
"""
SOUNDS_PERSONAL = re.compile(r"mail|phone|address|^name$|person_name|full_name|first_name|birth|curp|agent$|^subject$")
NOT_OF_PEOPLE = {
    ("membership", "network"), ("membership", "cluster"), ("membership", "account"), ("membership", "site"),
    ("events", "cluster"), ("notifications", "cluster"), ("reporting", "label"), ("*", "consumer"), ("*", "job"),
    ("*", "migration"), ("*", "outbox"), ("*", "suppressed_address"), ("*", "history"),
    ("notifications", "message"), ("notifications", "notice"), ("notifications", "preference"), ("reporting", "name"),
    ("membership", "compared"), ("notifications", "heard"), ("reporting", "message_fact"),
    ("reporting", "message_period"),
}  # fmt: skip
"""Tables whose columns only sound so: names of clusters, jobs, consumers; subjects of events and mails; hashes."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running stack with two companies and their representatives, to whom a welcome was mailed."""
    folder = tmp_path_factory.mktemp("privacy")
    program = Program("up", "--demo", "--demo-size", "people", "--port", "0", "--data", str(folder / "data"),
                      log=folder / "up.log")  # fmt: skip
    try:
        program.wait_for("Ctrl-C", seconds=120)
        (folder / "padron.csv").write_text(SHEET, "utf-8")
        _run(folder / "data", "import", "members", str(folder / "padron.csv"), "--cluster", "costa-y-agave")
        _run(folder / "data", "admin", "invite", "ximena@moldes.example", "--role", "board_member", "--name",
             "Ximena Olvidada Prieto")  # fmt: skip
        program.wait_until(
            lambda: any("ximena@moldes.example" in one.read_text("latin1") for one in (folder / "data/mail").glob("*")),
            what="the welcome",
        )
        yield folder / "data"
    finally:
        program.end(signal.SIGINT)


def _run(data: Path, *arguments: str, code: int = 0) -> str:
    found, output, errors = finished(*arguments, "--data", str(data), seconds=120)
    assert found == code, output + errors
    return output + errors


def _status(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(data, "status", "--json"))
    return found


async def _owner(data: Path) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(_status(data)["postgres"])


def _post(status: dict[str, Any], path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        status["http"] + path, json.dumps(body).encode(), method="POST",
        headers={"Authorization": f"Bearer {status['token']}", "Content-Type": "application/json",
                 "Idempotency-Key": str(uuid_utils.uuid7())},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status in (200, 201, 202)


async def _held(status: dict[str, Any]) -> str:
    """An event of the network, published."""
    body = {"kind": "webinar", "title": "Seminario", "mode": "online", "starts": "2190-05-14T15:00:00Z",
            "ends": "2190-05-14T16:00:00Z"}  # fmt: skip
    id_ = await asyncio.to_thread(_answered, status, "/events/gatherings", body)
    await asyncio.to_thread(_post, status, f"/events/gatherings/{id_}/publish", {})
    return id_


def _answered(status: dict[str, Any], path: str, body: dict[str, Any]) -> str:
    request = urllib.request.Request(
        status["http"] + path, json.dumps(body).encode(), method="POST",
        headers={"Authorization": f"Bearer {status['token']}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: str = json.loads(answer.read())["id"]
    return found


async def test_who_is_erased_is_left_nowhere_and_everybody_else_stays(data: Path) -> None:
    status = _status(data)
    # an answer that is kept for a key, and a record of theirs that a service set aside
    await asyncio.to_thread(
        _post, status, "/membership/accounts",
        {"mail": "ximena@moldes.example", "role": "treasurer", "name": "Ximena Olvidada Prieto"},
    )  # fmt: skip
    # and what they came to
    gathering = await _held(status)
    await asyncio.to_thread(
        _post, status, f"/events/gatherings/{gathering}/registrations",
        {"people": [{"name": "Ximena Olvidada Prieto", "mail": "Ximena@moldes.example"},
                    {"name": "Queda Aquí", "mail": "queda@otra.example"}]},
    )  # fmt: skip
    person = next(one for one in json.loads(_run(data, "privacy", "show", "ximena@moldes.example", "--json"))
                  if one["table"] == "person")  # fmt: skip
    assert person["rows"] == 1
    owner = await _owner(data)
    key = str(await owner.fetchval("SELECT id FROM membership.person WHERE mail = 'ximena@moldes.example'"))
    headers = [(f"ce_{name}", text.encode()) for name, text in {
        "specversion": "1.0", "id": str(uuid_utils.uuid7()), "type": "org.cumulo.membership.PersonState.v1",
        "source": "/cumulo/membership", "subject": f"person/{key}", "time": "2026-03-31T18:00:00Z", "dataschema": "x",
        "version": "9", "actor": "cli", "cause": "x"}.items()]  # fmt: skip
    async with AIOKafkaProducer(bootstrap_servers=status["kafka"]) as producer:
        await producer.send_and_wait(
            "membership.person.state", b'{"name": "Ximena Olvidada Prieto"}', key=key.encode(),
            headers=[("content-type", b"application/json"), *headers],
        )  # fmt: skip
    async with asyncio.timeout(30):
        while not await owner.fetchval("SELECT count(*) FROM notifications.parked WHERE key = $1", key):
            await asyncio.sleep(0.1)
    shown = json.loads(_run(data, "privacy", "show", key, "--json"))
    places = {(one["service"], one["table"]) for one in shown}
    assert places >= {
        ("membership", "person"), ("membership", "account"), ("membership", "access_copy"),
        ("membership", "idempotency"), ("events", "access_copy"), ("events", "registration"),
        ("notifications", "person"),
        ("notifications", "parked"),
    }  # fmt: skip

    erased = _run(data, "privacy", "erase", "XIMENA@moldes.example", "--reason", "asked for it")
    assert "1 account, 1 as representative" in erased and "Nothing is left." in erased
    assert "Nothing is left." in _run(data, "privacy", "check", "Ximena Olvidada", "ximena@moldes.example")
    assert "nobody is known by" in _run(data, "privacy", "erase", key, "--reason", "again", code=1)
    assert "queda@otra.example" in _run(data, "privacy", "show", "queda@otra.example")
    facts = await owner.fetchval("SELECT count(*) FROM membership.history WHERE type LIKE '%MembershipActivated%'")
    assert facts > 0, "what happened stays: it names nobody"
    came = "SELECT count(*) AS count, count(name) AS named FROM events.registration"
    assert dict(await owner.fetchrow(came) or {}) == {"count": 2, "named": 1}  # who came still counts
    log = data.parent / "up.log"
    assert "ximena@moldes.example" not in log.read_text("utf-8") and "Olvidada" not in log.read_text("utf-8")

    # and the look for what is left can find something
    await owner.execute("INSERT INTO events.attempt VALUES ('link to ximena@moldes.example', now())")
    found = _run(data, "privacy", "check", "ximena@moldes.example", code=1)
    assert "LEFT  events attempt.bucket" in found
    await owner.execute("DELETE FROM events.attempt WHERE bucket LIKE 'link to%'")
    await owner.close()


async def test_who_is_only_spoken_with_about_a_prospect_is_found_shown_whole_and_erased(data: Path) -> None:
    status, owner = _status(data), await _owner(data)
    cluster = str(await owner.fetchval("SELECT id FROM membership.cluster ORDER BY id LIMIT 1"))
    for name, phone in (("Moldes Nuevos", None), ("Moldes Otros", "+52 81 5550 9999")):
        await asyncio.to_thread(
            _post, status, "/membership/prospects",
            {"cluster_id": cluster, "name": name, "source": "event", "contact_name": "Beta Prieto Luna",
             "contact_mail": "beta@nuevos.example", "contact_phone": phone},
        )  # fmt: skip
    shown = _run(data, "privacy", "show", "Beta@nuevos.example")
    assert "+52 81 5550 9999" in shown, "every row is shown, not one of them"
    erased = _run(data, "privacy", "erase", "beta@nuevos.example", "--reason", "asked for it")
    assert "Nothing is left." in erased
    assert await owner.fetchval("SELECT count(*) FROM membership.prospect WHERE name LIKE 'Moldes %'") == 2
    await owner.close()


async def test_the_only_coordinator_and_a_stranger_are_refused_and_nothing_is_changed(data: Path) -> None:
    said = _run(data, "privacy", "erase", "mariana.ibarra@red.example", "--reason", "asked for it", code=1)
    assert "is the only coordinator" in said
    assert "mariana.ibarra@red.example" in _run(data, "privacy", "show", "mariana.ibarra@red.example")
    assert "nobody is known by" in _run(data, "privacy", "show", "nobody@red.example", code=1)
    assert "nobody is known by" in _run(data, "privacy", "show", "' OR true --", code=1)


async def test_every_column_that_sounds_personal_is_in_a_list(data: Path) -> None:
    owner = await _owner(data)
    missing = []
    for name, definition in definitions().items():
        listed = {(one.table, column) for one in lists(definition) for column in one.columns}
        for row in await owner.fetch(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1", name
        ):
            table, column = row["table_name"], row["column_name"]
            if not SOUNDS_PERSONAL.search(column) or (table, column) in listed:
                continue
            bare = re.sub(r"_(\d+|default)$", "", table)
            if not {(name, bare), ("*", bare)} & NOT_OF_PEOPLE and "organization" not in bare:
                missing.append(f"{name}.{table}.{column}")
    assert missing == []
    await owner.close()
