"""Representatives: known by mail, speaking for several, capped, with consent; theirs stays with whom it concerns."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}
PHONE = "+52 81 8123 4567"


class Scene:
    """Two companies of two clusters, with who keeps and who represents them."""

    def __init__(self, client: httpx.AsyncClient, people: dict[str, Somebody], **ids: Any) -> None:
        self.client, self.people, self.ids = client, people, ids
        self.database: Database = client.service.database  # type: ignore[attr-defined]
        self.mark = uuid4().hex[:8]

    async def ask(
        self, method: str, path: str, who: str = "director", match: str | None = "*", **more: Any
    ) -> httpx.Response:
        headers = self.people[who].headers | ({"If-Match": match} if match else {}) | more.pop("headers", {})
        return await self.client.request(method, f"/membership{path}", headers=headers, **more)

    async def add(self, company: str = "ours", who: str = "director", **more: Any) -> httpx.Response:
        body = {"name": "Ana Sol", "mail": f"ana@{self.mark}.example"} | more
        return await self.ask("POST", f"/organizations/{self.ids[company]}/people", who, json=body)

    async def added(self, **more: Any) -> dict[str, Any]:
        answer = await self.add(**more)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        async with self.database.connection() as connection:
            return [tuple(row) for row in await connection.fetch(sql, *values)]


@pytest.fixture
async def scene(client_for: ClientFor) -> Scene:
    client = await client_for("membership")
    mark = uuid4().hex[:8]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    ids: dict[str, Any] = {}
    people: dict[str, Somebody] = {}
    database: Database = client.service.database  # type: ignore[attr-defined]
    for side in ("ours", "theirs"):
        cluster = await made("/membership/clusters", name=f"Clúster {side} {mark}", slug=f"{side}-{mark}", state="JAL")
        company = await made("/membership/organizations", legal_name=f"Moldes {side} {mark}")
        await made("/membership/memberships", organization_id=company["id"], cluster_id=cluster["id"])
        ids |= {side: company["id"], f"{side} cluster": cluster["id"], f"{side} slug": company["slug"]}
        people[f"{side} representative"] = await somebody(
            database, "representative", "organization", UUID(company["id"])
        )
        people[f"{side} director"] = await somebody(database, "cluster_director", "cluster", UUID(cluster["id"]))
    people["director"] = people["ours director"]
    people["coordinator"] = await somebody(database, "coordinator")
    client.headers.pop("Authorization")
    return Scene(client, people, **ids)


async def test_one_mail_is_one_person_whoever_they_speak_for_and_each_side_sees_its_own(scene: Scene) -> None:
    ana = await scene.added(role="quality", phone=PHONE, since="2026-01-05")
    assert (ana["version"], ana["represents"][0]["main"]) == (1, True)
    again = await scene.add(mail=f"ANA@{scene.mark}.example")
    assert (again.status_code, again.json()["field"]) == (409, "mail")
    both = await scene.added(company="theirs", who="theirs director", name="Anita", role="sales")
    assert (both["id"], both["name"], both["version"]) == (ana["id"], "Ana Sol", 2)
    seen = (await scene.ask("GET", f"/people/{ana['id']}", "theirs representative")).json()
    assert [(one["role"], one["phone"]) for one in seen["represents"]] == [("sales", None)]
    ours = (await scene.ask("GET", f"/organizations/{scene.ids['ours']}/people", "ours representative")).json()
    assert [one["phone"] for person in ours for one in person["represents"]] == [PHONE]
    [(payload,)] = await scene.rows(
        "SELECT payload::text FROM outbox WHERE aggregateid = $1 ORDER BY position DESC LIMIT 1", ana["id"]
    )
    assert payload.count('"role"') == 2
    assert "8123" not in payload
    # what concerns both is for who reaches both
    for method, path in (("PATCH", ""), ("DELETE", "?reason=lo+pide"), ("GET", "/export")):
        body = {"mail": "taken@over.example"} if method == "PATCH" else None
        assert (await scene.ask(method, f"/people/{ana['id']}{path}", json=body)).status_code == 403, path
    ended = await scene.ask("POST", f"/organizations/{scene.ids['ours']}/people/{ana['id']}/end",
                            json={"note": "se fue", "effective": "2026-03-01"})  # fmt: skip
    assert (ended.status_code, ended.json()["represents"]) == (200, [])
    assert (await scene.ask("GET", f"/people/{ana['id']}")).status_code == 403
    assert (await scene.ask("GET", f"/organizations/{scene.ids['ours']}/people")).json() == []


async def test_there_is_one_main_contact_and_the_cap_is_named(scene: Scene) -> None:
    at = f"/organizations/{scene.ids['ours']}/people"
    first, second = [await scene.added(name=n, mail=f"{n}@{scene.mark}.example") for n in ("uno", "dos")]
    assert (first["represents"][0]["main"], second["represents"][0]["main"]) == (True, False)
    turned = await scene.ask("POST", f"{at}/{second['id']}/main", "ours representative")
    assert turned.json()["represents"][0]["main"] is True
    mains = {one["name"]: one["represents"][0]["main"] for one in (await scene.ask("GET", at)).json()}
    assert mains == {"uno": False, "dos": True}
    cap = f"/clusters/{scene.ids['ours cluster']}/representatives-cap"
    assert (await scene.ask("PUT", cap, "theirs director", json={"most": 2})).status_code == 403
    assert (await scene.ask("GET", cap)).json()["most"] == 10
    assert (await scene.ask("PUT", cap, json={"most": 2, "since": "2026-01-01"})).status_code == 200
    full = await scene.add(mail=f"tres@{scene.mark}.example")
    assert full.status_code == 409
    assert "a lo más 2" in full.text
    assert (await scene.ask("PUT", cap, json={"most": 3})).status_code == 200
    assert (await scene.add(mail=f"tres@{scene.mark}.example")).status_code == 201


async def test_consent_is_a_history_and_an_erased_person_leaves_only_that_it_was_done(scene: Scene) -> None:
    ana = await scene.added(phone=PHONE, note="la pidió Compras")
    path = f"/people/{ana['id']}"
    for given, why in ((True, "por correo"), (False, "lo pidió por teléfono")):
        answer = await scene.ask("POST", f"{path}/consents", "ours representative",
                                 json={"purpose": "events", "given": given, "note": why})  # fmt: skip
        assert answer.status_code == 201, answer.text
    changed = await scene.ask("PATCH", path, match='"1"', json={"name": "Ana Luna", "note": "se casó"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await scene.ask("PATCH", path, match='"1"', json={"name": "Otra"})).status_code == 412
    assert (await scene.ask("PATCH", path, match=None, json={"name": "Otra"})).status_code == 428
    assert (await scene.ask("GET", f"{path}/export", "ours representative")).status_code == 403
    held = (await scene.ask("GET", f"{path}/export")).json()
    assert [(one["purpose"], one["given"]) for one in held["consents"]] == [("events", True), ("events", False)]
    assert [(one["note"], one["fields"]) for one in held["changes"]][-1] == ("se casó", ["name"])
    assert held["represents"][0]["phone"] == PHONE
    log = "SELECT note, fields::text FROM change_log WHERE aggregate = 'person' AND id = $1 ORDER BY version"
    assert "Luna" not in str(await scene.rows(log, UUID(ana["id"])))
    assert (await scene.ask("DELETE", path)).status_code == 422
    assert (await scene.ask("DELETE", path, params={"reason": "lo pidió"})).status_code == 204
    assert await scene.rows(log, UUID(ana["id"])) == [(None, None), (None, None), ("lo pidió", None)]
    for table in ("person_organization", "consent"):
        assert await scene.rows(f"SELECT * FROM {table} WHERE person_id = $1", UUID(ana["id"])) == []
    assert (await scene.ask("GET", path, "coordinator")).status_code == 404


async def test_bad_input_names_its_field_and_changes_nothing(scene: Scene) -> None:
    ana = await scene.added()
    other = await scene.added(mail=f"eva@{scene.mark}.example")
    at, path = f"/organizations/{scene.ids['ours']}/people/{ana['id']}", f"/people/{ana['id']}"
    for answer, field in (
        (await scene.add(mail="nobody"), "mail"), (await scene.add(name=" "), "name"),
        (await scene.add(role="boss"), "role"), (await scene.add(phone="call me"), "phone"),
        (await scene.add(mail="x@y.example", since="2199-01-01"), "since"), (await scene.add(extra=1), "extra"),
        (await scene.add(name="a\x00b"), "name"), (await scene.add(language="fr"), "language"),
        (await scene.ask("PATCH", path, json={"mail": other["mail"].upper()}), "mail"),
        (await scene.ask("PATCH", at, json={"phone": "1" * 400}), "phone"),
        (await scene.ask("POST", f"{at}/end", json={"note": "x", "effective": "2199-01-01"}), "effective"),
        (await scene.ask("POST", f"{at}/end", json={"note": "x", "effective": "2020-01-01"}), "effective"),
        (await scene.ask("POST", f"{at}/end", json={}), "note"),
        (await scene.ask("POST", f"{path}/consents", json={"purpose": "spam", "given": 1, "note": "x"}), "purpose"),
    ):  # fmt: skip
        assert answer.status_code in (409, 422), answer.text
        assert field in answer.json()["field"], answer.text
    for who in ("theirs director", "theirs representative"):
        assert (await scene.add(who=who)).status_code == 403
        assert (await scene.ask("GET", path, who)).status_code == 403
        assert (await scene.ask("PATCH", at, who, json={"phone": PHONE})).status_code == 403
    assert (await scene.ask("POST", f"/organizations/{scene.ids['theirs']}/people/{ana['id']}/main", "coordinator",
                            )).status_code == 404  # fmt: skip
    assert (await scene.ask("GET", path)).json()["version"] == 1


async def test_a_request_that_is_sent_again_adds_nobody_twice(scene: Scene) -> None:
    body = {"name": "Ana", "mail": f"ana@{scene.mark}.example"}
    key = {"Idempotency-Key": uuid4().hex}
    path = f"/organizations/{scene.ids['ours']}/people"
    twice = [await scene.ask("POST", path, json=body, headers=key) for _ in range(2)]
    assert [one.status_code for one in twice] == [201, 201]
    assert twice[0].json() == twice[1].json()


async def test_the_tab_shows_adds_corrects_consents_and_erases_in_spanish(scene: Scene) -> None:
    tab = f"/organizations/{scene.ids['ours slug']}/people"

    async def page(path: str = "", who: str = "ours representative", **data: str) -> httpx.Response:
        headers = HTML | scene.people[who].headers
        if not data:
            return await scene.client.get(f"{tab}{path}", headers=headers)
        return await scene.client.post(f"{tab}{path}", headers=headers, data=data, follow_redirects=False)

    for path, who, seen in (("", "director", True), ("?tab=memberships", "ours representative", True),
                            ("/capabilities", "theirs director", False),
                            ("", "theirs representative", False)):  # fmt: skip
        shown = await scene.client.get(tab.removesuffix("/people") + path, headers=HTML | scene.people[who].headers)
        assert (tab in shown.text) is seen, (path, who)
    assert "Nadie la representa" in (await page()).text
    refused = await page("/new", name="Ana <b>", mail="nobody", role="quality", language="es", phone="x")
    assert refused.status_code == 422
    assert all(words in refused.text for words in ("Escribe un correo", "Escribe un teléfono", "Ana &lt;b&gt;"))
    mail = f"ana@{scene.mark}.example"
    added = await page("/new", name="Ana Sol", mail=mail, role="quality", language="es", phone=PHONE)
    assert added.status_code == 303, added.text
    listed = (await page()).text
    assert all(words in listed for words in ("Ana Sol", PHONE, "calidad", "contacto principal"))
    [(id_,)] = await scene.rows("SELECT id FROM person WHERE mail_key = $1", mail)
    one = f"/{id_}"
    late = await page(f"{one}/save", name="Otra", mail=mail, role="sales", language="es", phone="", version="0")
    assert late.status_code == 412
    wrong = await page(f"{one}/save", name="", mail=mail, role="sales", language="es", version="1")
    assert (wrong.status_code, "Escribe un nombre" in wrong.text) == (422, True)
    saved = await page(f"{one}/save", name="Ana Luna", mail=mail, role="sales", language="en", phone="", version="1")
    assert saved.status_code == 303, saved.text
    agreed = await page(f"{one}/consent", purpose="events", given="yes", note="por correo", version="1")
    assert agreed.status_code == 303, agreed.text
    shown = await page(one)
    assert all(words in shown.text for words in ("Ana Luna", "ventas", "invitaciones a eventos", "por correo"))
    assert "Borrar en todas partes" not in shown.text
    for who in ("theirs director", "theirs representative"):
        assert (await page(one, who)).status_code == 403
    assert (await page(f"{one}/erasure", note="x")).status_code == 403
    assert (await page(f"{one}/end", note=" ", version="3")).status_code == 422
    assert "Borrar en todas partes" in (await page(one, "director")).text
    assert (await page(f"{one}/erasure", "director", note="x" * 400)).status_code == 422
    assert (await page(f"{one}/erasure", "director", note="lo pidió")).status_code == 303
    assert (await page(one)).status_code == 404
