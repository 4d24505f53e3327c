"""Writing to a company by way of the directory: no address is shown, the text is erased after a week."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from services.membership.contacts.commands import erase_of, forget_old
from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}
TEXT = "Buscamos troquelado de soportes en acero de 2 mm, 40,000 piezas al mes."


@dataclass
class Desk:
    """Two members of a cluster; the representative of one writes to the other."""

    client: httpx.AsyncClient
    to: dict[str, Any]
    address: str
    lucia: Somebody

    async def write(self, message: str = TEXT, to: str | None = None) -> httpx.Response:
        body = {"organization_id": to or self.to["id"], "message": message}
        return await self.client.post("/membership/contacts", json=body, headers=self.lucia.headers)

    async def waiting(self) -> list[tuple[str, bool]]:
        async with self.client.service.database.connection() as connection:  # type: ignore[attr-defined]
            rows = await connection.fetch(
                "SELECT aggregatetype, payload IS NULL AS gone FROM outbox"
                " WHERE aggregatetype LIKE 'membership.contact%' ORDER BY position")  # fmt: skip
        return [(row["aggregatetype"], row["gone"]) for row in rows]


@pytest.fixture
async def desk(client_for: ClientFor) -> AsyncIterator[Desk]:
    client = await client_for("membership")
    mark = uuid4().hex[:8]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    cluster = await made("/membership/clusters", name=f"C {mark}", slug=f"c-{mark}", state="JAL")
    companies = [await made("/membership/organizations", legal_name=f"{name} {mark}") for name in ("Prensas", "Tier")]
    for one in companies:
        membership = await made("/membership/memberships", organization_id=one["id"], cluster_id=cluster["id"])
        for step in ("approve", "activate"):
            await made(f"/membership/memberships/{membership['id']}/{step}")
    address = f"ana-{mark}@prensas.example"
    mail = f"lucia-{mark}@tier.example"
    database = client.service.database  # type: ignore[attr-defined]
    async with database.connection() as connection:
        await connection.execute("DELETE FROM outbox")
        await connection.execute(
            "WITH p AS (INSERT INTO person (id, organization_id, name, mail, mail_key, language, version)"
            " VALUES ($1, $2, 'Ana Ruiz', $3, $3, 'es', 1) RETURNING id)"
            " INSERT INTO person_organization (person_id, organization_id, role, main, period)"
            " SELECT id, $2, 'sales', true, '[2020-01-01,)' FROM p", uuid_utils.uuid7(), UUID(companies[0]["id"]),
            address,
        )  # fmt: skip
    lucia = await somebody(database, "representative", "organization", UUID(companies[1]["id"]),
                           name="Lucía Montes Ferrer")  # fmt: skip
    async with database.connection() as connection:  # the account whose token the tests have made
        await connection.execute(
            "INSERT INTO account (id, kind, name, mail, mail_key, language, not_before, made_by, made_at, version)"
            " VALUES ($1, 'person', 'Lucía Montes Ferrer', $2, $2, 'es', now(), 'test', now(), 1)", lucia.id, mail,
        )  # fmt: skip
    client.headers.pop("Authorization")
    yield Desk(client, companies[0], address, lucia)
    async with database.connection() as connection:
        await connection.execute("DELETE FROM outbox")


async def test_somebody_writes_by_the_page_and_no_address_is_shown(desk: Desk) -> None:
    page = f"/organizations/{desk.to['slug']}"
    button = f"/directory/{desk.to['slug']}/write"
    seen = await desk.client.get(page, headers=HTML | desk.lucia.headers)
    assert button in seen.text and desk.address not in seen.text
    form = await desk.client.get(button, headers=HTML | desk.lucia.headers)
    assert form.status_code == 200 and "Lucía Montes Ferrer" in form.text and desk.address not in form.text
    short = await desk.client.post(button, data={"message": "hola"}, headers=HTML | desk.lucia.headers)
    assert short.status_code == 422 and "error-message" in short.text and "entre 20 y" in short.text
    assert await desk.waiting() == []
    sent = await desk.client.post(button, data={"message": TEXT}, headers=HTML | desk.lucia.headers)
    assert sent.status_code == 303, sent.text
    assert await desk.waiting() == [("membership.contact", False), ("membership.contact.state", False)]


async def test_what_cannot_be_delivered_is_refused_and_nothing_is_kept(desk: Desk) -> None:
    nobody = await desk.client.get(f"/membership/organizations?name=Tier {desk.to['legal_name'].split()[-1]}",
                                   headers=desk.lucia.headers)  # fmt: skip
    other = nobody.json()["items"][0]["id"]
    for to, status in ((other, 409), (str(uuid4()), 404)):
        assert (await desk.write(to=to)).status_code == status
    for text in ("", "x" * 3_001, "   \n  " * 20):
        assert (await desk.write(text)).status_code == 422
    assert await desk.waiting() == []


async def test_twenty_a_day_and_no_more(desk: Desk) -> None:
    codes = [(await desk.write()).status_code for _ in range(21)]
    assert codes == [201] * 20 + [429]


async def test_after_a_week_and_with_its_writer_a_text_is_erased_everywhere(desk: Desk) -> None:
    database = desk.client.service.database  # type: ignore[attr-defined]
    async with database.connection() as connection:
        await connection.execute("DELETE FROM contact")
    assert (await desk.write()).status_code == 201
    now = datetime.now(UTC)
    async with database.unit(actor="test", cause="test", now=now) as unit:
        assert await forget_old(unit, now - timedelta(days=7), 100) == 0
        assert await forget_old(unit, now + timedelta(minutes=1), 100) == 1
    assert (await desk.waiting())[-1] == ("membership.contact.state", True)
    assert (await desk.write("Habla con Rebeca Treviño Salas de la parte 12345")).status_code == 201
    async with database.unit(actor="test", cause="test", now=now) as unit:
        assert await erase_of(unit, [], ["rebeca treviño salas"]) == 1
    assert (await desk.write()).status_code == 201
    async with database.unit(actor="test", cause="test", now=now) as unit:
        assert await erase_of(unit, [desk.lucia.id], []) == 1
