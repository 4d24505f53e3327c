"""What stands before every route: bodies that are too large, requests that take too long, headers, sending twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, Request

from shared.http.edge import unit_of
from shared.http.policy import Viewing
from shared.http.routes import Route
from shared.runtime.service import Definition
from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
PATH = "/membership/organizations"


def body() -> dict[str, str]:
    return {"legal_name": f"Maquinados Ocotillo {uuid4().hex[:8]}"}


@pytest.fixture
async def client(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership", request_max_kilobytes=4)


async def count(client: httpx.AsyncClient) -> int:
    async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
        return int(await connection.fetchval("SELECT count(*) FROM organization"))


async def test_a_body_that_is_too_large_is_refused_whatever_its_length_claims(client: httpx.AsyncClient) -> None:
    before = await count(client)
    large = b'{"legal_name": "' + b"x" * 5000 + b'"}'
    json = {"Content-Type": "application/json"}

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 100):
            yield large[start : start + 100]

    for content, headers in ((large, json), (in_pieces(), json), (in_pieces(), json | {"Content-Length": "10"})):
        answer = await client.post(PATH, content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:cumulo:problem:too-large")
        assert "4 kB" in answer.json()["title"]
    assert await count(client) == before


async def test_a_request_that_takes_too_long_is_broken_off_and_changes_nothing(client_for: ClientFor) -> None:
    router = APIRouter(prefix="/membership", route_class=Route)

    @router.post("/slow")
    async def slow(request: Request, viewer: Viewing) -> None:
        async with unit_of(request, viewer.actor) as unit:
            await unit.connection.execute("INSERT INTO attempt (bucket, at) VALUES ('slow', now())")
            await unit.connection.execute("SELECT pg_sleep(30)")

    client = await client_for("membership", definition=Definition("membership", (router,)), request_seconds=0.3)
    answer = await client.post("/membership/slow")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:cumulo:problem:took-too-long")
    async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
        assert await connection.fetchval("SELECT count(*) FROM attempt WHERE bucket = 'slow'") == 0


async def test_every_answer_carries_safe_headers(client: httpx.AsyncClient) -> None:
    for path in (PATH, "/membership/health", "/membership/nothing", "/"):
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    assert (await client.get(PATH)).headers["cache-control"] == "no-store"


async def test_a_command_that_is_sent_twice_happens_once(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    wanted = body()
    first = await client.post(PATH, json=wanted, headers=key)
    again = await client.post(PATH, json=wanted, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    other = await client.post(PATH, json=body(), headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:cumulo:problem:key-used-otherwise")
    assert other.json()["field"] == "Idempotency-Key"


async def test_of_many_at_once_one_happens_and_all_get_its_answer(client: httpx.AsyncClient) -> None:
    key, wanted, before = {"Idempotency-Key": uuid4().hex}, body(), await count(client)
    answers = await asyncio.gather(*(client.post(PATH, json=wanted, headers=key) for _ in range(4)))
    assert {(a.status_code, a.content) for a in answers} == {(201, answers[0].content)}
    assert await count(client) == before + 1


async def test_a_refusal_is_not_kept(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    wanted = {"name": "C", "slug": f"c-{uuid4().hex}", "state": "JAL"}
    taken = await client.post("/membership/clusters", json=wanted)
    refused = await client.post("/membership/clusters", json=wanted, headers=key)
    assert (taken.status_code, refused.status_code) == (201, 409)
    free = wanted | {"slug": f"c-{uuid4().hex}"}
    assert (await client.post("/membership/clusters", json=free, headers=key)).status_code == 201


async def test_anothers_key_is_not_mine(client: httpx.AsyncClient) -> None:
    person = await somebody(client.service.database, "coordinator")  # type: ignore[attr-defined]
    key, wanted = {"Idempotency-Key": uuid4().hex}, body()
    mine = await client.post(PATH, json=wanted, headers=key)
    client.headers.pop("Authorization")
    theirs = await client.post(PATH, json=wanted, headers=key | person.headers)
    assert mine.json()["id"] != theirs.json()["id"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "é"])
async def test_a_malformed_key_is_named(client: httpx.AsyncClient, key: str) -> None:
    before = await count(client)
    headers: Any = {"Idempotency-Key": key.encode()}
    answer = await client.post(PATH, json=body(), headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
    assert await count(client) == before


async def test_hostile_bodies_are_problems_of_the_request(client: httpx.AsyncClient) -> None:
    deep = b'{"legal_name": ' + b"[" * 1500 + b"]" * 1500 + b"}"
    for content, kind in (
        (deep, "application/json"), (b"\xff\xfe", "application/json"), (b"{", "application/json"),
        (b'{"legal_name": 1e999}', "application/json"), (b"a=b", "text/plain"), (b"", "application/json"),
        (b'{"legal_name": "\\u0000"}', "application/json"), (b"--x", "multipart/form-data; boundary=y"),
    ):  # fmt: skip
        answer = await client.post(PATH, content=content, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500, (content[:20], answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_browser_gets_pages_and_a_program_documents(client: httpx.AsyncClient) -> None:
    page = await client.get("/membership/nothing", headers={"Accept": "text/html", "Accept-Language": "es"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Esta página no existe" in page.text
    client.headers.pop("Authorization")
    outside = await client.get("/account?x=1", headers={"Accept": "text/html"})
    assert (outside.status_code, outside.headers["location"]) == (303, "/door/renew?next=%2Faccount%3Fx%3D1")
    assert (await client.get(PATH)).headers["content-type"] == "application/problem+json"
