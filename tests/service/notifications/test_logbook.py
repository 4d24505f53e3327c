"""Bitácora: a line for every fact, whom it concerned by which rule, what was sent for it and what became of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.notifications.consumers import CONSUMERS
from services.notifications.logbook import commands
from services.notifications.subjects.domain import RULES, ConcernsNobody
from services.notifications.words import FACTS, REASONS
from shared.contracts.membership import MembershipResigned
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.bus.records import item
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, take
from tests.stack.people import somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}


@pytest.fixture
async def client(client_for: ClientFor, clock: Clock) -> httpx.AsyncClient:
    return await client_for("notifications", token=None, clock=clock)


def test_every_fact_has_its_line_in_words_and_every_reason_is_translated() -> None:
    [log] = [one for one in CONSUMERS if one.name == "notifications.log"]
    assert set(log.handlers) == {fact for fact in RULES if fact.AGGREGATE != "message"}
    assert {f"{fact.SERVICE}.{fact.__name__}" for fact in log.handlers} == set(FACTS)
    told = {rule.reason for rule in RULES.values() if isinstance(rule, ConcernsNobody)}
    assert told | {commands.TOO_OLD, commands.NOT_ASKED} <= set(REASONS)


async def test_a_line_says_whom_a_fact_concerned_by_which_rule_and_what_became_of_it(
    client: httpx.AsyncClient, databases: dict[str, Database], sender: SenderFor, sink: tuple[Sink, int]
) -> None:
    _, port = sink
    scene, database = Scene(), databases["notifications"]
    joins = scene.activation()
    await take(database, [*scene.all()[:-1], joins], NOW)
    left = MembershipResigned(membership_id=scene.membership, organization_id=scene.organization,
                              cluster_id=scene.cluster, category="associate")  # fmt: skip
    gone = item(left, scene.membership, 2)
    old = Scene()
    for _ in range(2):  # Kafka brings some records twice
        await take(database, [joins, gone], NOW, "notifications.log")
    await take(database, [old.activation()], datetime.now(UTC) + timedelta(days=60), "notifications.log")
    async with sender(mail_port=port) as service:
        await send_all(service)
    rebeca = await somebody(database, "cluster_director", "cluster", scene.cluster, now=NOW)
    foreign = await somebody(database, "cluster_director", "cluster", old.cluster, now=NOW)

    async def lines(who: Any, **query: Any) -> list[tuple[Any, ...]]:
        found = await client.get("/notifications/log", params=query, headers=who.headers)
        assert found.status_code == 200, found.text
        return [(one["fact"], one["subject"], one["reason"], one["states"]) for one in found.json()["items"]]

    joined = ("membership.MembershipActivated", "welcome", None, {"sent": 1})
    whole = await lines(rebeca)
    assert sorted(whole, key=str) == sorted(
        [joined, ("membership.MembershipResigned", None, "whoever resigned knows it", {})], key=str
    )
    assert await lines(rebeca, written=True) == [joined]
    assert await lines(foreign) == [("membership.MembershipActivated", None, commands.TOO_OLD, {})]

    page = (await client.get("/messages/log?facts=all", headers=rebeca.headers | HTML)).text
    assert "A nadie: quien se dio de baja lo sabe" in page
    assert "Tres Puentes" in page
    written = (await client.get("/messages/log", headers=rebeca.headers | HTML)).text
    assert "quien se dio de baja" not in written
    csv = (await client.get("/messages/log.csv?facts=all", headers=rebeca.headers | HTML)).text
    assert csv.count("\n") == 3
    first = (await client.get("/notifications/log?limit=1", headers=rebeca.headers)).json()
    rest = (await client.get("/notifications/log", params={"after": first["next"]}, headers=rebeca.headers)).json()
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [1, 1, None]


async def test_what_concerned_nobody_is_forgotten_after_three_months_and_what_was_sent_is_not(
    databases: dict[str, Database],
) -> None:
    scene, database = Scene(), databases["notifications"]
    left = MembershipResigned(membership_id=scene.membership, organization_id=scene.organization,
                              cluster_id=scene.cluster, category="associate")  # fmt: skip
    await take(database, [scene.activation(), item(left, scene.membership, 2)], NOW, "notifications.log")
    for days, count in ((89, 2), (120, 1)):
        async with database.unit(actor="job", cause="log", now=datetime.now(UTC) + timedelta(days=days)) as unit:
            while await commands.forget_old(unit):
                pass
            kept = await unit.connection.fetchval("SELECT count(*) FROM heard WHERE cluster_id = $1", scene.cluster)
        assert kept == count, days
