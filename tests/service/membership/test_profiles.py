"""What an organisation can do: said over JSON and in forms, seen by whom it says, found by its words."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}
WHAT: dict[str, Any] = {"size": "medium", "processes": ["stamping"], "sectors": ["medical"], "products": ["8708.29"],
        "activities": ["scian:336370"]}  # fmt: skip
IATF = {"standard": "iatf_16949", "body": "TÜV Rheinland", "since": "2024-05-02", "until": "2027-05-02"}


class Scene:
    """A company of a cluster with its representative and director, and staff of another cluster."""

    def __init__(self, client: httpx.AsyncClient, company: dict[str, Any], people: dict[str, Somebody]) -> None:
        self.client, self.company, self.people = client, company, people
        self.profile = f"/membership/organizations/{company['id']}/profile"
        self.page = f"/organizations/{company['slug']}"

    async def ask(self, method: str, path: str, who: str = "director", **more: Any) -> httpx.Response:
        headers = self.people[who].headers | more.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **more)

    async def say(self, who: str = "director", match: str = "*", **what: Any) -> httpx.Response:
        return await self.ask("PATCH", self.profile, who, json=what, headers={"If-Match": match})

    async def read(self, who: str = "director") -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("GET", self.profile, who)).json()
        return found


@pytest.fixture
async def scene(client_for: ClientFor) -> Scene:
    client = await client_for("membership")
    mark = uuid4().hex[:8]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    ours, theirs = [
        await made("/membership/clusters", name=f"Clúster {n} {mark}", slug=f"p{n}-{mark}", state="JAL") for n in (1, 2)
    ]
    company = await made("/membership/organizations", legal_name=f"Moldes {mark}", city="Tala", state="JAL")
    await made("/membership/memberships", organization_id=company["id"], cluster_id=ours["id"])
    database: Database = client.service.database  # type: ignore[attr-defined]
    people = {
        "director": await somebody(database, "cluster_director", "cluster", UUID(ours["id"])),
        "representative": await somebody(database, "representative", "organization", UUID(company["id"])),
        "foreign": await somebody(database, "cluster_staff", "cluster", UUID(theirs["id"])),
        "coordinator": await somebody(database, "coordinator"),
    }
    client.headers.pop("Authorization")
    return Scene(client, company, people)


async def test_what_is_said_is_kept_published_and_seen_by_whom_it_says(scene: Scene) -> None:
    said = await scene.say(**WHAT)
    assert (said.status_code, said.headers["etag"]) == (200, '"1"'), said.text
    assert said.json()["products"] == ["870829"]
    certified = await scene.ask("POST", f"/membership/organizations/{scene.company['id']}/certificates", json=IATF)
    assert certified.status_code == 201, certified.text
    foreign = await scene.read("foreign")
    assert (foreign["processes"], foreign["visibility"]) == (["stamping"], None)
    hidden = await scene.say("representative", visibility={"products": "own", "certificates": "cluster"})
    assert hidden.json()["version"] == 3
    readers = ("foreign", "director", "representative", "coordinator")
    assert [(await scene.read(who))["products"] for who in readers] == [[], [], ["870829"], ["870829"]]
    assert [len((await scene.read(who))["certificates"]) for who in ("foreign", "director")] == [0, 1]
    database: Database = scene.client.service.database  # type: ignore[attr-defined]
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT type, version, payload::text AS payload FROM outbox WHERE aggregateid = $1"
            " AND aggregatetype LIKE '%profile%' ORDER BY position", scene.company["id"],
        )  # fmt: skip
    kinds = [row["type"].split(".")[-2] for row in rows]
    assert kinds == ["CapabilitiesDescribed", "ProfileState", "CertificateRecorded", "ProfileState",
                     "VisibilityChanged", "ProfileState"]  # fmt: skip
    assert "870829" not in rows[-1]["payload"]
    assert "TÜV" not in rows[-1]["payload"]


async def test_who_may_not_change_it_and_who_read_an_older_one_change_nothing(scene: Scene) -> None:
    assert (await scene.say("foreign", **WHAT)).status_code == 403
    assert (await scene.say(match='"0"', **WHAT)).status_code == 200
    late = await scene.say(match='"0"', size="large")
    assert late.status_code == 412
    missing = await scene.ask("PATCH", scene.profile, json={"size": "large"})
    assert (missing.status_code, missing.json()["field"]) == (428, "If-Match")
    for body, field in (
        ({"processes": ["black_magic"]}, "processes"), ({"products": ["defensas"]}, "products"),
        ({"size": "huge"}, "size"), ({"parent_id": scene.company["id"]}, "parent_id"),
        ({"parent_id": str(uuid4())}, "parent_id"), ({"visibility": {"name": "own"}}, "visibility"),
    ):  # fmt: skip
        refused = await scene.say(**body)
        assert (refused.status_code, field in str(refused.json()["field"])) == (422, True), refused.text
    found = await scene.read()
    assert (found["size"], found["version"]) == ("medium", 1)
    nobody = await scene.ask("GET", f"/membership/organizations/{uuid4()}/profile")
    assert nobody.status_code == 404


async def test_a_branch_is_of_a_company_that_is_none_itself(scene: Scene) -> None:
    other = (await scene.ask("POST", "/membership/organizations", "coordinator",
                             json={"legal_name": f"Matriz {uuid4().hex}"})).json()  # fmt: skip
    said = await scene.say("coordinator", parent_id=other["id"])
    assert said.status_code == 200, said.text
    refused = await scene.ask("PATCH", f"/membership/organizations/{other['id']}/profile", "coordinator",
                              json={"parent_id": scene.company["id"]}, headers={"If-Match": "*"})  # fmt: skip
    assert (refused.status_code, refused.json()["field"]) == (422, "parent_id")
    page = (await scene.ask("GET", f"/organizations/{other['slug']}/capabilities", "coordinator", headers=HTML)).text
    assert scene.company["trade_name"] in page


async def test_the_forms_say_what_is_wrong_at_the_field_and_keep_what_was_typed(scene: Scene) -> None:
    edit = f"{scene.page}/capabilities/edit"
    first = (await scene.ask("GET", edit, headers=HTML)).text
    assert "troquelado y estampado" in first
    wrong = await scene.ask("POST", edit, headers=HTML, data={
        "version": "0", "products": "8708.29 defensas\ndefensas", "activities": "336370", "processes": ["stamping"],
    })  # fmt: skip
    assert wrong.status_code == 422
    assert 'id="error-products"' in wrong.text
    assert "8708.29 defensas" in wrong.text
    data = {"version": "0", "products": "8708.29 defensas", "activities": "SCIAN 336370\nnaics 336370",
            "processes": ["stamping", "tooling"], "size": "small", "note": "llegó por correo"}  # fmt: skip
    saved = await scene.ask("POST", edit, headers=HTML, data=data)
    assert (saved.status_code, saved.headers["location"]) == (303, f"{scene.page}/capabilities"), saved.text
    page = (await scene.ask("GET", f"{scene.page}/capabilities", headers=HTML)).text
    for words in ("troquelado y estampado", "8708.29", "SCIAN 336370", "NAICS 336370", "% completo", "Falta:"):
        assert words in page, words
    conflict = await scene.ask("POST", edit, headers=HTML, data=data | {"size": "large"})
    assert conflict.status_code == 409
    assert "grande, más de 250" in conflict.text
    assert (await scene.read())["size"] == "small"
    seen = (await scene.ask("GET", f"{scene.page}/capabilities", "foreign", headers=HTML)).text
    assert "Falta:" not in seen
    assert "/capabilities/edit" not in seen


async def test_certificates_and_sites_come_change_and_go_by_their_forms(scene: Scene) -> None:
    paper = {"standard": "iatf_16949", "body": "TÜV", "since": "2024-05-02", "until": "2024-05-01", "number": "7"}
    refused = await scene.ask("POST", f"{scene.page}/certificates/new", headers=HTML, data=paper)
    assert (refused.status_code, 'id="error-until"' in refused.text) == (422, True)
    bare = await scene.ask("POST", f"{scene.page}/certificates/new", headers=HTML, data={"body": "x\x00"})
    assert bare.status_code == 422
    assert all(f'id="error-{name}"' in bare.text for name in ("standard", "body", "since", "until"))
    kept = await scene.ask("POST", f"{scene.page}/certificates/new", headers=HTML, data=paper | {"until": "2027-05-01"})
    assert kept.status_code == 303
    [certificate] = (await scene.read())["certificates"]
    assert certificate["until"] == "2027-05-02"
    form = await scene.ask("GET", f"{scene.page}/certificates/{certificate['id']}", headers=HTML)
    assert 'value="2027-05-01"' in form.text
    place = {"name": "Planta 2", "state": "Chihuahua", "country": "MX", "city": "Cd. Juárez"}
    assert (await scene.ask("POST", f"{scene.page}/sites/new", headers=HTML, data=place)).status_code == 303
    [site] = (await scene.read())["sites"]
    assert (site["state"], site["zone"]) == ("CHH", "America/Chihuahua")
    nowhere = await scene.ask("POST", f"{scene.page}/sites/{site['id']}", headers=HTML,
                              data=place | {"state": "Narnia", "zone": "Mars/Phobos", "version": "2"})  # fmt: skip
    assert (nowhere.status_code, 'id="error-zone"' in nowhere.text) == (422, True)
    late = await scene.ask("POST", f"{scene.page}/sites/{site['id']}/close", headers=HTML, data={"version": "1"})
    assert (late.status_code, len((await scene.read())["sites"])) == (409, 1)
    closed = await scene.ask("POST", f"{scene.page}/sites/{site['id']}/close", headers=HTML, data={"version": "2"})
    assert (closed.status_code, (await scene.read())["sites"]) == (303, [])
    gone = await scene.ask("GET", f"{scene.page}/sites/{site['id']}", headers=HTML)
    assert gone.status_code == 404


async def test_codes_are_looked_up_in_both_languages(scene: Scene) -> None:
    found = await scene.ask("GET", "/membership/codes/processes", params={"q": "prensado"})
    assert found.json() == [{"code": "stamping", "es": "troquelado y estampado", "en": "stamping and pressing"}]
    assert (await scene.ask("GET", "/membership/codes/spells", params={"q": "x"})).status_code == 422
