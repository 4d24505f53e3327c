"""The published facts alone give the same days in force as the tables hold, whatever was done to the memberships.

Folded by the code of another service, which has never seen the tables.
"""

import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from services.membership.importing import import_members
from services.reporting.register.domain import MembershipFact, membership_periods

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
Days = set[tuple[str, str, date, date | None]]
FACTS = """
SELECT aggregateid, version, id, type, effective, time, payload::text AS payload FROM outbox
WHERE aggregatetype = 'membership.membership' ORDER BY position
"""
BANDS = """
SELECT m.organization_id::text, b.category, lower(b.period), upper(b.period)
FROM membership m JOIN membership_band b ON b.membership_id = m.id WHERE m.cluster_id = ANY ($1::uuid[])
UNION ALL
SELECT m.organization_id::text, band->>0, (band->>1)::date, (band->>2)::date
FROM merged_membership g JOIN membership m ON m.id = g.into_id, jsonb_array_elements(g.bands) AS band
WHERE m.cluster_id = ANY ($1::uuid[])
"""


@pytest.mark.parametrize("seed", range(4))
async def test_the_facts_alone_give_the_same_days(client_for: ClientFor, seed: int) -> None:
    staff, chance = await client_for("membership"), random.Random(seed)
    database = staff.service.database  # type: ignore[attr-defined]
    async with database.connection() as connection:
        await connection.execute("DELETE FROM outbox")
    mark = uuid4().hex[:8]

    async def ask(method: str, path: str, **body: Any) -> httpx.Response:
        return await staff.request(method, path, json=body, headers={"If-Match": "*"})

    clusters = [(await ask("POST", "/membership/clusters", name=f"{n} {mark}", slug=f"r{n}-{mark}", state="JAL")).json()
                for n in range(2)]  # fmt: skip
    rows = ["empresa;categoría;fecha de ingreso"]
    rows += [f"Moldes {n} {mark};{chance.choice(['asociado', 'afiliado'])};{2015 + n}-01-10" for n in range(6)]
    await import_members(database, "\n".join(rows).encode(), cluster=f"r0-{mark}")
    await import_members(database, "\n".join(rows[:4]).encode(), cluster=f"r1-{mark}")
    today = datetime.now(UTC).date()
    companies = (await ask("GET", f"/membership/organizations?limit=500&name=Moldes 0 {mark}")).json()["items"]
    for n in range(1, 6):
        companies += (await ask("GET", f"/membership/organizations?name=Moldes {n} {mark}")).json()["items"]
    for _ in range(40):
        listed = (
            await ask("GET", f"/membership/memberships?limit=500&cluster_id={chance.choice(clusters)['id']}")
        ).json()
        one = chance.choice(listed["items"])
        step, day = chance.choice([
            ("resign", {}), ("reinstate", {}), ("expel", {"note": "x"}), ("category", {"category": "affiliate"}),
            ("category", {"category": "associate"}), ("merge", {}),
        ]), today - timedelta(days=chance.randrange(0, 900))  # fmt: skip
        if step[0] == "merge":
            stays, goes = chance.sample(companies, 2)
            await ask("POST", "/membership/merges", stays_id=stays["id"], goes_id=goes["id"], note="x")
        else:
            await ask("POST", f"/membership/memberships/{one['id']}/{step[0]}", effective=day.isoformat(), **step[1])
    async with database.connection() as connection:
        ids = [UUID(one["id"]) for one in clusters]
        stored: Days = {tuple(row) for row in await connection.fetch(BANDS, ids)}
        facts: dict[str, list[MembershipFact]] = defaultdict(list)
        for row in await connection.fetch(FACTS):
            data = orjson.loads(row["payload"])
            facts[row["aggregateid"]].append(MembershipFact(
                UUID(row["aggregateid"]), row["version"], row["id"], row["type"].split(".")[-2], row["effective"],
                row["time"], UUID(data["organization_id"]), UUID(data["cluster_id"]), data["category"],
            ))  # fmt: skip
        await connection.execute("DELETE FROM outbox")
    folded: Days = set()
    for some in facts.values():
        for period in membership_periods(some):
            if period.known_until is None and period.since is not None:
                folded.add((str(period.value[0]), period.value[2], period.since, period.until))
    assert facts and _by_day(folded) == _by_day(stored)


def _by_day(days: Days) -> dict[tuple[str, str], list[tuple[date, date | None]]]:
    """Periods of an organisation in a category, those that touch as one."""
    found: dict[tuple[str, str], list[tuple[date, date | None]]] = defaultdict(list)
    for organization, category, since, until in sorted(days, key=lambda one: (one[0], one[1], one[2])):
        some = found[organization, category]
        if until is not None and until <= since:
            continue
        if some and (some[-1][1] is None or since <= some[-1][1]):
            ends = {some[-1][1], until}
            some[-1] = (some[-1][0], None if None in ends else max(end for end in ends if end))
        else:
            some.append((since, until))
    return {key: value for key, value in found.items() if value}
