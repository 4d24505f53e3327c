"""The directory: found by words of both languages, narrowed by facets whose counts are true, seen as companies say."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}


class Network:
    """Four companies of one cluster, of which three press steel, and a representative of the first."""

    def __init__(self, client: httpx.AsyncClient, mark: str, companies: list[dict[str, Any]], cluster: str) -> None:
        self.client, self.mark, self.companies, self.cluster = client, mark, companies, cluster
        self.reader: Somebody

    async def find(self, q: str = "", **facets: Any) -> tuple[list[str], dict[str, Any]]:
        answer = await self.client.get(
            "/membership/directory", params={"q": f"{self.mark} {q}", **facets}, headers=self.reader.headers
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["total"] == len(page["items"])
        return [one["trade_name"].split()[0] for one in page["items"]], page["facets"]

    async def page(self, path: str = "/directory", who: Somebody | None = None, **params: Any) -> httpx.Response:
        headers = HTML | (self.reader.headers if who is None else who.headers)
        return await self.client.get(path, params={"q": self.mark, **params}, headers=headers)


@pytest.fixture
async def network(client_for: ClientFor) -> Network:
    client = await client_for("membership")
    mark = f"z{uuid4().hex[:9]}"

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    cluster = await made("/membership/clusters", name=f"Clúster {mark}", slug=mark, state="JAL")
    companies = []
    for name, state, city, processes, level in (
        ("Alfa", "JAL", "Tonalá", ["stamping"], "network"), ("Beta", "JAL", "Tala", ["stamping", "welding"], "public"),
        ("Gamma", "NLE", "Apodaca", ["stamping"], "own"), ("Delta", "NLE", "Apodaca", ["forging"], "network"),
    ):  # fmt: skip
        company = await made("/membership/organizations", legal_name=f"{name} {mark}", state=state, city=city)
        membership = await made("/membership/memberships", organization_id=company["id"], cluster_id=cluster["id"])
        for step in ("approve", "activate"):
            await made(f"/membership/memberships/{membership['id']}/{step}")
        answer = await client.patch(
            f"/membership/organizations/{company['id']}/profile", headers={"If-Match": "*"},
            json={"processes": processes, "sectors": ["mining"], "visibility": {"processes": level}},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        companies.append(company)
    for days, company in ((("2020-01-01", "2099-01-01"), companies[0]), (("2020-01-01", "2021-01-01"), companies[1])):
        await made(f"/membership/organizations/{company['id']}/certificates", standard="iatf_16949", body="TÜV",
                   since=days[0], until=days[1])  # fmt: skip
    applied = await made("/membership/organizations", legal_name=f"Epsilon {mark}")
    await made("/membership/memberships", organization_id=applied["id"], cluster_id=cluster["id"])
    found = Network(client, mark, companies, mark)
    database: Database = client.service.database  # type: ignore[attr-defined]
    found.reader = await somebody(database, "representative", "organization", UUID(companies[0]["id"]))
    client.headers.pop("Authorization")
    return found


async def test_words_of_either_language_and_of_places_find_who_shows_it(network: Network) -> None:
    for words in ("troquelado", "PRENSADO", "stamping", "presses steel", "estampado mineria"):
        assert (await network.find(words))[0] == ["Alfa", "Beta"], words
    assert (await network.find("tonala"))[0] == ["Alfa"]
    assert (await network.find("Nuevo León forja"))[0] == ["Delta"]
    assert (await network.find("troquelado 100%_"))[0] == []
    assert (await network.find())[0] == ["Alfa", "Beta", "Delta", "Gamma"], "who only applied is not in it"


async def test_a_count_beside_a_value_is_what_there_is_with_it(network: Network) -> None:
    _, facets = await network.find()
    assert facets["process"] == {"stamping": 2, "welding": 1, "forging": 1}
    assert facets["state"] == {"JAL": 2, "NLE": 2}
    assert facets["standard"] == {"iatf_16949": 1}, "one that ended does not count"
    names, facets = await network.find(process="stamping")
    assert names == ["Alfa", "Beta"]
    assert facets["process"] == {"stamping": 2, "welding": 1, "forging": 1}
    assert facets["state"] == {"JAL": 2}
    names, facets = await network.find(process=["stamping", "forging"], state="NLE")
    assert (names, facets["process"]) == (["Delta"], {"forging": 1})
    for facet, values in (await network.find())[1].items():
        for value, count in values.items():
            assert len((await network.find(**{facet: value}))[0]) == count, (facet, value)


async def test_pages_lead_on_and_back_and_files_hold_all(network: Network) -> None:
    first = (await network.client.get("/membership/directory", params={"q": network.mark, "limit": 3},
                                      headers=network.reader.headers)).json()  # fmt: skip
    rest = (await network.client.get("/membership/directory",
                                     params={"q": network.mark, "limit": 3, "after": first["next"]},
                                     headers=network.reader.headers)).json()  # fmt: skip
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [3, 1, None]
    csv = await network.page("/directory.csv")
    assert (csv.status_code, csv.text.count(network.mark)) == (200, 4 * 2 + 4)
    assert "troquelado y estampado" in csv.text
    lost = await network.page(after="nowhere")
    assert lost.status_code == 422


async def test_table_cards_and_map_show_the_same_companies_and_who_is_near(network: Network) -> None:
    table = (await network.page()).text
    assert table.count("en tu ciudad") == 1
    assert table.count("en tu estado") == 1
    assert "Cerca de mí: Jalisco" in table
    cards = (await network.page(view="cards")).text
    for one in network.companies:
        assert one["trade_name"] in table
        assert one["trade_name"] in cards
    drawn = (await network.page(view="map")).text
    assert "<title>Jalisco: 2</title>" in drawn
    assert drawn.count("<path") >= 32
    none = (await network.page(process="stamping", state="NLE")).text
    assert "Ninguna con estos filtros" in none
    assert "da 2" in none


async def test_the_public_sees_what_companies_show_in_public_and_nothing_else(network: Network) -> None:
    nobody = await network.client.get("/companies", params={"q": network.mark}, headers=HTML)
    assert nobody.status_code == 200
    assert "Beta" in nobody.text
    assert "soldadura" in nobody.text
    for hidden in ("Alfa", "Gamma", "Delta", "minería", "/organizations/"):
        assert hidden not in nobody.text, hidden
    assert (
        "Beta"
        not in (await network.client.get("/companies", params={"q": f"{network.mark} mineria"}, headers=HTML)).text
    )
    assert (await network.client.get("/directory", headers={"Accept": "application/json"})).status_code == 401
