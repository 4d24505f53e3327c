"""What one hears of: chosen on a page or by a mail's link, where looking changes nothing; one's own notices."""

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import PersonState
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.bus.records import item
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, take
from tests.stack.people import Somebody, somebody

DOOR = "https://cumulo.example"


@pytest.fixture
async def reader(client_for: ClientFor, clock: Clock) -> httpx.AsyncClient:
    return await client_for("notifications", token=None, clock=clock)


async def ana_of(databases: dict[str, Database], scene: Scene) -> Somebody:
    return await somebody(databases["notifications"], "representative", "organization", scene.organization, now=NOW,
                          mail=scene.mail)  # fmt: skip


async def state_of(databases: dict[str, Database], scene: Scene) -> list[str]:
    async with databases["notifications"].connection() as connection:
        rows = await connection.fetch("SELECT state FROM message WHERE person_id = $1", scene.person)
    return [row["state"] for row in rows]


async def test_a_mail_is_left_by_one_click_and_by_a_page_where_looking_changes_nothing(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], reader: httpx.AsyncClient
) -> None:
    handler, port = sink
    scene = Scene()
    await take(databases["notifications"], scene.all(), NOW)
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    [mail] = handler.to(scene.mail)
    link = str(mail["List-Unsubscribe"]).strip(" <>")
    assert link.startswith(f"{DOOR}/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    body = mail.get_body(("plain",))
    assert body is not None
    assert link in body.get_content()
    path = link.removeprefix(DOOR)

    for _ in range(2):  # a scanner looks, its reader looks
        page = await reader.get(path, headers={"Accept": "text/html"})
        assert (page.status_code, "Todavía no se ha cambiado nada" in page.text) == (200, True), page.text
        assert scene.mail not in page.text
    for _ in range(2):
        done = await reader.post(path, content=b"List-Unsubscribe=One-Click",
                                 headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
        assert done.status_code == 200, done.text
    assert "ya no se envían" in (await reader.get(path, headers={"Accept": "text/html"})).text

    other = Scene(mail=scene.mail.upper())  # another organisation of the same reader
    await take(databases["notifications"], other.all(), NOW)
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    assert len(handler.to(scene.mail)) + len(handler.to(other.mail)) == 1
    assert await state_of(databases, other) == ["muted"]

    back = await reader.post(f"{path}/return", headers={"Accept": "text/html"})
    assert "se envían" in back.text
    again = Scene(mail=scene.mail)
    await take(databases["notifications"], again.all(), NOW)
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    assert await state_of(databases, again) == ["sent"]


async def test_a_link_of_nobody_and_of_who_was_erased_says_so(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], reader: httpx.AsyncClient
) -> None:
    handler, port = sink
    scene = Scene()
    await take(databases["notifications"], scene.all(), NOW)
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    path = str(handler.to(scene.mail)[0]["List-Unsubscribe"]).strip(" <>").removeprefix(DOOR)
    await reader.post(path)
    await take(databases["notifications"], [item(PersonState, scene.person, 2)], NOW)
    for asked in (path, f"/unsubscribe/{uuid_utils.uuid7()}"):
        assert (await reader.get(asked, headers={"Accept": "text/html"})).status_code == 404
        assert (await reader.post(asked)).status_code == 404
    assert (await reader.get("/unsubscribe/nonsense", headers={"Accept": "text/html"})).status_code == 422
    async with databases["notifications"].connection() as connection:
        kept = await connection.fetchval(
            "SELECT count(*) FROM preference WHERE address = address_key($1)", scene.mail
        )  # fmt: skip
    assert kept == 0


async def test_one_chooses_where_one_hears_of_what(databases: dict[str, Database], reader: httpx.AsyncClient) -> None:
    scene = Scene()
    await take(databases["notifications"], scene.all(), NOW)
    ana = await ana_of(databases, scene)
    path = "/notifications/preferences"
    first = (await reader.get(path, headers=ana.headers)).json()["preferences"]
    assert {one["topic"]: (one["mail"], one["inbox"]) for one in first} == dict.fromkeys(
        ("welcome", "contacts", "announcements", "reminders", "certificates"), (True, True)
    )
    body = {"preferences": [{"topic": "reminders", "mail": False, "inbox": True}]}
    chosen = await reader.put(path, json=body, headers=ana.headers)
    assert {"topic": "reminders", "mail": False, "inbox": True} in chosen.json()["preferences"]
    for wrong in ({"preferences": [{"topic": "applications", "mail": False, "inbox": False}]},
                  {"preferences": [{"topic": "welcome", "mail": "perhaps", "inbox": True}]}, {}):  # fmt: skip
        assert (await reader.put(path, json=wrong, headers=ana.headers)).status_code == 422
    page = await reader.get("/preferences", headers=ana.headers | {"Accept": "text/html"})
    assert "Recordatorios" in page.text
    saved = await reader.post("/preferences", headers=ana.headers | {"Accept": "text/html"},
                              data={"welcome.mail": "yes"})  # fmt: skip
    assert saved.status_code == 303
    now = (await reader.get(path, headers=ana.headers)).json()["preferences"]
    assert {one["topic"]: (one["mail"], one["inbox"]) for one in now} == {
        "welcome": (True, False), "contacts": (False, False), "announcements": (False, False),
        "reminders": (False, False),
        "certificates": (False, False),
    }  # fmt: skip
    nobody = await somebody(databases["notifications"], "representative", "organization", scene.organization, now=NOW)
    assert (await reader.get(path, headers=nobody.headers)).json() == {"preferences": []}
    assert (await reader.get("/notifications/inbox", headers=nobody.headers)).json() == {"items": [], "next": None}
    refused = await reader.put(path, json=body, headers=nobody.headers)
    assert (refused.status_code, "correo" in refused.text) == (409, True)
    assert (await reader.get(path)).status_code == 401


async def test_a_reader_finds_their_own_notices_and_nobody_elses(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], reader: httpx.AsyncClient
) -> None:
    _, port = sink
    scene, stranger = Scene(), Scene()
    await take(databases["notifications"], [*scene.all(), *stranger.all()], NOW)
    async with sender(mail_port=port) as service:
        await send_all(service)
    ana, luis = await ana_of(databases, scene), await ana_of(databases, stranger)
    path = "/notifications/inbox"
    assert (await reader.get(f"{path}/unread", headers=ana.headers)).json() == {"count": 1}
    [note] = (await reader.get(path, headers=ana.headers)).json()["items"]
    assert (note["subject"], note["state"], note["read_at"]) == ("welcome", "sent", None)

    html = {"Accept": "text/html"}
    listed = await reader.get("/inbox", headers=ana.headers | html)
    assert f"/inbox/{note['id']}" in listed.text
    assert "1 nuevo" in listed.text
    assert (await reader.get(f"/inbox/{note['id']}", headers=luis.headers | html)).status_code == 404
    other = await reader.post(f"{path}/read", json={"ids": [note["id"]]}, headers=luis.headers)
    assert other.json() == {"count": 0}
    shown = await reader.get(f"/inbox/{note['id']}", headers=ana.headers | html)
    assert (shown.status_code, "Costa y Agave" in shown.text) == (200, True)
    assert (await reader.get(f"{path}/unread", headers=ana.headers)).json() == {"count": 0}
    assert (await reader.post(f"{path}/read", json={}, headers=luis.headers)).json() == {"count": 1}
    assert (await reader.get(f"{path}?after=nonsense", headers=ana.headers)).status_code == 422
    assert (await reader.get(f"{path}?unread=true", headers=ana.headers)).json()["items"] == []
    await reader.put("/notifications/preferences", headers=ana.headers,
                     json={"preferences": [{"topic": "welcome", "mail": True, "inbox": False}]})  # fmt: skip
    assert (await reader.get(path, headers=ana.headers)).json()["items"] == []
