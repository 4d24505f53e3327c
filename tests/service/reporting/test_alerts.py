"""Alerts: raised once when a figure passes its threshold, cleared once when it is back; seen, removed, by who may."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import uuid_utils.compat as uuid_utils

from services.reporting.alerts import commands
from services.reporting.alerts.domain import Alert, judged
from shared.postgres.pool import Database, Unit
from tests.service.reporting.conftest import fill, take
from tests.service.reporting.world import World, events
from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
ZONE = "America/Mexico_City"
NOON = datetime(2026, 3, 1, 18, tzinfo=UTC)
PATH = "/reporting/alerts"


async def told(unit: Unit) -> list[tuple[str, int, str]]:
    """The facts about alerts that wait in the outbox: name, version, value."""
    rows = await unit.connection.fetch(
        "SELECT type, version, payload::text AS payload FROM outbox WHERE aggregatetype = 'reporting.alert'"
        " ORDER BY position"
    )
    return [(row["type"].split(".")[-2], row["version"], orjson.loads(row["payload"])["value"]) for row in rows]


async def test_an_alert_is_raised_once_and_cleared_once(unit: Unit) -> None:
    world = World()
    cluster = world.cluster("C")
    members = [world.member(world.organization(), cluster, date(2026, 1, 1)) for _ in range(3)]
    await fill(unit, world)
    unit.now = NOON
    await commands.watch(unit, label="Menos de tres", indicator="members", cluster_id=cluster, side="below",
                         threshold=Decimal(3), zone=ZONE)  # fmt: skip
    assert await told(unit) == []
    world.resign(members[0], date(2026, 2, 1))
    await take(unit, events(world.items[-1:]))
    for _ in range(3):
        await commands.judge(unit, ZONE)
    assert await told(unit) == [("AlertRaised", 1, "2")]
    world.resign(members[1], date(2026, 2, 1))
    await take(unit, events(world.items[-1:]))
    assert await commands.judge(unit, ZONE) == 0
    for _ in range(2):
        world.member(world.organization(), cluster, date(2026, 2, 1))
    await take(unit, events(world.items[-4:]))
    for _ in range(2):
        await commands.judge(unit, ZONE)
    assert await told(unit) == [("AlertRaised", 1, "2"), ("AlertCleared", 2, "3")]


async def test_a_figure_that_is_hidden_or_not_to_be_had_says_nothing(unit: Unit) -> None:
    world = World()
    cluster = world.cluster("C")
    world.member(world.organization(), cluster, date(2020, 1, 1))
    await fill(unit, world)
    unit.now = NOON
    for indicator in ("churn", "decision_days"):
        made = await commands.watch(unit, label="x", indicator=indicator, cluster_id=cluster, side="below",
                                    threshold=Decimal(1000), zone=ZONE)  # fmt: skip
        assert made.raised_at is None
    assert await told(unit) == []


@pytest.mark.parametrize(
    ("side", "value", "raised"),
    [("below", "14.9", True), ("below", "15", False), ("above", "15", False), ("above", "15.1", True)],
)
def test_the_threshold_itself_is_not_passed(side: Any, value: str, raised: bool) -> None:
    one = Alert(UUID(int=1), "x", "members", None, side, Decimal(15), "me", NOON)
    after, fact = judged(one, Decimal(value), NOON.date(), NOON)
    assert (after.raised_at is not None, fact is not None) == (raised, raised)


class Place:
    """Reporting over HTTP, a coordinator, the director of a cluster, and one of another."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.cluster = uuid_utils.uuid7()
        self.mariana: Somebody
        self.rebeca: Somebody
        self.other: Somebody

    def body(self, **more: Any) -> dict[str, Any]:
        return {"label": "Menos de quince", "indicator": "members", "side": "below", "threshold": "15",
                "cluster_id": str(self.cluster), **more}  # fmt: skip


@pytest.fixture
async def place(client_for: ClientFor, databases: dict[str, Database]) -> Place:
    made, database = Place(await client_for("reporting", token=None)), databases["reporting"]
    made.mariana = await somebody(database, "coordinator")
    made.rebeca = await somebody(database, "cluster_director", "cluster", made.cluster)
    made.other = await somebody(database, "cluster_director", "cluster", uuid_utils.uuid7())
    return made


async def test_a_director_watches_the_own_cluster_and_nobody_elses(place: Place) -> None:
    client, rebeca, other = place.client, place.rebeca, place.other
    made = await client.post(PATH, json=place.body(), headers=rebeca.headers)
    assert made.status_code == 201, made.text
    one = made.json()
    assert (one["value"], one["raised_at"] is not None) == (0.0, True)  # nobody belongs to it here
    for who, status in ((other, 403), (rebeca, 200)):
        assert (await client.post(f"{PATH}/{one['id']}/seen", headers=who.headers)).status_code == status
    assert (await client.post(PATH, json=place.body(), headers=other.headers)).status_code == 403
    assert (await client.post(PATH, json=place.body(cluster_id=None), headers=rebeca.headers)).status_code == 403
    assert (await client.post(PATH, json=place.body(cluster_id=None), headers=place.mariana.headers)).status_code == 201
    assert one["id"] not in (await client.get(PATH, headers=other.headers)).text
    assert (await client.delete(f"{PATH}/{one['id']}", headers=other.headers)).status_code == 403
    assert (await client.delete(f"{PATH}/{one['id']}", headers=rebeca.headers)).status_code == 204
    assert (await client.delete(f"{PATH}/{one['id']}", headers=rebeca.headers)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"indicator": "turnover"}, "indicator"), ({"side": "beside"}, "side"), ({"threshold": "15.55"}, "threshold"),
     ({"threshold": "NaN"}, "threshold"), ({"threshold": "1e99"}, "threshold"), ({"label": ""}, "label")],
)  # fmt: skip
async def test_what_cannot_be_watched_is_refused_at_its_field(place: Place, wrong: dict[str, str], field: str) -> None:
    answer = await place.client.post(PATH, json=place.body(**wrong), headers=place.rebeca.headers)
    assert answer.status_code in (404, 422), answer.text
    assert field in answer.text


async def test_what_was_raised_waits_on_the_first_page_until_somebody_has_seen_it(place: Place) -> None:
    client, html = place.client, {"Accept": "text/html", "Accept-Language": "es"}
    one = (await client.post(PATH, json=place.body(label="Pocos miembros"), headers=place.rebeca.headers)).json()
    waits = "/reporting/pages/home/pending"
    assert "Pocos miembros: la cifra es 0" in (await client.get(waits, headers=place.rebeca.headers | html)).text
    assert "Pocos" not in (await client.get(waits, headers=place.other.headers | html)).text
    page = await client.get("/indicators/alerts", headers=place.rebeca.headers | html)
    assert "por debajo de 15" in page.text
    form = {"label": "", "indicator": "members", "scope": "network", "side": "", "threshold": "many"}
    wrong = await client.post("/indicators/alerts", headers=place.rebeca.headers | html, data=form)
    assert wrong.status_code == 422
    for words in ("cómo se llama", "Elige por debajo", "Elige de quién", "un número con un decimal"):
        assert words in wrong.text
    good = {"label": "Asistencias", "indicator": "attendance", "scope": "network", "side": "above", "threshold": "1e3"}
    done = await client.post("/indicators/alerts", headers=place.mariana.headers | html, data=good)
    assert done.status_code == 303, done.text
    seen = await client.post(f"/indicators/alerts/{one['id']}/seen", headers=place.rebeca.headers | html)
    assert seen.status_code == 303
    assert "Pocos" not in (await client.get(waits, headers=place.rebeca.headers | html)).text
    gone = await client.post(f"/indicators/alerts/{one['id']}/remove", headers=place.rebeca.headers | html)
    assert gone.status_code == 303
