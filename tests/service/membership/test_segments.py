"""Filters of the register: how many each value would leave, and filters kept under a name."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from services.membership.segments.commands import draw_old
from shared.postgres.pool import Database
from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@pytest.fixture
async def staff(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership")


async def made(staff: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await staff.post(path, json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(page: str, key: str) -> dict[str, int]:
    """The counts beside the values of a filter."""
    found = re.findall(rf'name="{key}" value="([^"]+)"[^>]*><span>[^<]*</span><small>([\d,]+)</small>', page)
    return {value: int(count.replace(",", "")) for value, count in found}


async def test_a_count_beside_a_value_is_what_the_list_has_with_it(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    cluster = await made(staff, "/membership/clusters", name=mark, slug=f"f-{mark}", state="JAL")
    for n, (kind, positions, category) in enumerate(
        [
            ("company", ["tier1"], "associate"),
            ("company", ["tier1", "tier2"], "affiliate"),
            ("university", [], "affiliate"),
        ]
    ):
        one = await made(staff, "/membership/organizations", legal_name=f"{mark} {n}", type=kind, positions=positions)
        await made(staff, "/membership/memberships", organization_id=one["id"], cluster_id=cluster["id"],
                   category=category)  # fmt: skip
    await made(staff, "/membership/organizations", legal_name=f"{mark} sin clúster")
    seen = (await staff.get("/register", params={"q": mark}, headers=HTML)).text
    assert counts(seen, "type") == {"company": 3, "university": 1, "research_centre": 0, "government": 0,
                                    "association": 0}  # fmt: skip
    assert counts(seen, "position")["tier1"] == 2 and counts(seen, "position")["tier2"] == 1
    assert counts(seen, "standing")["applied"] == 3 and counts(seen, "cluster")[f"f-{mark}"] == 0
    asked = {"q": mark, "standing": "applied"}
    seen = (await staff.get("/register", params=asked, headers=HTML)).text
    assert counts(seen, "cluster")[f"f-{mark}"] == 3 and counts(seen, "category")["affiliate"] == 2
    narrowed = asked | {"category": "affiliate", "type": "company"}
    seen = (await staff.get("/register", params=narrowed, headers=HTML)).text
    assert counts(seen, "type")["university"] == 1 and counts(seen, "category")["associate"] == 1
    for key in ("type", "category", "position", "cluster", "standing"):
        for value, count in counts(seen, key).items():
            with_it = (await staff.get("/register", params=narrowed | {key: value}, headers=HTML)).text
            rows = len(re.findall(r'<th scope=row[^>]*><div>\s*<a href="/organizations/', with_it))
            assert rows == count, (key, value)


async def test_filters_are_kept_under_a_name_found_again_and_forgotten(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    await made(staff, "/membership/organizations", legal_name=f"Uno {mark}", positions=["tier2"])
    page = await staff.get("/register/segments", params={"q": mark, "position": "tier2", "sort": "name"}, headers=HTML)
    assert f"q={mark}&amp;position=tier2" in page.text
    sent = {"query": f"q={mark}&position=tier2&sort=name", "name": f"Tier 2 {mark}"}
    assert (await staff.post("/register/segments", data=sent, headers=HTML)).status_code == 303
    twice = await staff.post("/register/segments", data=sent, headers=HTML)
    assert twice.status_code == 409 and "error-name" in twice.text
    for wrong in ({"name": " "}, {"name": "x" * 81}, {"query": "sort=name"}, {"query": "q=\x00"}):
        answer = await staff.post("/register/segments", data={**sent, "name": f"b {mark}", **wrong}, headers=HTML)
        assert answer.status_code == 422, wrong
    listed = await staff.get("/register/segments", headers=HTML)
    assert f"Tier 2 {mark}" in listed.text
    [kept] = [one for one in (await staff.get("/membership/segments")).json() if one["name"] == f"Tier 2 {mark}"]
    assert kept["filters"] == {"q": mark, "position": "tier2"}
    register = await staff.get(kept["address"], headers=HTML)
    assert f"Uno {mark}" in register.text
    gone = await staff.post(f"/register/segments/{kept['id']}/remove", headers=HTML)
    assert gone.status_code == 303
    assert (await staff.delete(f"/membership/segments/{kept['id']}")).status_code == 404


async def test_a_cluster_keeps_its_segments_to_itself(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    mine = await made(staff, "/membership/clusters", name=mark, slug=f"g-{mark}", state="JAL")
    database = staff.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", UUID(mine["id"]))
    foreign = await somebody(database, "cluster_director", "cluster", uuid4())
    staff.headers.pop("Authorization")
    body = {"name": f"S {mark}", "filters": {"type": "company"}, "cluster_id": mine["id"]}
    kept = await staff.post("/membership/segments", json=body, headers=director.headers)
    assert kept.status_code == 201, kept.text
    assert (await staff.post("/membership/segments", json=body, headers=foreign.headers)).status_code == 403
    assert (await staff.post("/membership/segments", json=body | {"cluster_id": None},
                             headers=director.headers)).status_code == 403  # fmt: skip
    names = [one["name"] for one in (await staff.get("/membership/segments", headers=foreign.headers)).json()]
    assert f"S {mark}" not in names
    path = f"/membership/segments/{kept.json()['id']}"
    assert (await staff.delete(path, headers=foreign.headers)).status_code == 404
    assert (await staff.delete(path, headers=director.headers)).status_code == 204


async def test_whom_a_segment_holds_is_drawn_and_told_without_its_name(
    staff: httpx.AsyncClient, databases: dict[str, Database]
) -> None:
    mark = uuid4().hex[:8]
    here, there = [await made(staff, "/membership/clusters", name=f"{mark} {n}", slug=f"d{n}-{mark}", state="JAL")
                   for n in (1, 2)]  # fmt: skip
    ids = []
    for n, (cluster, joins) in enumerate([(here, True), (here, False), (there, True)]):
        one = await made(staff, "/membership/organizations", legal_name=f"{mark} {n}", type="university")
        ids.append(one["id"])
        await made(staff, "/membership/memberships", organization_id=one["id"], cluster_id=cluster["id"],
                   category="affiliate")  # fmt: skip
        if joins:
            await join(staff, one["id"])
    kept = await made(staff, "/membership/segments", name=mark, cluster_id=here["id"],
                      filters={"type": "university", "q": mark})  # fmt: skip
    network = await made(staff, "/membership/segments", name=mark, filters={"type": "university", "q": mark})
    asked = await made(staff, "/membership/segments", name=f"{mark} solicitudes",
                       filters={"standing": "applied", "q": mark})  # fmt: skip

    async def told(segment: dict[str, Any]) -> list[Any]:
        async with databases["membership"].connection() as connection:
            rows = await connection.fetch(
                "SELECT payload FROM outbox WHERE aggregateid = $1 ORDER BY version", segment["id"]
            )
        return [row["payload"] and orjson.loads(row["payload"]) for row in rows]

    assert [one["organization_ids"] for one in await told(kept)] == [[ids[0]]]
    assert sorted((await told(network))[0]["organization_ids"]) == sorted([ids[0], ids[2]])
    assert (await told(asked))[0]["organization_ids"] == [ids[1]]
    assert mark not in str(await told(kept))
    assert kept["organizations"] == 1

    await join(staff, ids[1])
    again = await made(staff, f"/membership/segments/{kept['id']}/draw")
    assert again["organizations"] == 2
    assert len((await told(kept))[-1]["organization_ids"]) == 2
    assert (await staff.delete(f"/membership/segments/{kept['id']}")).status_code == 204
    assert (await told(kept))[-1] is None


async def join(staff: httpx.AsyncClient, organization: str) -> None:
    found = await staff.get("/membership/memberships", params={"organization_id": organization})
    for step in ("approve", "activate"):
        await made(staff, f"/membership/memberships/{found.json()['items'][0]['id']}/{step}")


async def test_each_day_the_segments_are_drawn_again(client_for: ClientFor, databases: dict[str, Database]) -> None:
    now = datetime(2026, 3, 12, 18, tzinfo=UTC)
    staff = await client_for("membership", clock=lambda: now)
    mark = uuid4().hex[:8]
    one = await made(staff, "/membership/organizations", legal_name=mark, type="university")
    cluster = await made(staff, "/membership/clusters", name=mark, slug=f"e-{mark}", state="JAL")
    kept = await made(staff, "/membership/segments", name=mark, filters={"q": mark})
    assert kept["organizations"] == 0
    await made(staff, "/membership/memberships", organization_id=one["id"], cluster_id=cluster["id"],
               category="affiliate")  # fmt: skip
    await join(staff, one["id"])
    later = now + timedelta(days=1)
    async with databases["membership"].unit(actor="job", cause="segments", now=later) as unit:
        while await draw_old(unit, datetime(2026, 3, 13, 6, tzinfo=UTC), today=later.date()):
            pass
    found = next(row for row in (await staff.get("/membership/segments")).json() if row["id"] == kept["id"])
    assert (found["organizations"], found["drawn_at"]) == (1, "2026-03-13T18:00:00Z")
