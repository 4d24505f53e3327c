"""Signing in: by a one-time link read from the mail folder, by a card; used, old and foreign ones open nothing."""

import asyncio
import email
import email.policy
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from shared.http.identity import COOKIE

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HERE = {"Sec-Fetch-Site": "same-origin"}


class Clock:
    """Time that a test lets pass."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 31, 18, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Door:
    """Membership with its mail folder, as the installation and as a browser without cookies."""

    def __init__(self, staff: httpx.AsyncClient, folder: Path, clock: Clock) -> None:
        self.staff, self.folder, self.clock = staff, folder, clock

    def browser(self) -> httpx.AsyncClient:
        """Somebody's new browser on the same service."""
        return httpx.AsyncClient(transport=self.staff._transport, base_url="http://test", headers=HERE)

    async def invited(self, role: str = "coordinator", **more: Any) -> str:
        """The address of somebody new who was invited."""
        mail = f"p{uuid4().hex[:10]}@red.example"
        answer = await self.staff.post("/membership/accounts", json={"mail": mail, "role": role} | more)
        assert answer.status_code == 201, answer.text
        return mail

    def mails(self, to: str, containing: str = "token=") -> list[str]:
        """The texts of the mails to somebody, the oldest first."""
        found: list[str] = []
        for file in sorted(self.folder.glob("*.eml"), key=lambda f: f.stat().st_mtime_ns):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            body = mail.get_body(("plain",))
            assert body is not None
            if to in str(mail["To"]) and containing in str(body.get_content()):
                found.append(str(body.get_content()))
        return found

    async def link(self, browser: httpx.AsyncClient, mail: str, goes_to: str = "/register") -> str:
        """The secret of a fresh link, as it was mailed."""
        answer = await browser.post("/membership/sign-in", json={"mail": mail, "next": goes_to})
        assert answer.status_code == 202, answer.text
        [address] = re.findall(r"http://\S+", self.mails(mail)[-1])
        assert address.startswith("http://test/sign-in?")
        return str(parse_qs(urlsplit(str(address)).query)["token"][0])

    async def signed_in(self, mail: str) -> httpx.AsyncClient:
        """A browser in which somebody is signed in."""
        browser = self.browser()
        secret = await self.link(browser, mail)
        answer = await browser.post("/membership/sign-in/link", json={"token": secret})
        assert answer.status_code == 200, answer.text
        return browser


@pytest.fixture
async def door(client_for: ClientFor, tmp_path: Path) -> Door:
    clock = Clock()
    staff = await client_for("membership", clock=clock, mail_folder=tmp_path, demo=True)
    async with staff.service.database.connection() as connection:  # type: ignore[attr-defined]
        await connection.execute("DELETE FROM attempt")
        await connection.execute("DELETE FROM signing_key")  # other tests have made theirs at other times
    return Door(staff, tmp_path, clock)


async def test_a_link_from_the_mail_opens_the_door_once(door: Door) -> None:
    mail = await door.invited(name="Mariana Ibarra Quiroz")
    browser = door.browser()
    assert (await browser.get("/membership/me")).status_code == 401
    secret = await door.link(browser, mail)
    answer = await browser.post("/membership/sign-in/link", json={"token": secret})
    assert answer.json() | {"account_id": None} == {
        "account_id": None, "name": "Mariana Ibarra Quiroz", "next": "/register",
    }  # fmt: skip
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    me = (await browser.get("/membership/me")).json()
    assert me["roles"] == [{"role": "coordinator", "scope": "network", "scope_id": None}]
    again = await door.browser().post("/membership/sign-in/link", json={"token": secret})
    assert (again.status_code, again.json()["type"]) == (401, "urn:cumulo:problem:link-opens-nothing")
    assert again.json()["field"] == "token"


async def test_a_link_speaks_the_language_of_its_person_and_says_when_it_opens_nothing(door: Door) -> None:
    mail, browser = await door.invited(language="en"), door.browser()
    secret = await door.link(browser, mail)
    page = {"token": secret}
    fresh = (await browser.get("/sign-in", params=page, headers={"Accept-Language": "es"})).text
    assert "One more click" in fresh and secret in fresh
    assert (await browser.post("/sign-in", data=page)).status_code == 303
    used = (await door.browser().get("/sign-in", params=page)).text
    assert "Este enlace no abre nada" in used and 'name="token"' not in used
    assert "Este enlace no abre nada" in (await door.browser().get("/sign-in", params={"token": "x"})).text


async def test_a_link_lasts_fifteen_minutes(door: Door) -> None:
    mail = await door.invited()
    secret = await door.link(door.browser(), mail)
    door.clock.now += timedelta(minutes=15)
    assert (await door.browser().post("/membership/sign-in/link", json={"token": secret})).status_code == 401


async def test_of_two_browsers_with_one_link_one_comes_in(door: Door) -> None:
    secret = await door.link(door.browser(), await door.invited())
    answers = await asyncio.gather(
        *(door.browser().post("/membership/sign-in/link", json={"token": secret}) for _ in range(4))
    )
    assert sorted(a.status_code for a in answers) == [200, 401, 401, 401]


async def test_an_unknown_address_gets_the_same_answer_and_no_mail(door: Door) -> None:
    known = await door.invited()
    answers = [
        await door.browser().post("/membership/sign-in", json={"mail": mail}) for mail in (known, "nobody@red.example")
    ]
    assert [(a.status_code, a.content) for a in answers] == [(202, b"null")] * 2
    assert door.mails("nobody@red.example") == []


async def test_asking_for_links_is_limited_alike_for_known_and_unknown(door: Door) -> None:
    known = await door.invited()
    for mail in (known, "nobody-else@red.example"):
        statuses = [
            (await door.browser().post("/membership/sign-in", json={"mail": mail})).status_code for _ in range(6)
        ]
        assert statuses == [202] * 5 + [429]
    refused = await door.browser().post("/membership/sign-in", json={"mail": known.upper()})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:cumulo:problem:too-often")
    assert int(refused.headers["retry-after"]) <= 900
    door.clock.now += timedelta(minutes=15, seconds=1)
    assert (await door.browser().post("/membership/sign-in", json={"mail": known})).status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mail": "nobody"}, "mail"), ({"mail": "a@b"}, "mail"), ({"mail": "a b@c.example"}, "mail"),
        ({"mail": "a@b.example\x00"}, "mail"), ({"mail": "x" * 300 + "@b.example"}, "mail"), ({}, "mail"),
        ({"mail": "a@b.example", "next": "https://evil.example/"}, "next"),
        ({"mail": "a@b.example", "next": "//evil.example"}, "next"),
        ({"mail": "a@b.example", "next": "/\\evil.example"}, "next"),
    ],
)  # fmt: skip
async def test_bad_input_at_the_door_names_its_field(door: Door, body: dict[str, str], field: str) -> None:
    answer = await door.browser().post("/membership/sign-in", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_session_is_renewed_while_it_lives_and_no_longer(door: Door) -> None:
    browser = await door.signed_in(await door.invited())
    door.clock.now += timedelta(minutes=16)
    assert (await browser.get("/membership/me")).status_code == 401
    assert (await browser.post("/membership/me/renew")).status_code == 204
    assert (await browser.get("/membership/me")).status_code == 200
    door.clock.now += timedelta(days=7)
    assert (await browser.post("/membership/me/renew")).status_code == 401


async def test_signing_out_ends_this_session_and_everywhere_all_of_them(door: Door) -> None:
    mail = await door.invited()
    first, second, third = [await door.signed_in(mail) for _ in range(3)]
    kept = first.cookies[COOKIE]
    assert (await first.post("/membership/sign-out")).status_code == 204
    stolen = door.browser()
    stolen.cookies.set(COOKIE, kept)
    assert (await stolen.get("/membership/me")).status_code == 401
    assert (await stolen.post("/membership/me/renew")).status_code == 401
    listed = (await second.get("/membership/me/sessions")).json()
    assert sorted(session["present"] for session in listed) == [False, True]
    assert (await second.post("/membership/sign-out-everywhere")).status_code == 204
    assert (await third.get("/membership/me")).status_code == 401
    door.clock.now += timedelta(seconds=1)
    assert (await (await door.signed_in(mail)).get("/membership/me")).status_code == 200


async def test_a_withdrawn_role_opens_nothing_any_more(door: Door) -> None:
    mail = await door.invited("assistant")
    browser = await door.signed_in(mail)
    assert (await browser.get("/membership/accounts")).status_code == 200
    account = next(a for a in (await door.staff.get("/membership/accounts?limit=500")).json()["items"]
                   if a["mail"] == mail)  # fmt: skip
    path = f"/membership/accounts/{account['id']}/roles/{account['grants'][0]['id']}"
    assert (await door.staff.delete(path, params={"note": "left the network"})).status_code == 200
    assert (await browser.get("/membership/accounts")).status_code == 403
    assert (await door.staff.delete(path)).status_code == 404


async def test_what_the_assistant_prepares_another_releases(door: Door) -> None:
    assistant = await door.signed_in(await door.invited("assistant"))
    coordinator = await door.signed_in(await door.invited("coordinator"))
    mail = f"p{uuid4().hex[:10]}@red.example"
    asked = await assistant.post("/membership/accounts", json={"mail": mail, "role": "treasurer"})
    assert asked.status_code == 202, asked.text
    waiting = asked.json()["prepared"]
    assert door.mails(mail, "") == []
    own = await assistant.post(f"/membership/prepared/{waiting['id']}/release")
    assert (own.status_code, own.json()["type"]) == (403, "urn:cumulo:problem:not-yours")
    released = await coordinator.post(f"/membership/prepared/{waiting['id']}/release")
    assert released.json()["grants"][0]["role"] == "treasurer"
    assert len(door.mails(mail, "")) == 1
    assert (await coordinator.post(f"/membership/prepared/{waiting['id']}/release")).status_code == 404


async def test_a_director_gives_roles_in_the_own_cluster_only(door: Door) -> None:
    made = [
        (await door.staff.post("/membership/clusters", json={"name": "C", "slug": f"c-{uuid4().hex}", "state": "JAL"}))
        .json()["id"]
        for _ in range(2)
    ]  # fmt: skip
    director = await door.signed_in(await door.invited("cluster_director", cluster_id=made[0]))

    async def invites(role: str, **scope: str) -> int:
        body = {"mail": f"p{uuid4().hex[:10]}@red.example", "role": role} | scope
        return (await director.post("/membership/accounts", json=body)).status_code

    assert await invites("cluster_staff", cluster_id=made[0]) == 201
    assert await invites("cluster_staff", cluster_id=made[1]) == 403
    assert await invites("cluster_director", cluster_id=made[0]) == 403
    assert await invites("coordinator") == 403
    assert await invites("cluster_staff") == 422


async def test_the_last_coordinator_stays_and_nobody_withdraws_their_own(door: Door) -> None:
    mail = await door.invited("coordinator")
    browser = await door.signed_in(mail)
    mine = (await browser.get("/membership/me")).json()["id"]
    account = next(a for a in (await browser.get("/membership/accounts?limit=500")).json()["items"] if a["id"] == mine)
    path = f"/membership/accounts/{mine}/roles/{account['grants'][0]['id']}"
    answer = await browser.delete(path)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:cumulo:problem:not-by-oneself")


async def test_a_token_is_shown_once_works_and_is_revoked(door: Door) -> None:
    made = (await door.staff.post("/membership/tokens", json={"name": "CRM de Dos Volcanes", "days": 30})).json()
    program = httpx.AsyncClient(
        transport=door.staff._transport, base_url="http://test", headers={"Authorization": f"Bearer {made['token']}"}
    )
    assert (await program.get("/membership/feed")).status_code == 200
    assert (await program.post("/membership/organizations", json={"legal_name": "x"})).status_code == 403
    listed = (await door.staff.get("/membership/tokens?limit=500")).json()["items"]
    [mine] = [t for t in listed if t["id"] == made["id"]]
    assert "token" not in mine
    assert made["token"] not in str(listed)
    door.clock.now += timedelta(days=30)
    assert (await program.get("/membership/feed")).status_code == 401
    door.clock.now -= timedelta(days=1)
    assert (await door.staff.delete(f"/membership/tokens/{made['id']}")).json()["ended"] is True
    assert (await program.get("/membership/feed")).status_code == 401
    for bad, field in (({"days": 0}, "days"), ({"days": 4000}, "days"), ({"role": "coordinator"}, "role")):
        answer = await door.staff.post("/membership/tokens", json={"name": "x"} | bad)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_keys_are_replaced_with_an_overlap(door: Door) -> None:
    from services.membership.access.commands import keys

    service = door.staff.service  # type: ignore[attr-defined]

    async def rotate() -> str | None:
        async with service.unit(actor="test", cause="test") as unit:
            return await keys.rotate(unit)

    old = (await door.staff.post("/membership/tokens", json={"name": "x", "days": 366})).json()["token"]
    before = {key["kid"] for key in (await door.staff.get("/membership/keys")).json()["keys"]}
    assert await rotate() is None
    door.clock.now += timedelta(days=89)
    assert "made the key" in (await rotate() or "")
    assert await rotate() is None
    listed = {key["kid"] for key in (await door.staff.get("/membership/keys")).json()["keys"]}
    assert len(listed - before) == 1
    browser = await door.signed_in(await door.invited())
    assert _kid(browser.cookies[COOKIE]) in before
    door.clock.now += timedelta(days=1, hours=1)
    browser = await door.signed_in(await door.invited())
    assert {_kid(browser.cookies[COOKIE])} == listed - before
    program = {"Authorization": f"Bearer {old}"}
    assert (await door.browser().get("/membership/feed", headers=program)).status_code == 200


def _kid(token: str) -> str:
    import base64

    import orjson

    return str(orjson.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"])


async def test_a_card_opens_the_door_of_a_demo_only(door: Door, client_for: ClientFor) -> None:
    from services.membership.access.commands import accounts

    service = door.staff.service  # type: ignore[attr-defined]
    async with service.unit(actor="cli", cause="test") as unit:
        made = await accounts.invite(
            unit, f"demo-{uuid4().hex}@red.example", role="coordinator", today=unit.now.date(), demo="coordinator",
            name="Mariana Ibarra Quiroz",
        )  # fmt: skip
    cards = (await door.browser().get("/membership/sign-in/cards")).json()
    assert str(made.account.id) in {card["account_id"] for card in cards}
    body = {"account_id": str(made.account.id)}
    browser = door.browser()
    assert (await browser.post("/membership/sign-in/card", json=body)).status_code == 200
    assert (await browser.get("/membership/me")).json()["name"] == "Mariana Ibarra Quiroz"
    real = await client_for("membership", token=None)
    assert (await real.post("/membership/sign-in/card", json=body)).status_code == 404
    assert (await real.get("/membership/sign-in/cards")).json() == []
