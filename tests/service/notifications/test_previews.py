"""Every template is shown with sample data in both languages, as text and as the mail goes out."""

from typing import get_args

import httpx
import pytest

from services.notifications.subjects.domain import Subject
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import somebody


@pytest.fixture
async def client(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("notifications", token=None)


async def test_every_subject_is_previewed_in_both_languages(
    client: httpx.AsyncClient, databases: dict[str, Database]
) -> None:
    mariana = await somebody(databases["notifications"], "coordinator")
    titles = set()
    for subject in get_args(Subject):
        for language in ("es", "en"):
            page = await client.get(f"/messages/templates?subject={subject}&language={language}",
                                    headers=mariana.headers | {"Accept": "text/html"})  # fmt: skip
            assert page.status_code == 200, (subject, page.text[:500])
            mail = await client.get(f"/messages/templates/{subject}?language={language}", headers=mariana.headers)
            assert (mail.status_code, "<html" in mail.text) == (200, True), subject
            assert "script-src" not in mail.headers["content-security-policy"]
            assert "unsafe-inline" in mail.headers["content-security-policy"]
            titles.add(mail.text.partition("<h1")[2].partition(">")[2].partition("<")[0])
    assert len(titles) == 2 * len(get_args(Subject)), "each says something of its own in each language"


async def test_who_has_no_business_with_templates_sees_none(
    client: httpx.AsyncClient, databases: dict[str, Database]
) -> None:
    lucia = await somebody(databases["notifications"], "representative", "organization", None)
    for path in ("/messages/templates", "/messages/templates/welcome"):
        assert (await client.get(path, headers=lucia.headers)).status_code == 403
    mariana = await somebody(databases["notifications"], "coordinator")
    assert (await client.get("/messages/templates/nothing", headers=mariana.headers)).status_code == 422
