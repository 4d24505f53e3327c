"""One organisation as a page: changed with a reason, conflicts shown, steps taken, history within reach."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}


class Scene:
    """A company that applied to a cluster, that cluster's director, and staff of another one."""

    def __init__(self, client: httpx.AsyncClient, **found: Any) -> None:
        self.client = client
        self.company: dict[str, Any] = found["company"]
        self.membership: dict[str, Any] = found["membership"]
        self.cluster: dict[str, Any] = found["cluster"]
        self.other: dict[str, Any] = found["other"]
        self.director: Somebody = found["director"]
        self.foreign: Somebody = found["foreign"]
        self.mark: str = found["mark"]

    async def get(self, path: str = "", who: Somebody | None = None) -> httpx.Response:
        address = f"/organizations/{self.company['slug']}{path}"
        return await self.client.get(address, headers=HTML | (who or self.director).headers)

    async def post(self, path: str, who: Somebody | None = None, **data: Any) -> httpx.Response:
        address = f"/organizations/{self.company['slug']}{path}"
        return await self.client.post(address, data=data, headers=HTML | (who or self.director).headers)

    def form(self, **changed: Any) -> dict[str, Any]:
        fields = ("legal_name", "trade_name", "type", "country", "version")
        return {name: self.company[name] for name in fields} | {"positions": ["tier2"]} | changed


@pytest.fixture
async def scene(client_for: ClientFor) -> Scene:
    client = await client_for("membership")
    mark = uuid4().hex[:8]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    cluster, other = [
        await made("/membership/clusters", name=f"Clúster {n} {mark}", slug=f"k{n}-{mark}", state="JAL") for n in (1, 2)
    ]
    company = await made("/membership/organizations", legal_name=f"Moldes {mark}, S.A.", trade_name=f"Moldes {mark}")
    membership = await made(
        "/membership/memberships", organization_id=company["id"], cluster_id=cluster["id"], note=f"porque {mark}"
    )
    database: Database = client.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", UUID(cluster["id"]))
    foreign = await somebody(database, "cluster_staff", "cluster", UUID(other["id"]))
    client.headers.pop("Authorization")
    return Scene(client, company=company, membership=membership, cluster=cluster, other=other, director=director,
                 foreign=foreign, mark=mark)  # fmt: skip


async def test_who_saves_from_an_older_page_sees_both_values_and_may_save_theirs_knowingly(scene: Scene) -> None:
    assert 'name="version" value="1"' in (await scene.get("/edit")).text
    first = await scene.post("/edit", **scene.form(city="Tala", note="se mudó"))
    assert (first.status_code, first.headers["location"]) == (303, f"/organizations/{scene.company['slug']}")
    second = await scene.post("/edit", **scene.form(city="Tonalá", note="se mudó"))
    assert second.status_code == 409
    assert "<td>Tala</td><td>Tonalá</td>" in second.text
    now = second.text.partition('name="version" value="')[2].partition('"')[0]
    assert "Tala" in (await scene.get()).text, "nothing of the second was saved"
    again = await scene.post("/edit", **scene.form(city="Tonalá", version=now, confirmed="yes"))
    assert again.status_code == 303
    assert "Tonalá" in (await scene.get()).text
    history = (await scene.get("?tab=history")).text
    assert "Tala → Tonalá" in history and "se mudó" in history


@pytest.mark.parametrize(
    ("changed", "status", "told"),
    [
        ({"legal_name": " "}, 422, "error-legal_name"),
        ({"legal_name": "x\x00"}, 422, "error-legal_name"),
        ({"type": "armadora"}, 422, "Elige de la lista"),
        ({"country": "Mexico"}, 422, "error-country"),
        ({"tax_number": "XXX"}, 422, "error-tax_number"),
        ({"tax_number": "ZZÑ260101AB1"}, 200, "warning-tax_number"),
        ({"version": "x"}, 422, "Abre la página de nuevo"),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_what_is_doubtful_is_asked(
    scene: Scene, changed: dict[str, Any], status: int, told: str
) -> None:
    answer = await scene.post("/edit", **scene.form(**changed))
    assert answer.status_code == status, answer.text
    assert told in answer.text
    unchanged = await scene.client.get(f"/membership/organizations/{scene.company['id']}",
                                       headers=scene.director.headers)  # fmt: skip
    assert unchanged.json()["version"] == 1


async def test_the_director_approves_and_brings_into_force_and_others_may_not(scene: Scene) -> None:
    path = f"/memberships/{scene.membership['id']}"
    page = (await scene.get("?tab=memberships")).text
    assert f"{path}/approve" in page and f"{path}/activate" not in page
    assert f"porque {scene.mark}" not in (await scene.get("?tab=history", scene.foreign)).text
    assert ">solicitud<" not in (await scene.get("?tab=memberships", scene.foreign)).text
    assert (await scene.post(f"{path}/approve", scene.foreign, version="1")).status_code == 403
    stale = await scene.post(f"{path}/approve", version="7")
    assert stale.status_code == 409 and "entretanto" in stale.text
    assert (await scene.post(f"{path}/activate", version="1")).status_code == 409, "it has to be approved first"
    assert (await scene.post(f"{path}/approve", version="1", note="x" * 301)).status_code == 422
    assert (await scene.post(f"{path}/approve", version="1", note="buena empresa")).status_code == 303
    assert (await scene.post(f"{path}/activate", version="2")).status_code == 303
    assert "asociado" in (await scene.get("?tab=memberships", scene.foreign)).text
    history = (await scene.get("?tab=history")).text
    assert "buena empresa" in history and f"porque {scene.mark}" in history
    assert "buena empresa" not in (await scene.get("?tab=history", scene.foreign)).text


async def test_a_company_applies_to_a_cluster_where_the_reader_may_apply_for_it(scene: Scene) -> None:
    page = (await scene.get("?tab=memberships", scene.foreign)).text
    assert scene.other["id"] in page and f'value="{scene.cluster["id"]}"' not in page
    assert (await scene.post("/apply", scene.foreign, cluster=scene.cluster["id"])).status_code == 403
    assert (await scene.post("/apply", scene.foreign, cluster="x")).status_code == 422
    assert (await scene.post("/apply", scene.foreign, cluster=scene.other["id"])).status_code == 303
    again = await scene.post("/apply", scene.foreign, cluster=scene.other["id"])
    assert again.status_code == 409


async def test_a_branch_belongs_where_its_company_does_with_its_dates(scene: Scene) -> None:
    path = f"/membership/memberships/{scene.membership['id']}"
    staff = await somebody(scene.client.service.database, "coordinator")  # type: ignore[attr-defined]
    body = {"legal_name": f"Planta Dos {scene.mark}"}
    branch = (await scene.client.post("/membership/organizations", json=body, headers=staff.headers)).json()
    profile = f"/membership/organizations/{branch['id']}/profile"
    said = await scene.client.patch(
        profile, json={"parent_id": scene.company["id"]}, headers=staff.headers | {"If-Match": "*"}
    )
    assert said.status_code == 200, said.text

    async def page() -> str:
        address = f"/organizations/{branch['slug']}?tab=memberships"
        return (await scene.client.get(address, headers=HTML | scene.foreign.headers)).text

    async def found() -> list[str]:
        answer = await scene.client.get("/membership/directory", params={"q": scene.mark}, headers=staff.headers)
        return sorted(one["trade_name"] for one in answer.json()["items"])

    assert "Como sucursal de" not in await page() and await found() == []
    for step in ("approve", "activate"):
        done = await scene.client.post(f"{path}/{step}", json={}, headers=scene.director.headers)
        assert done.status_code == 200, done.text
    shown = await page()
    assert "Como sucursal de" in shown and scene.company["trade_name"] in shown and scene.cluster["name"] in shown
    assert await found() == [f"Moldes {scene.mark}", f"Planta Dos {scene.mark}"]


async def test_the_history_tells_that_a_representative_changed_and_never_who(scene: Scene) -> None:
    person = {
        "note": f"sustituye a Ana {scene.mark}",
        "name": f"Eva {scene.mark}",
        "mail": f"eva@{scene.mark}.example",
        "role": "quality",
    }
    address = f"/membership/organizations/{scene.company['id']}/people"
    added = await scene.client.post(address, json=person, headers=scene.director.headers)
    assert added.status_code == 201, added.text
    history = (await scene.get("?tab=history")).text
    assert "representante: " in history and "sustituye" not in history and person["name"] not in history
    assert "representante:" not in (await scene.get("?tab=history", scene.foreign)).text


async def test_so_others_see_it_shows_nothing_private(scene: Scene) -> None:
    seen = (await scene.get("?tab=memberships&seen_by=others")).text
    assert ">solicitud<" not in seen and "Aprobar" not in seen
    assert ">solicitud<" in (await scene.get("?tab=memberships")).text


async def test_the_history_is_read_as_json_within_reach(scene: Scene) -> None:
    async def asked(aggregate: str, id_: str, who: Somebody) -> httpx.Response:
        return await scene.client.get(f"/membership/history/{aggregate}/{id_}", headers=who.headers)

    found = await asked("membership", scene.membership["id"], scene.director)
    assert [one["note"] for one in found.json()["items"]] == [f"porque {scene.mark}"]
    assert (await asked("membership", scene.membership["id"], scene.foreign)).status_code == 403
    assert (await asked("membership", str(UUID(int=1)), scene.director)).status_code == 404
    assert (await asked("person", scene.company["id"], scene.director)).status_code == 422
