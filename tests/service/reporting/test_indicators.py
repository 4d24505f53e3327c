"""Indicators over Postgres against a naive reading of the same facts, and the golden cases of the field."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.reporting.catalogue import views
from services.reporting.catalogue.domain import CATALOGUE
from services.reporting.catalogue.views import Asked
from shared.messaging.events import Event
from shared.postgres.pool import Database, Unit
from tests.service.reporting.conftest import fill
from tests.service.reporting.test_register import small_world
from tests.service.reporting.world import START, World, events
from tests.stack.database import Cluster

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
NOW = datetime(2026, 6, 1, 18, tzinfo=UTC)


def naive_members(facts: list[Event], asked: Asked) -> dict[UUID, tuple[UUID, UUID, str]]:
    """Memberships in force: id -> (organisation, cluster, category), read off the facts one by one."""
    found: dict[UUID, tuple[UUID, UUID, str]] = {}
    for e in sorted(facts, key=lambda e: e.version):
        if asked.known_on is not None and e.time > asked.known_on:
            continue
        name, key = e.type.split(".")[-2], getattr(e.data, "membership_id", None)
        if key is None or e.effective is None or e.effective > asked.as_of:
            continue
        value = (e.data.organization_id, e.data.cluster_id, e.data.category)
        if name == "MembershipActivated" or (name == "MembershipCategoryChanged" and key in found):
            found[key] = value
        elif name == "MembershipResigned":
            found.pop(key, None)
    return {k: v for k, v in found.items() if asked.cluster in (None, v[1])}


def naive_places(facts: list[Event], asked: Asked) -> tuple[dict[UUID, str], dict[UUID, list[str]]]:
    """Organisation -> state, and -> positions, on the day."""
    states: dict[UUID, str] = {}
    positions: dict[UUID, list[str]] = {}
    for e in sorted(facts, key=lambda e: e.version):
        if ".Organization" not in e.type or (asked.known_on is not None and e.time > asked.known_on):
            continue
        key, day = e.data.organization_id, asked.as_of
        if e.version == 1 or e.effective is None or e.effective <= day:
            states[key] = f"MX-{e.data.state}" if e.data.state else "unknown"
        positions[key] = sorted(
            {p.position for p in e.data.positions if p.since <= day and (p.until is None or day < p.until)}
        ) or ["none"]
    return states, positions


@pytest.mark.parametrize("seed", range(6))
async def test_an_indicator_is_what_a_naive_reading_of_the_facts_gives(unit: Unit, seed: int) -> None:
    world, chance = small_world(seed, memberships=12), random.Random(seed)
    await fill(unit, world)
    facts = events(world.items)
    clusters = [e.data.cluster_id for e in facts if e.type.endswith("ClusterFounded.v1")]
    for _ in range(12):
        asked = Asked(
            date(2026, 1, 1) + timedelta(days=chance.randrange(-25, 25)),
            chance.choice([None, START + timedelta(days=chance.randrange(-1, 14))]),
            chance.choice([None, None, clusters[0]]),
        )
        members = naive_members(facts, asked)
        states, positions = naive_places(facts, asked)
        # one organisation counts once in a cluster, also where two of its entries were merged
        pairs = {(o, c) for o, c, _ in members.values()}
        assert (await views.total(unit.connection, CATALOGUE["members"], asked)).value == len(pairs)
        assert (await views.total(unit.connection, CATALOGUE["organizations"], asked)).value == len(
            {m[0] for m in members.values()}
        )
        expected: dict[tuple[str, ...], Counter[tuple[str, ...]]] = {
            ("cluster",): Counter((str(c),) for _, c in pairs),
            ("category",): Counter((k,) for _, _, k in set(members.values())),
            ("state",): Counter((states.get(o, "unknown"),) for o, _ in pairs),
            ("position", "category"): Counter(
                (p, k) for o, _, k in set(members.values()) for p in positions.get(o, ["unknown"])
            ),
        }
        for by, counts in expected.items():
            rows = await views.divided(unit.connection, CATALOGUE["members"], asked, by)  # type: ignore[arg-type]
            assert {tuple(row[d] for d in by): row["value"] for row in rows} == dict(counts)
            assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)


async def test_memberships_of_an_organisation_not_heard_of_count_and_are_unknown(unit: Unit) -> None:
    world = World()
    stranger = World().organization()
    world.member(stranger, world.cluster("C"), date(2026, 1, 1))
    await fill(unit, world)
    asked = Asked(date(2026, 2, 1), None)
    assert (await views.total(unit.connection, CATALOGUE["members"], asked)).value == 1
    for dimension in ("type", "position", "state"):
        rows = await views.divided(unit.connection, CATALOGUE["members"], asked, (dimension,))
        assert rows == [{dimension: "unknown", "value": 1, "size": None}]


def jalisco(world: World) -> UUID:
    """DOMAIN 1: 24 members, nine more than a year before; one left since, so that fifteen were there then."""
    cluster = world.cluster("Costa y Agave", joined=date(2020, 9, 1))
    for n in range(24):
        since = date(2018, 1, 1) if n < 15 else date(2026, 1, 15)
        kind = "company" if n < 20 else "university"
        positions = [("tier1", since, None)] if kind == "company" else []
        if n == 0:
            positions.append(("tier2", since, None))
        organization = world.organization(*positions, type_=kind)
        world.member(organization, cluster, since, category="associate" if n < 18 else "affiliate")
    return cluster


@pytest.fixture
async def client(client_for: ClientFor, own: Cluster, database: Database) -> httpx.AsyncClient:
    """Reporting over HTTP on the own database; it is 1 June 2026 there."""
    return await client_for("reporting", clock=lambda: NOW, postgres_database=own.database)


async def committed(database: Database, world: World) -> None:
    """Everything of a world, for good."""
    async with database.unit(actor="test", cause="test") as unit:
        await fill(unit, world)


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(f"/reporting/indicators{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_jalisco_had_fifteen_members_a_year_before_and_has_twenty_four(
    client: httpx.AsyncClient, database: Database
) -> None:
    world = World()
    cluster = jalisco(world)
    await committed(database, world)
    now = await get(client, "/members", by="cluster")
    assert now["value"] == 24
    assert now["as_of"] == "2026-06-01"
    assert now["known_on"].startswith("2026-06-01T18:00:00")
    assert now["rows"] == [{
        "cluster": str(cluster), "value": 24, "in_network": True,
        "labels": {"cluster": {"es": "Costa y Agave", "en": "Costa y Agave"}},
    }]  # fmt: skip
    before = await get(client, "/members", by="cluster", as_of="2025-06-01")
    assert (before["value"], before["rows"][0]["value"], before["as_of"]) == (15, 15, "2025-06-01")
    # the register was recorded on 1 January 2026: nobody knew anything the day before
    unknown = await get(client, "/members", as_of="2025-06-01", known_on="2025-12-31")
    assert (unknown["value"], unknown["rows"]) == (0, [])
    positions = await get(client, "/members", by="position")
    assert {row["position"]: row["value"] for row in positions["rows"]} == {"tier1": 20, "none": 4, "tier2": 1}
    assert positions["notes"]
    both = await get(client, "/members", by=["type", "category"])
    assert {(row["type"], row["category"]): row["value"] for row in both["rows"]} == {
        ("company", "associate"): 18, ("company", "affiliate"): 2, ("university", "affiliate"): 4,
    }  # fmt: skip


async def test_an_organisation_in_two_clusters_is_one_organisation_and_two_memberships(
    client: httpx.AsyncClient, database: Database
) -> None:
    world = World()
    organization = world.organization()
    for name in ("A", "B"):
        world.member(organization, world.cluster(name), date(2026, 1, 1))
    await committed(database, world)
    assert (await get(client, "/members"))["value"] == 2
    divided = await get(client, "/organizations", by="cluster")
    assert divided["value"] == 1
    assert [row["value"] for row in divided["rows"]] == [1, 1]
    assert [row["in_network"] for row in divided["rows"]] == [False, False]
    assert divided["notes"]


async def test_as_known_on_tells_what_was_known_then(client: httpx.AsyncClient, database: Database) -> None:
    world = World()
    member = world.member(
        world.organization(), world.cluster("C"), date(2026, 1, 1), recorded=datetime(2026, 1, 10, 16, tzinfo=UTC)
    )
    world.resign(member, date(2026, 3, 1), recorded=datetime(2026, 4, 15, 16, tzinfo=UTC))
    await committed(database, world)
    cases = {
        ("2026-01-05", "2026-01-09"): 0,
        ("2026-01-05", "2026-01-10"): 1,
        ("2026-01-05", "2026-01-10T15:59:59Z"): 0,
        ("2026-03-20", "2026-04-14"): 1,
        ("2026-03-20", "2026-04-15"): 0,
        ("2026-02-20", "2026-04-15"): 1,
        ("2026-03-20", None): 0,
    }
    for (as_of, known_on), value in cases.items():
        query = {"as_of": as_of} | ({"known_on": known_on} if known_on else {})
        assert (await get(client, "/members", **query))["value"] == value, (as_of, known_on)


async def test_the_facts_behind_a_figure_are_listed_in_pages(client: httpx.AsyncClient, database: Database) -> None:
    world = World()
    cluster = jalisco(world)
    await committed(database, world)
    found: list[Any] = []
    query: dict[str, Any] = {"cluster": str(cluster), "as_of": "2025-06-01", "limit": 10}
    while True:
        page = await get(client, "/members/facts", **query)
        found += page["facts"]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert len({fact["id"] for fact in found}) == len(found) == 15
    assert {fact["type"] for fact in found} == {"org.cumulo.membership.MembershipActivated.v1"}


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/turnover", 404, "indicator"),
        ("/members?by=size", 422, "by"),
        ("/members?by=cluster&by=cluster", 422, "by"),
        ("/members?by=cluster&by=type&by=state", 422, "by"),
        ("/members?as_of=31-03-2026", 422, "as_of"),
        ("/members?as_of=1776-07-04", 422, "as_of"),
        ("/members?as_of=2026-02-30", 422, "as_of"),
        ("/members?as_of=%00", 422, "as_of"),
        ("/members?known_on=2026-03-10T10:00:00", 422, "known_on"),
        ("/members?cluster=jalisco", 422, "cluster"),
        ("/members/facts?limit=0", 422, "limit"),
        ("/members/facts?after=x", 422, "after"),
    ],
)
async def test_bad_questions_are_answered_with_the_field_and_the_reason(
    client_for: ClientFor, path: str, status: int, field: str
) -> None:
    answer = await (await client_for("reporting")).get(f"/reporting/indicators{path}")
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    if path.endswith("size"):
        assert "cluster, category, type, position, state" in answer.json()["title"]


async def test_the_catalogue_names_every_indicator_in_both_languages(client_for: ClientFor) -> None:
    catalogue = await get(await client_for("reporting"), "")
    assert {entry["code"] for entry in catalogue["indicators"]} == set(CATALOGUE)
    assert len(catalogue["indicators"]) == 18
    for entry in catalogue["indicators"]:
        for part in ("name", "definition", "unit"):
            assert entry[part]["es"]
            assert entry[part]["en"]


async def test_figures_are_for_the_role_service_only(client_for: ClientFor) -> None:
    nobody = await client_for("reporting", token=None)
    for path in ("/reporting/indicators", "/reporting/indicators/members", "/reporting/stream"):
        assert (await nobody.get(path)).status_code == 401
