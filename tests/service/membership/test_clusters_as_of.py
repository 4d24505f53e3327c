"""The clusters of the network on any day: nine in 2019, ten late in 2020, eleven today, with who directs them."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid4

from services.membership import demo
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}


async def test_the_network_has_as_many_clusters_as_it_had_on_the_day(client_for: ClientFor) -> None:
    client = await client_for("membership", clock=lambda: datetime(2026, 3, 31, 18, tzinfo=UTC))
    await demo.make(client.service)  # type: ignore[attr-defined]
    ours = {cluster.slug for cluster in demo.CLUSTERS}

    async def count(**asked: str) -> int:
        page = (await client.get("/membership/clusters", params={"limit": 500, **asked})).json()
        return len(ours & {one["slug"] for one in page["items"]})

    days = ("2019-12-31", "2020-08-31", "2020-09-01", "2020-12-31", "2026-03-31")
    assert [await count(as_of=day) for day in days] == [9, 9, 10, 10, 11]
    assert await count(as_of="2018-12-31") == 0
    refused = await client.get("/membership/clusters", params={"as_of": "2020-13-01"})
    assert (refused.status_code, "as_of" in refused.text) == (422, True)


async def test_the_page_says_since_when_and_the_staff_who_directs(client_for: ClientFor) -> None:
    client = await client_for("membership")
    mark = uuid4().hex[:8]
    made = await client.post(
        "/membership/clusters", json={"name": f"Clúster {mark}", "slug": mark, "state": "JAL", "since": "2020-09-01"}
    )
    assert made.status_code == 201, made.text
    invited = await client.post(
        "/membership/accounts",
        json={"mail": f"d{mark}@red.example", "role": "cluster_director", "name": f"Rebeca {mark}",
              "cluster_id": made.json()["id"], "since": "2021-01-01"},
    )  # fmt: skip
    assert invited.status_code == 201, invited.text
    database: Database = client.service.database  # type: ignore[attr-defined]
    staff = await somebody(database, "cluster_staff", "cluster", UUID(made.json()["id"]), since=date(2020, 1, 1))
    partner = await somebody(database, "partner")
    client.headers.pop("Authorization")
    page = (await client.get("/clusters", headers=HTML | staff.headers)).text
    assert f"Clúster {mark}" in page
    assert f"Rebeca {mark}" in page
    assert "1 sept 2020" in page or "1 sep 2020" in page
    before = (await client.get("/clusters", params={"as_of": "2020-12-31"}, headers=HTML | staff.headers)).text
    assert f"Clúster {mark}" in before
    assert f"Rebeca {mark}" not in before
    assert (
        mark not in (await client.get("/clusters", params={"as_of": "2020-08-31"}, headers=HTML | staff.headers)).text
    )
    assert f"Rebeca {mark}" not in (await client.get("/clusters", headers=HTML | partner.headers)).text
    file = await client.get("/clusters.csv", headers=staff.headers)
    assert (file.status_code, f"Rebeca {mark}" in file.text) == (200, True)
