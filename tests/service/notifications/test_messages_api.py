"""Messages over HTTP: what happened to one can be looked up, without anybody's address; bad questions get a problem."""

from dataclasses import replace

import pytest

from services.notifications.app import DEFINITION
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.notifications.world import Scene, SenderFor, Sink, send_all, take


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 200),
        ("GET", "?state=lost", 422),
        ("GET", "?limit=0", 422),
        ("GET", "?after=x", 422),
        ("GET", "/not-an-id", 422),
        ("GET", "/01990000-0000-7000-8000-000000000009", 404),
        ("POST", "/01990000-0000-7000-8000-000000000009/retry", 404),
    ],
)
async def test_bad_questions_about_messages_get_a_problem(
    client_for: ClientFor, method: str, path: str, status: int
) -> None:
    client = await client_for("notifications", definition=replace(DEFINITION, consumers=(), loops={}))
    answer = await client.request(method, f"/notifications/messages{path}")
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["type"].startswith("urn:cumulo:problem:")


async def test_a_sent_message_shows_its_log_and_is_not_sent_again(
    client_for: ClientFor, sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    _, port = sink
    scene = Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        id_ = await service.database.pool.fetchval("SELECT id FROM message WHERE person_id = $1", scene.person)
    client = await client_for("notifications", definition=replace(DEFINITION, consumers=(), loops={}))
    shown = (await client.get(f"/notifications/messages/{id_}")).json()
    assert [(attempt["outcome"], attempt["code"]) for attempt in shown["deliveries"]] == [("sent", 250)]
    assert scene.mail not in str(shown)
    answer = await client.post(f"/notifications/messages/{id_}/retry")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:cumulo:problem:message-not-retryable")
