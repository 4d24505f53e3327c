"""Signing in by an OpenID Connect provider that the tests run: who is bound, and every lie is refused."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.stack.issuer import CLIENT, SECRET, Issuer, running_issuer

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
NOW = datetime(2026, 3, 31, 18, 0, tzinfo=UTC)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer(NOW) as found:
        yield found


@pytest.fixture
async def staff(client_for: ClientFor, issuer: Issuer) -> httpx.AsyncClient:
    return await client_for(
        "membership", clock=lambda: NOW, provider_issuer=issuer.address, provider_client_id=CLIENT,
        provider_client_secret=SECRET,
    )  # fmt: skip


def browser(staff: httpx.AsyncClient) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=staff._transport, base_url="http://test")


async def invited(staff: httpx.AsyncClient) -> str:
    mail = f"p{uuid4().hex[:10]}@red.example"
    answer = await staff.post("/membership/accounts", json={"mail": mail, "role": "coordinator"})
    assert answer.status_code == 201, answer.text
    return mail


async def gone_and_back(guest: httpx.AsyncClient, issuer: Issuer) -> httpx.Response:
    """Leaves for the provider and comes back with its code."""
    left = await guest.get("/membership/sign-in/provider", params={"next": "/register"})
    assert left.status_code == 303, left.text
    assert urlsplit(left.headers["location"]).path == "/authorize"
    state, code = issuer.code_for(left.headers["location"])
    return await guest.get("/membership/sign-in/provider/return", params={"state": state, "code": code})


async def test_who_was_invited_comes_in_by_the_provider_and_stays_bound(
    staff: httpx.AsyncClient, issuer: Issuer
) -> None:
    mail, subject = await invited(staff), uuid4().hex
    issuer.person = {"sub": subject, "email": mail.upper(), "email_verified": True}
    guest = browser(staff)
    back = await gone_and_back(guest, issuer)
    assert (back.status_code, back.headers["location"]) == (303, "/register")
    first = (await guest.get("/membership/me")).json()
    issuer.person = {"sub": subject, "email": "moved@elsewhere.example", "email_verified": False}
    again = browser(staff)
    await gone_and_back(again, issuer)
    assert (await again.get("/membership/me")).json()["id"] == first["id"]


async def test_who_was_not_invited_or_has_no_verified_mail_stays_out(staff: httpx.AsyncClient, issuer: Issuer) -> None:
    mail = await invited(staff)
    for person in (
        {"sub": uuid4().hex, "email": "nobody@red.example", "email_verified": True},
        {"sub": uuid4().hex, "email": mail, "email_verified": False},
        {"sub": uuid4().hex, "email": mail, "email_verified": "true"},
        {"sub": uuid4().hex},
    ):
        issuer.person = person
        answer = await gone_and_back(browser(staff), issuer)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:cumulo:problem:not-invited"), person


@pytest.mark.parametrize("lie", ["issuer", "audience", "nonce", "expired", "key", "none"])
async def test_a_token_that_lies_lets_nobody_in(staff: httpx.AsyncClient, issuer: Issuer, lie: str) -> None:
    issuer.person = {"sub": uuid4().hex, "email": await invited(staff), "email_verified": True}
    issuer.lie = lie
    guest = browser(staff)
    answer = await gone_and_back(guest, issuer)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:cumulo:problem:provider-refused")
    assert (await guest.get("/membership/me")).status_code == 401


async def test_only_the_browser_that_left_comes_back_and_only_once(staff: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.person = {"sub": uuid4().hex, "email": await invited(staff), "email_verified": True}
    guest = browser(staff)
    left = await guest.get("/membership/sign-in/provider")
    state, code = issuer.code_for(left.headers["location"])
    back = {"state": state, "code": code}
    victim = await browser(staff).get("/membership/sign-in/provider/return", params=back)
    assert (victim.status_code, victim.json()["type"]) == (401, "urn:cumulo:problem:visit-unknown")
    assert (await guest.get("/membership/sign-in/provider/return", params=back)).status_code == 303
    assert (await guest.get("/membership/sign-in/provider/return", params=back)).status_code == 401


async def test_a_provider_that_is_away_or_not_set_up_says_so(client_for: ClientFor, staff: httpx.AsyncClient) -> None:
    away = await client_for("membership", provider_issuer="http://127.0.0.1:9", provider_client_id=CLIENT)
    answer = await away.get("/membership/sign-in/provider")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:cumulo:problem:provider-away")
    without = await client_for("membership")
    assert (await without.get("/membership/sign-in/provider")).status_code == 404
    outward = await staff.get("/membership/sign-in/provider", params={"next": "https://evil.example"})
    assert (outward.status_code, outward.json()["field"]) == (422, "next")
