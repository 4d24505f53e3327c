"""The catalogue against a year that was counted by hand: every figure, its divisions, what it counts, what it hides."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.reporting.catalogue import views
from services.reporting.catalogue.domain import CATALOGUE, Indicator, period_of
from services.reporting.catalogue.views import Asked
from services.reporting.generations.commands import rebuild
from services.reporting.generations.store import digest
from services.reporting.register.store import generations
from shared.postgres.pool import Database, Unit
from tests.service.reporting.conftest import take
from tests.service.reporting.world import World, events
from tests.stack.database import Cluster
from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
DAY = date(2026, 12, 31)


class Year:
    """Two clusters in 2026. A: ten members at the start, two leave, three join, one changes; B: two members."""

    def __init__(self) -> None:
        self.world = world = World()
        self.a, self.b = world.cluster("A", joined=date(2020, 1, 1)), world.cluster("B")
        self.ten = [world.organization(("tier2", date(2020, 1, 1), None)) for _ in range(10)]
        held = [world.member(one, self.a, date(2023, 12, 31)) for one in self.ten]
        for key in held[:2]:
            world.resign(key, date(2026, 6, 30))
        world.recategorise(held[2], date(2026, 3, 1), "affiliate")
        self.three = [world.organization(state="NLE") for _ in range(3)]
        for one in self.three:
            world.member(one, self.a, date(2026, 9, 1))
        self.two = [world.organization(type_="university") for _ in range(2)]
        for one in self.two:
            world.member(one, self.b, date(2022, 1, 1))
        self.back = world.member(self.ten[0], self.b, date(2026, 7, 1))  # who left A joined B
        # six applications: decided after 10 to 30 days, one refused, one open
        for days, approved in ((10, True), (20, True), (30, False), (20, True), (28, True)):
            applied = date(2026, 2, 1)
            world.application(world.organization(), self.a, applied, applied + timedelta(days=days), approved=approved)
        world.application(world.organization(), self.b, date(2026, 11, 1))
        # what they supply, and four certificates of which two end within sixty days of the day
        world.describe(self.ten[3], date(2026, 5, 1), "electromobility", "aerospace")
        for until in (date(2027, 2, 1), date(2027, 3, 1), date(2027, 3, 2), date(2026, 12, 1)):
            world.certificate(self.ten[4], date(2024, 1, 1), until)
        world.certificate(self.ten[1], date(2024, 1, 1), date(2027, 1, 15))  # left: no member any more
        # a workshop of A with four places and three who came, a forum of the network, one to come, one of last year
        self.workshop = world.gathering(self.a, date(2026, 4, 10))
        for one, came in zip(self.ten[3:7], (True, True, True, False), strict=True):
            world.comes(self.workshop, one, date(2026, 4, 10), attended=came)
        gone = world.comes(self.workshop, self.ten[7], date(2026, 4, 10), attended=False)
        world.cancels(gone, self.workshop, self.ten[7], date(2026, 4, 1))
        self.forum = world.gathering(None, date(2026, 10, 5), kind="forum")
        world.comes(self.forum, self.ten[3], date(2026, 10, 5))
        world.comes(self.forum, self.two[0], date(2026, 10, 5), group="network")
        world.comes(self.forum, None, date(2026, 10, 5), group="public")
        coming = world.gathering(self.b, date(2027, 2, 1), held=False)
        world.comes(coming, self.two[1], date(2027, 2, 1), attended=False)
        before = world.gathering(self.a, date(2025, 5, 5))
        world.comes(before, self.ten[8], date(2025, 5, 5))

        # eight mails of 2026, of which two were answered; one refused and then sent; one refused; one of last year
        for one in self.ten[:5]:
            world.message(one, self.a, date(2026, 5, 2), "sent")
        world.message(self.ten[5], self.a, date(2026, 5, 2), "sent", "answered")
        world.message(self.ten[6], None, date(2026, 6, 2), "refused", "sent", "answered", "answered")
        world.message(None, None, date(2026, 6, 2), "sent")
        world.message(self.ten[7], self.a, date(2026, 5, 2), "refused")
        world.message(self.ten[8], self.a, date(2025, 5, 2), "sent", "answered")

    async def fill(self, unit: Unit) -> None:
        world = self.world
        await take(unit, events([*world.items, *world.states, *world.happened, *world.mailed]))


def asked(indicator: Indicator, day: date = DAY, **more: Any) -> Asked:
    return Asked(day, None, more.get("cluster"), period_of(indicator, day, more.get("since")))


async def value(unit: Unit, code: str, day: date = DAY, **more: Any) -> Any:
    indicator = CATALOGUE[code]
    return (await views.figure_of(unit.connection, indicator, asked(indicator, day, **more), ())).value


@pytest.fixture
async def year(unit: Unit) -> Year:
    made = Year()
    await made.fill(unit)
    return made


async def test_every_figure_is_what_was_counted_by_hand(unit: Unit, year: Year) -> None:
    expected = {
        "organizations": 14, "members": 14, "joined": 4, "left": 2, "category_changed": 1, "applications": 6,
        "decision_days": 20.0, "gatherings": 2, "registrations": 8, "attendance": 6, "certificates_ending": 2,
        # of twelve memberships on 1 January two are gone
        "churn": 16.7, "retention": 83.3,
        # of the seven places of what was held one stayed empty
        "no_shows": 14.3,
        # of fourteen in force four came: three of A's, one of B's two
        "reach": 28.6,
        # 8 of three years, 3 of a third of one, 2 of five, 1 of half a one
        "membership_age": 2.5,
        "notices": 8, "notices_answered": 25.0,
    }  # fmt: skip
    assert {code: await value(unit, code) for code in CATALOGUE} == expected


async def test_a_period_is_what_one_asks_for_and_a_day_what_was_then(unit: Unit, year: Year) -> None:
    assert await value(unit, "joined", since=date(2026, 8, 1)) == 3
    assert await value(unit, "left", date(2026, 6, 29)) == 0
    assert await value(unit, "left", date(2026, 6, 30)) == 2
    assert await value(unit, "churn", since=date(2026, 7, 1)) == 0.0
    assert await value(unit, "attendance", date(2026, 9, 30)) == 3
    assert await value(unit, "gatherings", date(2025, 12, 31)) == 1
    assert await value(unit, "members", date(2025, 12, 31)) == 12
    # on 31 March the one who cancelled in April still had a place
    assert await value(unit, "registrations", date(2026, 3, 31)) == 9
    assert await value(unit, "decision_days", date(2026, 1, 31)) is None


async def test_a_figure_divides_by_whose_it_is(unit: Unit, year: Year) -> None:
    async def rows(code: str, by: Any, **more: Any) -> dict[str, Any]:
        indicator = CATALOGUE[code]
        found = await views.divided(unit.connection, indicator, asked(indicator, **more), (by,))
        return {row[by]: float(row["value"]) for row in found}

    a, b = str(year.a), str(year.b)
    assert await rows("joined", "cluster") == {a: 3, b: 1}
    assert await rows("joined", "state") == {"MX-NLE": 3, "MX-JAL": 1}
    assert await rows("attendance", "cluster") == {a: 3, "": 3}
    assert await rows("attendance", "kind") == {"workshop": 3, "forum": 3}
    assert await rows("attendance", "price_group") == {"own": 4, "network": 1, "public": 1}
    assert await rows("attendance", "type") == {"company": 4, "university": 1, "unknown": 1}
    assert await rows("members", "sector") == {"unknown": 13, "aerospace": 1, "electromobility": 1}
    assert await rows("certificates_ending", "standard") == {"iso_9001": 2}
    assert await rows("notices", "cluster") == {a: 6, "": 2}
    assert await rows("notices", "subject") == {"announcement": 8}
    assert await rows("reach", "cluster") == {a: 27.3, b: 33.3}


async def test_what_a_figure_counts_is_as_many_as_it_says_and_each_has_its_fact(unit: Unit, year: Year) -> None:
    for code, indicator in CATALOGUE.items():
        if indicator.decimals:
            continue
        rows = await views.counted(unit.connection, indicator, asked(indicator), None, 1000)
        assert len(rows) == await value(unit, code), code
        assert all(row["fact_id"] is not None for row in rows), code
        pages, after = [], None
        while page := await views.counted(unit.connection, indicator, asked(indicator), after, 3):
            pages += page
            after = page[-1]["key"]
        assert [row["key"] for row in pages] == [row["key"] for row in rows], code
        nobody = await views.counted(unit.connection, indicator, asked(indicator), None, 10, (False, [], []))
        assert nobody == [], code
        own = await views.counted(unit.connection, indicator, asked(indicator), None, 1000, (False, [year.b], []))
        assert {row["cluster_id"] for row in own} <= {year.b}, code


async def test_groups_of_fewer_than_five_are_hidden_where_the_indicator_says_so(unit: Unit, year: Year) -> None:
    churn = CATALOGUE["churn"]
    found = await views.figure_of(unit.connection, churn, asked(churn), ("cluster",))
    # B has two; with A's ten hidden as well nothing can be subtracted from the whole
    assert (found.value, [row["value"] for row in found.rows], [row["hidden"] for row in found.rows]) == (
        16.7, [None, None], [True, True],
    )  # fmt: skip
    alone = await views.figure_of(unit.connection, churn, asked(churn, cluster=year.b), ())
    assert (alone.value, alone.hidden) == (None, True)
    joined = await views.figure_of(unit.connection, CATALOGUE["joined"], asked(CATALOGUE["joined"]), ("cluster",))
    assert [row["value"] for row in joined.rows] == [3, 1]


async def test_the_order_of_facts_of_different_aggregates_does_not_matter(unit: Unit) -> None:
    year = Year()
    await take(unit, events([*year.world.happened[::-1]]))
    await take(unit, events([*year.world.states, *year.world.items[::-1]]))
    assert await value(unit, "attendance") == 6
    assert await value(unit, "reach") == 28.6
    assert await value(unit, "certificates_ending") == 2


async def test_a_rebuild_from_all_feeds_is_the_live_model(database: Database) -> None:
    year = Year()
    async with database.unit(actor="test", cause="test") as unit:
        await year.fill(unit)

    async def model() -> dict[str, tuple[int, str]]:
        async with database.connection() as connection:
            return await digest(connection, (await generations(connection)).current)

    before = await model()
    assert all(rows for rows, _ in before.values()), before
    done = await rebuild(database, year.world.feed(), year.world.feed_of_events(), year.world.feed_of_notifications())
    assert await model() == before
    assert (done.refused, done.strays, done.carried) == (0, 0, 0)


@pytest.fixture
async def client(client_for: ClientFor, own: Cluster, database: Database) -> httpx.AsyncClient:
    async with database.unit(actor="test", cause="test") as unit:
        await Year().fill(unit)
    return await client_for("reporting", clock=lambda: datetime(2026, 12, 31, 18, tzinfo=UTC),
                            postgres_database=own.database)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "query", "status", "field"),
    [
        ("/joined", {"since": "2027-01-01"}, 422, "since"),
        ("/members", {"since": "2026-01-01"}, 422, "since"),
        ("/joined", {"since": "soon"}, 422, "since"),
        ("/churn", {"by": ["cluster", "type"]}, 422, "by"),
        ("/churn", {"by": "type", "cluster": str(UUID(int=7))}, 422, "by"),
        ("/gatherings", {"by": "position"}, 422, "by"),
        ("/joined/facts", {}, 404, "indicator"),
        ("/nothing/counted", {}, 404, "indicator"),
    ],
)
async def test_a_question_that_cannot_be_is_refused_at_its_field(
    client: httpx.AsyncClient, path: str, query: dict[str, Any], status: int, field: str
) -> None:
    answer = await client.get(f"/reporting/indicators{path}", params=query)
    assert (answer.status_code, field in answer.text) == (status, True), answer.text


async def test_the_pages_show_each_group_and_what_a_figure_counts(client: httpx.AsyncClient) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    mariana = await somebody(database, "coordinator", now=datetime(2026, 12, 31, 18, tzinfo=UTC))
    html = mariana.headers | {"Accept": "text/html", "Accept-Language": "es"}
    for group, shown in (("membership", "Antigüedad media"), ("movement", "Tasa de bajas"), ("events", "Inasistencias"),
                         ("profiles", "Certificados por vencer")):  # fmt: skip
        page = await client.get(f"/indicators?group={group}&by=state&compare=2025-12-31", headers=html)
        assert (page.status_code, shown in page.text) == (200, True), page.text[:500]
    movement = (await client.get("/indicators?group=movement&since=2026-08-01&by=cluster", headers=html)).text
    assert "Menos de 5 empresas: no se muestra." in movement
    for code in CATALOGUE:
        page = await client.get(f"/indicators/{code}/facts", headers=html)
        assert page.status_code == 200, code
        file = await client.get(f"/indicators/{code}/facts.csv", headers=html)
        assert file.status_code == 200, code
        assert (await client.get(f"/indicators/{code}.csv", headers=html)).status_code == 200, code
        assert (await client.get(f"/indicators/{code}/card?by=type", headers=html)).status_code == 200, code
    counted = (await client.get("/reporting/indicators/attendance/counted", params={"limit": 2})).json()
    assert len(counted["counted"]) == 2
    assert counted["next"]
