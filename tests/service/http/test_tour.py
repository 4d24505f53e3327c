"""The tour of the demo: ticked by the page that shows the very fact, closed for good, nothing of it elsewhere."""

import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody


async def test_a_step_is_ticked_by_the_page_that_shows_its_fact_and_the_bar_is_closed_for_good(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    client = await client_for("membership", token=None, demo=True)
    mariana = await somebody(databases["membership"], "coordinator")
    page = await client.get("/register", headers=mariana.headers)
    assert "Recorrido: 0 de 5" in page.text
    ticked = await client.get("/register", headers=_with(mariana, "mail.day.never"))
    assert "Recorrido: 2 de 5" in ticked.text
    closed = await client.post("/door/tour", headers=mariana.headers, data={"next": "/register"})
    assert (closed.status_code, closed.headers["location"]) == (303, "/register")
    assert closed.cookies["cumulo_tour"] == "closed"
    assert "Recorrido" not in (await client.get("/register", headers=_with(mariana, "closed"))).text
    away = await client.post("/door/tour", headers=mariana.headers, data={"next": "//elsewhere.example"})
    assert away.headers["location"] == "/"


def _with(who: Somebody, ticks: str) -> dict[str, str]:
    return {"Cookie": f"{who.headers['Cookie']}; cumulo_tour={ticks}"}


@pytest.mark.parametrize("path", ["/register"])
async def test_outside_of_the_demo_there_is_no_tour(
    client_for: ClientFor, databases: dict[str, Database], path: str
) -> None:
    client = await client_for("membership", token=None)
    mariana = await somebody(databases["membership"], "coordinator")
    assert "Recorrido" not in (await client.get(path, headers=mariana.headers)).text
