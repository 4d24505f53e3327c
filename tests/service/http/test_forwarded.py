"""For whom a gateway speaks is believed of trusted ones only: attempts are counted by the right address."""

import asyncio
import socket

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from deploy.local.server import serve
from shared.http.limits import address_of


async def tells(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the address that a request comes from."""
    await PlainTextResponse(address_of(Request(scope)))(scope, receive, send)


@pytest.mark.parametrize(
    ("trusted", "seen"), [("", "127.0.0.1"), ("127.0.0.1", "8.8.8.8"), ("10.0.0.0/8", "127.0.0.1")]
)
async def test_an_address_in_a_header_counts_when_a_trusted_gateway_says_it(trusted: str, seen: str) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    stopping, answers = asyncio.Event(), asyncio.Event()

    async def started() -> None:
        answers.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(serve(tells, taken, stopping, started, lambda: None, trusted))
        await answers.wait()
        async with httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            answer = await client.get(url, headers={"X-Forwarded-For": "8.8.8.8"})
        stopping.set()
    assert answer.text == seen
