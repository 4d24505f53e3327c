"""Events' own copy of who is a member: written, renewed and erased as the states say, in any order."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from services.events.consumers import CONSUMERS
from shared.contracts.membership import ClusterState, OrganizationMerged, OrganizationState, StandingState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.messaging.events import Consumer
from shared.postgres.pool import Database, Unit
from tests.conftest import ClientFor
from tests.service.bus.records import item


def cluster(key: UUID, slug: str) -> Received:
    data = ClusterState(
        cluster_id=key, network_id=key, slug=slug, name=slug.title(), country="MX", state="JAL",
        zone="America/Mexico_City", language="es", in_network_since=None, in_network_until=None,
    )  # fmt: skip
    return item(data, key, 1)


def organization_data(key: UUID, name: str) -> OrganizationState:
    return OrganizationState(
        organization_id=key, slug=name.lower(), legal_name=f"{name} SA", trade_name=name, type="company", country="MX",
        state="JAL", city=None, positions=[],
    )  # fmt: skip


def organization(key: UUID, name: str, version: int = 1) -> Received:
    return item(organization_data(key, name), key, version)


def standing(key: UUID, of: UUID, in_: UUID, since: date, until: date | None = None, version: int = 1) -> Received:
    data = StandingState(
        membership_id=key, organization_id=of, cluster_id=in_, category="associate",
        standing="active" if until is None else "resigned", since=since, until=until,
    )  # fmt: skip
    return item(data, key, version)


async def take(database: Database, items: Sequence[Received], consumer: Consumer | None = None) -> None:
    @asynccontextmanager
    async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
        async with database.unit(actor="test", cause="test") as opened:
            yield opened

    for one in [consumer] if consumer else CONSUMERS:  # each skips what is another's
        await Applier(one).settle(unit, items)


async def test_the_copy_follows_the_states_whatever_comes_first(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    home, firm, membership = (uuid_utils.uuid7() for _ in range(3))
    slug = f"c-{home.hex[-12:]}"
    client = await client_for("events")

    async def listed(**query: str) -> list[tuple[str | None, str]]:
        answer = await client.get("/events/members", params={"cluster": slug, **query})
        return [(member["name"], member["standing"]) for member in answer.json()["items"]]

    await take(databases["events"], [standing(membership, firm, home, date(2024, 3, 15))])
    await take(databases["events"], [cluster(home, slug)])
    assert await listed() == [(None, "active")]
    await take(databases["events"], [organization(firm, "Ocotillo")])
    assert await listed() == [("Ocotillo", "active")]
    assert await listed(as_of="2024-03-14") == []
    await take(databases["events"], [organization(firm, "Ocotillo Norte", 2), organization(firm, "Ocotillo", 1)])
    await take(databases["events"], [standing(membership, firm, home, date(2024, 3, 15), date(2026, 1, 1), 2)])
    assert await listed(as_of="2025-12-31") == [("Ocotillo Norte", "resigned")]
    assert await listed(as_of="2026-01-01") == []
    await take(databases["events"], [item(OrganizationState, firm, 3), item(StandingState, membership, 3)])
    assert await listed() == []


async def test_a_key_that_is_no_id_or_no_longer_one_of_its_own_is_about_the_record(
    databases: dict[str, Database],
) -> None:
    """One record by foreign hands would halt the consumer, or erase what another key stands for."""
    firm = uuid_utils.uuid7()
    name = CONSUMERS[0].name
    known = "SELECT trade_name FROM organization WHERE organization_id = $1"
    parked = "SELECT key, reason FROM parked WHERE consumer = $1 AND key = ANY ($2)"
    odd = [f"no-id-{firm}", str(firm).upper()]
    twice = item(organization_data(firm, "Mezquite"), firm, 1)._replace(key=f"of-{firm}")
    await take(databases["events"], [organization(firm, "Ocotillo"), twice])
    assert await databases["events"].pool.fetchval(known, firm) == "Mezquite"
    await take(databases["events"], [item(OrganizationState, firm, 2)._replace(key=key) for key in odd])
    assert await databases["events"].pool.fetchval(known, firm) == "Mezquite"
    rows = await databases["events"].pool.fetch(parked, name, odd)
    assert sorted(row["key"] for row in rows) == sorted(odd)
    assert all("not the id" in row["reason"] for row in rows)


async def test_the_list_pages_by_cursor(client_for: ClientFor, databases: dict[str, Database]) -> None:
    home = uuid_utils.uuid7()
    slug = f"c-{home.hex[-12:]}"
    memberships = [uuid_utils.uuid7() for _ in range(5)]
    await take(
        databases["events"], [cluster(home, slug), *(standing(m, m, home, date(2024, 1, 1)) for m in memberships)]
    )
    client = await client_for("events")
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await client.get("/events/members", params={"cluster": slug, "limit": "2", **after})).json()
        seen += [member["membership_id"] for member in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == [str(m) for m in memberships]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "after=x", "as_of=yesterday", "as_of=0001-01-01", "cluster=A%20B"]
)
async def test_bad_questions_get_a_problem_at_the_field(client_for: ClientFor, query: str) -> None:
    client = await client_for("events")
    answer = await client.get(f"/events/members?{query}")
    assert answer.status_code == 422
    assert answer.json()["field"] == query.split("=")[0]


async def test_who_asks_by_the_id_of_a_merged_organisation_is_answered(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    home, first, second, last, membership = (uuid_utils.uuid7() for _ in range(5))
    client = await client_for("events")
    await take(databases["events"], [cluster(home, f"m-{home.hex[-12:]}"), organization(last, "Ocotillo")])
    await take(databases["events"], [standing(membership, last, home, date(2024, 3, 15))])
    merged = [item(OrganizationMerged(organization_id=old, into_id=new), old, 2)
              for old, new in ((second, last), (first, second))]  # fmt: skip
    await take(databases["events"], merged)
    for id_ in (first, second, last):
        answer = await client.get("/events/members", params={"organization_id": str(id_)})
        assert [one["membership_id"] for one in answer.json()["items"]] == [str(membership)]
    other = await client.get("/events/members", params={"organization_id": str(home)})
    assert other.json()["items"] == []
    assert (await client.get("/events/members?organization_id=x")).status_code == 422
