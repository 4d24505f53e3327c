"""What was sent, as pages: filtered and paged newest first, within the reader's reach, in two languages, no names."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from services.notifications.app import DEFINITION
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

NOW = datetime(2026, 3, 31, 18, tzinfo=UTC)


async def _messages(database: Database, cluster: UUID, states: list[str], person: str) -> list[UUID]:
    made = []
    async with database.connection() as connection:
        organization = uuid_utils.uuid7()
        await connection.execute("INSERT INTO organization VALUES ($1, 'Moldes del Valle')", organization)
        await connection.execute("INSERT INTO cluster VALUES ($1, 'Costa y Agave', 'c', 'es', 'UTC')", cluster)
        for place, state in enumerate(states):
            notice, message, who = uuid_utils.uuid7(), uuid_utils.uuid7(), uuid_utils.uuid7()
            at = NOW + timedelta(minutes=place)
            await connection.execute(
                "INSERT INTO person VALUES ($1, $2, $3, $4, 'es')", who, organization, person, "rebeca@moldes.example"
            )
            await connection.execute(
                "INSERT INTO notice (id, subject, organization_id, cluster_id, category, effective, noticed_at,"
                " open_until, cause) VALUES ($1, 'welcome', $2, $3, 'associate', $4, $5, $5, 'test')",
                notice, organization, cluster, date(2026, 1, 1), at,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO message (id, notice_id, person_id, subject, state, created_at, due_at, attempts)"
                " VALUES ($1, $2, $3, 'welcome', $4, $5, $5, 1)",
                message, notice, who, state, at,
            )  # fmt: skip
            await connection.execute("INSERT INTO delivery VALUES ($1, 1, $2, 'failed', 550)", message, at)
            made.append(message)
    return made


def _browser(who: Somebody, language: str = "es") -> dict[str, Any]:
    return {**who.headers, "Accept": "text/html", "Cookie": f"{who.headers['Cookie']}; cumulo_language={language}"}


async def test_staff_find_a_failed_notice_of_their_cluster_and_send_it_again(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    database = databases["notifications"]
    cluster, foreign = uuid_utils.uuid7(), uuid_utils.uuid7()
    failed, sent = await _messages(database, cluster, ["failed", "sent"], "Ximena Pardo")
    (other,) = await _messages(database, foreign, ["failed"], "Ximena Pardo")
    client = await client_for("notifications", token=None, definition=replace(DEFINITION, consumers=(), loops={}))
    staff = await somebody(database, "cluster_staff", "cluster", cluster)
    every = (await client.get("/messages", headers=_browser(staff))).text
    assert every.index(str(sent)) < every.index(str(failed)), "the newest comes first"
    assert str(other) not in every
    only = (await client.get("/messages?state=failed", headers=_browser(staff))).text
    assert str(failed) in only and str(sent) not in only and "no se entregó" in only
    shown = await client.get(f"/messages/{failed}", headers=_browser(staff, "en"))
    assert "refused for good" in shown.text and "SMTP 550" in shown.text and "Moldes del Valle" in shown.text
    assert "Ximena" not in every + only + shown.text and "moldes.example" not in every + only + shown.text
    assert (await client.get(f"/messages/{other}", headers=_browser(staff))).status_code == 403
    assert (await client.post(f"/messages/{other}/retry", headers=_browser(staff))).status_code == 403
    again = await client.post(f"/messages/{failed}/retry", headers=_browser(staff))
    assert (again.status_code, again.headers["location"]) == (303, f"/messages/{failed}")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT state FROM message WHERE id = $1", failed) == "due"
        await connection.execute("UPDATE message SET state = 'failed' WHERE id = $1", failed)
    assert (await client.post(f"/messages/{sent}/retry", headers=_browser(staff))).status_code == 409
    assistant = await somebody(database, "assistant")
    assert str(other) in (await client.get("/messages", headers=_browser(assistant))).text
    assert (await client.post(f"/messages/{failed}/retry", headers=_browser(assistant))).status_code == 403


async def test_a_long_list_is_paged_without_gap_or_repeat(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    database = databases["notifications"]
    cluster = uuid_utils.uuid7()
    made = await _messages(database, cluster, ["sent"] * 120, "Ana Sol")
    client = await client_for("notifications", token=None, definition=replace(DEFINITION, consumers=(), loops={}))
    staff = await somebody(database, "cluster_director", "cluster", cluster)
    seen: list[str] = []
    path = "/messages"
    for _ in range(3):
        page = (await client.get(path, headers=_browser(staff))).text
        seen += re.findall(r'href="/messages/([0-9a-f]{8}-[^"]+)"', page)
        _, _, rest = page.partition('rel="next" href="')
        path = rest.split('"')[0].replace("&amp;", "&")
    assert seen == [str(one) for one in reversed(made)] and path == ""


@pytest.mark.parametrize("query", ["after=x", "after=1.x", "after=99999999999999999999.x", "after=%00"])
async def test_a_place_that_is_none_is_refused(
    client_for: ClientFor, databases: dict[str, Database], query: str
) -> None:
    client = await client_for("notifications", token=None, definition=replace(DEFINITION, consumers=(), loops={}))
    coordinator = await somebody(databases["notifications"], "coordinator")
    answer = await client.get(f"/messages?{query}", headers=_browser(coordinator))
    assert answer.status_code == 422, answer.text


async def test_a_state_that_is_none_is_left_out(client_for: ClientFor, databases: dict[str, Database]) -> None:
    client = await client_for("notifications", token=None, definition=replace(DEFINITION, consumers=(), loops={}))
    coordinator = await somebody(databases["notifications"], "coordinator")
    answer = await client.get("/messages?state=lost&scope=network", headers=_browser(coordinator))
    assert (answer.status_code, answer.headers["location"]) == (303, "/messages?scope=network")


async def test_the_list_comes_as_a_file_with_the_rows_of_the_reader(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    database = databases["notifications"]
    cluster, foreign = uuid_utils.uuid7(), uuid_utils.uuid7()
    await _messages(database, cluster, ["sent"] * 3 + ["failed"], "Ana Sol")
    await _messages(database, foreign, ["failed"], "Ana Sol")
    client = await client_for("notifications", token=None, definition=replace(DEFINITION, consumers=(), loops={}))
    staff = await somebody(database, "cluster_staff", "cluster", cluster)
    for query, rows in (("", 4), ("?state=failed", 1)):
        answer = await client.get(f"/messages.csv{query}", headers=_browser(staff))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert len(answer.content.decode("utf-8-sig").splitlines()) == 1 + rows
    assert (await client.get("/messages.xlsx", headers=_browser(staff))).content.startswith(b"PK")
    assert (await client.get("/messages.pdf", headers=_browser(staff))).status_code in (404, 422)
    partner = await somebody(database, "partner")
    assert (await client.get("/messages.csv", headers=_browser(partner))).status_code == 403
