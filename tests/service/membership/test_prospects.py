"""Companies that may join: noted, taken on, applied or lost; their names stay with the cluster."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@dataclass
class Desk:
    """A cluster with its director."""

    client: httpx.AsyncClient
    cluster: str
    director: Somebody
    mark: str

    async def ask(self, method: str, path: str, who: Somebody | None = None, **more: Any) -> httpx.Response:
        headers = {**(who or self.director).headers, **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def noted(self, name: str) -> str:
        body = {"cluster_id": self.cluster, "name": name, "source": "event", "contact_name": "Eva Luna",
                "contact_mail": f"eva@{self.mark}.example", "next_step": "llamar", "due": "2026-12-01"}  # fmt: skip
        answer = await self.ask("POST", "/membership/prospects", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def facts(self, prospect: str) -> list[tuple[str, int, dict[str, Any]]]:
        async with self.client.service.database.connection() as connection:  # type: ignore[attr-defined]
            rows = await connection.fetch(
                "SELECT type, version, payload::text AS payload FROM outbox WHERE aggregateid = $1 ORDER BY position",
                prospect,
            )
        return [(row["type"].split(".")[-2], row["version"], orjson.loads(row["payload"])) for row in rows]


@pytest.fixture
async def desk(client_for: ClientFor) -> AsyncIterator[Desk]:
    client = await client_for("membership")
    mark = uuid4().hex[:8]
    made = await client.post("/membership/clusters", json={"name": mark, "slug": f"p-{mark}", "state": "JAL"})
    cluster = made.json()["id"]
    database = client.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", UUID(cluster))
    client.headers.pop("Authorization")
    yield Desk(client, cluster, director, mark)


async def test_a_prospect_that_applies_is_registered_with_its_application(desk: Desk) -> None:
    prospect = await desk.noted(f"Forjas {desk.mark}")
    changed = await desk.ask("PUT", f"/membership/prospects/{prospect}",
                             json={"name": f"Forjas {desk.mark}", "source": "member", "city": "Tala"})  # fmt: skip
    assert changed.status_code == 200 and changed.json()["next_step"] is None
    applied = await desk.ask("POST", f"/membership/prospects/{prospect}/apply")
    assert applied.status_code == 200, applied.text
    id_ = applied.json()["organization_id"]
    one = (await desk.ask("GET", f"/membership/organizations/{id_}")).json()
    assert (one["legal_name"], one["city"], one["state"]) == (f"Forjas {desk.mark}", "Tala", "JAL")
    memberships = (await desk.ask("GET", f"/membership/memberships?organization_id={id_}")).json()["items"]
    assert [m["standing"] for m in memberships] == ["applied"]
    assert (await desk.ask("POST", f"/membership/prospects/{prospect}/apply")).status_code == 409
    lost = await desk.ask("POST", f"/membership/prospects/{prospect}/lose", json={"reason": "x"})
    assert lost.status_code == 409
    facts = await desk.facts(prospect)
    assert [(name, version) for name, version, _ in facts] == [("ProspectNoted", 1), ("ProspectApplied", 2)]
    assert desk.mark not in orjson.dumps([payload for *_, payload in facts]).decode()


async def test_one_that_is_given_up_says_why(desk: Desk) -> None:
    prospect = await desk.noted("Moldes")
    silent = await desk.ask("POST", f"/membership/prospects/{prospect}/lose", json={"reason": " "})
    assert silent.status_code == 422
    lost = await desk.ask("POST", f"/membership/prospects/{prospect}/lose", json={"reason": "muy caro"})
    assert (lost.json()["state"], lost.json()["reason"]) == ("lost", "muy caro")
    listed = (await desk.ask("GET", "/membership/prospects?state=open")).json()
    assert prospect not in [one["id"] for one in listed]


async def test_another_cluster_sees_nothing_of_them(desk: Desk) -> None:
    prospect = await desk.noted(f"Secreta {desk.mark}")
    database = desk.client.service.database  # type: ignore[attr-defined]
    foreign = await somebody(database, "cluster_staff", "cluster", uuid4())
    for path in ("/membership/prospects", "/prospects", "/prospects.csv"):
        assert desk.mark not in (await desk.ask("GET", path, foreign)).text
    for method, path in (("PUT", ""), ("POST", "/apply"), ("POST", "/lose")):
        answer = await desk.ask(method, f"/membership/prospects/{prospect}{path}", foreign, json={})
        assert answer.status_code == 404, path
    assert (await desk.ask("GET", f"/prospects/{prospect}", foreign, headers=HTML)).status_code == 404
    body = {"cluster_id": desk.cluster, "name": "x"}
    assert (await desk.ask("POST", "/membership/prospects", foreign, json=body)).status_code == 403


async def test_the_pages_take_it_from_the_first_word_to_the_application(desk: Desk) -> None:
    form = {"cluster": desk.cluster, "name": f"Rodamientos {desk.mark}", "source": "agency", "due": "2026-12-24"}
    for wrong, field in (({"name": " "}, "name"), ({"due": "mañana"}, "due"), ({"contact_mail": "x"}, "contact_mail"),
                         ({"source": "dream"}, "source"), ({"cluster": "x"}, "cluster")):  # fmt: skip
        answer = await desk.ask("POST", "/prospects/new", headers=HTML, data=form | wrong)
        assert answer.status_code == 422 and f"error-{field}" in answer.text, field
    made = await desk.ask("POST", "/prospects/new", headers=HTML, data=form)
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    assert f"Rodamientos {desk.mark}" in (await desk.ask("GET", "/prospects?state=open", headers=HTML)).text
    saved = await desk.ask("POST", page, headers=HTML, data=form | {"next_step": "visita"})
    assert saved.status_code == 303 and "visita" in (await desk.ask("GET", page, headers=HTML)).text
    silent = await desk.ask("POST", f"{page}/lose", headers=HTML, data={"reason": ""})
    assert silent.status_code == 422 and "error-reason" in silent.text
    applied = await desk.ask("POST", f"{page}/apply", headers=HTML)
    assert applied.status_code == 303 and applied.headers["location"].startswith("/organizations/")
    again = await desk.ask("POST", f"{page}/apply", headers=HTML)
    assert again.status_code == 409 and "ya no es prospecto" in again.text.lower()
    assert f"Rodamientos {desk.mark}" in (await desk.ask("GET", "/prospects.csv")).text
