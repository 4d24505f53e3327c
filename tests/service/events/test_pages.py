"""The pages of events: calendar, one event with its price, registering colleagues, the organiser's tabs, the door."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import NOW, THREE, Clock, Town, published, register, town
from tests.stack.people import Somebody, somebody


class Hall:
    """One event, whoever holds it, a representative of a member, and a visitor without an account."""

    def __init__(self, place: Town, clock: Clock, office: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
        self.place, self.clock, self.office, self.guest = place, clock, office, guest
        self.staff: Somebody
        self.lucia: Somebody

    async def get(self, who: Somebody | None, path: str) -> httpx.Response:
        return await self.guest.get(path, headers={**(who.headers if who else {}), "Accept": "text/html"})

    async def post(self, who: Somebody | None, path: str, **data: Any) -> httpx.Response:
        return await self.guest.post(path, headers={**(who.headers if who else {}), "Accept": "text/html"}, data=data)


@pytest.fixture
async def hall(client_for: ClientFor, databases: dict[str, Database]) -> AsyncIterator[Hall]:
    place, clock = await town(databases["events"]), Clock()
    made = Hall(
        place, clock, await client_for("events", clock=clock), await client_for("events", clock=clock, token=None)
    )
    made.staff = await somebody(databases["events"], "cluster_staff", "cluster", place.host, now=NOW)
    made.lucia = await somebody(databases["events"], "representative", "organization", place.neighbour, now=NOW,
                                name="Lucía Montes Ferrer")  # fmt: skip
    yield made


async def test_the_year_shows_what_is_published_and_keeps_meetings_of_the_board_from_the_public(hall: Hall) -> None:
    one = await published(hall.office, cluster_id=str(hall.place.host), title=f"Feria {hall.place.slug}")
    board = await published(hall.office, kind="board_meeting", title=f"Consejo {hall.place.slug}")
    await hall.office.post(f"/events/gatherings/{one['id']}/cancel", json={"reason": "obra"})
    for who, sees_board in ((None, False), (hall.lucia, True)):
        page = await hall.get(who, f"/calendar/2027?cluster={hall.place.slug}")
        assert page.status_code == 200
        assert f"<del>{one['title']}</del>" in page.text
        listed = await hall.get(who, f"/agenda?shown=2027-05&q=consejo {hall.place.slug}")
        assert (board["title"] in listed.text) is sees_board
        assert (await hall.get(who, f"/agenda/{board['slug']}")).status_code == (200 if sees_board else 404)
    file = await hall.get(hall.lucia, f"/agenda.csv?shown=2027-05&cluster={hall.place.slug}")
    assert one["title"] in file.text
    assert (await hall.get(None, "/calendar/1999")).status_code == 422
    assert (await hall.get(None, "/agenda?shown=0001-01")).status_code == 200


async def test_one_sees_the_price_and_why_and_registers_oneself_with_colleagues(hall: Hall) -> None:
    one = await published(hall.office, cluster_id=str(hall.place.host), prices=THREE, capacity=2)
    path = f"/agenda/{one['slug']}"
    public = await hall.get(None, path)
    assert "$1,400.00" in public.text
    assert "Entra para inscribirte" in public.text
    page = await hall.get(hall.lucia, path)
    assert "$850.00" in page.text
    assert "asociado de otro clúster de la red: Costa" in page.text
    assert "Quedan 2 lugares" in page.text
    assert "viernes, 14 de mayo de 2027, 09:00 hora estándar central" in page.text

    form = {"organization_id": str(hall.place.neighbour), "myself": "yes", "my_mail": "lucia@arneses.example",
            "people": "Ana Ruiz, ana@arneses.example\nEva Paz\teva@arneses.example\n"}  # fmt: skip
    wrong = await hall.post(hall.lucia, f"{path}/register", **(form | {"people": "Ana Ruiz"}))
    assert (wrong.status_code, "Renglón 1" in wrong.text) == (422, True)
    nobody = await hall.post(hall.lucia, f"{path}/register", organization_id="", people="")
    assert "Escribe quién viene" in nobody.text
    done = await hall.post(hall.lucia, f"{path}/register", **form)
    assert (done.status_code, done.headers["location"]) == (303, path)
    page = await hall.get(hall.lucia, path)
    assert [name in page.text for name in ("Lucía Montes Ferrer", "Ana Ruiz", "Eva Paz")] == [True] * 3
    assert "número 1" in page.text
    again = await hall.post(hall.lucia, f"{path}/register", **form)
    assert (again.status_code, "ya está en la lista" in again.text) == (409, True)
    alone = await hall.post(
        hall.lucia, f"{path}/register", organization_id=str(hall.place.own), people="A, a@b.example"
    )
    assert "Di por qué organización vienen" in alone.text


async def test_the_organiser_sees_who_comes_and_lets_them_in(hall: Hall) -> None:
    one = await published(hall.office, cluster_id=str(hall.place.host), capacity=2)
    ana, _eva, leo = await register(hall.office, one["id"], "ana", "eva", "leo", organization_id=str(hall.place.own))
    path = f"/agenda/{one['slug']}/people"
    assert (await hall.get(hall.lucia, path)).status_code == 403
    for tab, text in (("registered", "Ana"), ("waiting", "Leo"), ("attendance", "Eva"), ("result", "Inscritos"),
                      ("history", "publicado")):  # fmt: skip
        page = await hall.get(hall.staff, f"{path}?tab={tab}")
        assert (page.status_code, text.lower() in page.text.lower()) == (200, True), tab
    assert "ana@empresa.example" in (await hall.get(hall.staff, f"{path}.csv")).text
    full = await hall.post(hall.staff, path, name="Sol", mail="sol@x.example", organization="Moldes Propios")
    assert full.status_code == 303
    unknown = await hall.post(hall.staff, path, name="Sol", mail="s@x.example", organization="Nadie")
    assert "Ninguna organización se llama así" in unknown.text

    hall.clock.pass_(days=65)
    hall.staff = await renewed(hall)
    typed = await hall.post(hall.staff, f"/agenda/{one['slug']}/door", code=ana["check_in_code"].lower(), at="09:04")
    assert typed.status_code == 303
    page = await hall.get(hall.staff, f"{path}?tab=attendance")
    assert "14 may 2027, 09:04" in page.text
    waits = await hall.post(hall.staff, f"/agenda/{one['slug']}/door", code="leo@empresa.example")
    assert "lista de espera" in waits.text
    scanned = await hall.get(hall.staff, f"/check-in/{_eva['check_in_code']}")
    assert "Registrar asistencia" in scanned.text
    done = await hall.post(hall.staff, f"/check-in/{_eva['check_in_code']}")
    assert done.headers["location"] == f"/check-in/{_eva['check_in_code']}"
    assert "presente desde" in (await hall.get(hall.staff, f"/check-in/{_eva['check_in_code']}")).text
    assert leo["status"] == "waiting"


async def renewed(hall: Hall) -> Somebody:
    """The same role with a sign-in of today."""
    database: Any = hall.office.service.database  # type: ignore[attr-defined]
    return await somebody(database, "cluster_staff", "cluster", hall.place.host, now=hall.clock.now)


async def test_a_ticket_opens_without_an_account_and_shows_a_code_and_what_can_be_done(hall: Hall) -> None:
    one = await published(hall.office, cluster_id=str(hall.place.host), capacity=1)
    ana, leo = await register(hall.office, one["id"], "ana", "leo")
    ticket = await hall.get(None, f"/ticket/{ana['check_in_code']}")
    assert "<svg" in ticket.text
    assert ana["check_in_code"] in ticket.text
    for ending, kind in (("svg", "image/svg+xml"), ("png", "image/png")):
        picture = await hall.get(None, f"/ticket/{ana['check_in_code']}.{ending}")
        assert (picture.status_code, picture.headers["content-type"]) == (200, kind)
    assert (await hall.get(None, "/ticket/0000-0000-0000-0000")).status_code == 404
    foreign = await hall.get(None, f"/check-in/{ana['check_in_code']}")
    assert foreign.headers["location"] == f"/ticket/{ana['check_in_code']}"
    assert (await hall.post(None, f"/ticket/{ana['check_in_code']}/cancel")).status_code == 303
    offered = await hall.get(None, f"/ticket/{leo['check_in_code']}")
    assert "te lo guardamos hasta el 11 mar 2027, 09:00" in offered.text
    assert (await hall.post(None, f"/ticket/{leo['check_in_code']}/accept")).status_code == 303
    assert "Muestra esto en la entrada" in (await hall.get(None, f"/ticket/{leo['check_in_code']}")).text


async def test_an_event_is_written_published_put_off_and_called_off_on_pages(hall: Hall) -> None:
    form = {
        "title": f"Taller {hall.place.slug}", "kind": "workshop", "host": str(hall.place.host), "mode": "in_place",
        "starts": "2027-05-14T09:00", "ends": "2027-05-14T13:00", "zone": "America/Tijuana", "place": "Sala A",
        "price_own": "500", "price_public": "1,400.00", "price_affiliate": "700", "benefit": "Convenio",
        "capacity": "20", "waiting_list": "yes", "accept_hours": "12", "currency": "MXN", "language": "es",
        "sessions": "2027-05-14 09:00-10:30; Medición; Sala A; Ing. Paz",
    }  # fmt: skip
    assert (await hall.get(hall.lucia, "/agenda/new")).status_code == 403
    wrong = await hall.post(hall.staff, "/agenda/new", **(form | {"ends": "2027-05-14T08:00", "sessions": ""}))
    assert (wrong.status_code, "Termina después de empezar" in wrong.text) == (422, True)
    odd = await hall.post(hall.staff, "/agenda/new", **(form | {"host": "x", "price_own": "-1", "capacity": "many",
                                                                "starts": "soon", "sessions": "x"}))  # fmt: skip
    assert all(text in odd.text for text in ("Elige quién lo organiza", "Escribe un importe", "Renglón 1"))
    made = await hall.post(hall.staff, "/agenda/new", **form)
    path = made.headers["location"]
    assert re.fullmatch(r"/agenda/taller-[a-z0-9-]+", path)
    assert (await hall.get(hall.lucia, path)).status_code == 404
    edit = await hall.get(hall.staff, f"{path}/edit")
    assert "2027-05-14 09:00-10:30; Medición; Sala A; Ing. Paz" in edit.text
    saved = await hall.post(hall.staff, f"{path}/edit", **form, version="1", summary="Práctico")
    assert saved.headers["location"] == path
    stale = await hall.post(hall.staff, f"{path}/edit", **form, version="1")
    assert stale.status_code == 412
    assert (await hall.post(hall.staff, f"{path}/publish")).status_code == 303
    page = await hall.get(hall.lucia, path)
    assert "09:00 hora de verano del Pacífico" in page.text
    assert (await hall.post(hall.staff, f"{path}/move", reason="obra")).status_code == 303
    assert "por anunciarse" in (await hall.get(hall.lucia, path)).text
    empty = await hall.post(hall.staff, f"{path}/call-off", why=" ")
    assert "Escribe el motivo" in empty.text
    assert (await hall.post(hall.staff, f"{path}/call-off", why="sin ponente")).status_code == 303
    assert "Cancelado" in (await hall.get(hall.lucia, path)).text
    history = await hall.get(hall.staff, f"{path}/people?tab=history")
    assert all(text in history.text for text in ("sin ponente", "obra"))
