"""The page of figures: as of a day, compared, divided; the facts behind within reach; bad questions named."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx

from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


async def test_the_page_names_its_day_and_its_definitions(client_for: ClientFor) -> None:
    client = await client_for("reporting", token=None)
    partner = await somebody(client.service.database, "partner")  # type: ignore[attr-defined]
    page = await client.get(
        "/indicators",
        params={"as_of": "2026-03-31", "compare": "2025-03-31", "by": "type"},
        headers=HTML | partner.headers,
    )
    assert page.status_code == 200, page.text
    assert "31 mar 2026" in page.text or "31 de marzo de 2026" in page.text
    assert "Membresías vigentes ese día." in page.text
    assert "/indicators/members/facts" not in page.text
    refused = await client.get("/indicators/members/facts", headers=HTML | partner.headers)
    assert refused.status_code == 403


async def test_staff_open_the_facts_behind(client_for: ClientFor) -> None:
    client = await client_for("reporting", token=None)
    database = client.service.database  # type: ignore[attr-defined]
    staff = await somebody(database, "cluster_staff", "cluster", UUID(int=5))
    assert "/indicators/members/facts" in (await client.get("/indicators", headers=HTML | staff.headers)).text
    page = await client.get("/indicators/members/facts", headers=HTML | staff.headers)
    assert (page.status_code, "Sin hechos" in page.text) == (200, True)
    assert (await client.get("/indicators/nothing/facts", headers=HTML | staff.headers)).status_code == 404


async def test_what_a_question_cannot_be_is_left_out(client_for: ClientFor) -> None:
    client = await client_for("reporting", token=None)
    person = await somebody(client.service.database, "coordinator")  # type: ignore[attr-defined]
    for query in ("as_of=yesterday", "by=color", "as_of=1066-10-14", "compare=infinity"):
        answer = await client.get(f"/indicators?{query}", headers=HTML | person.headers)
        assert answer.status_code == 303, query
        assert answer.headers["location"] == "/indicators"
