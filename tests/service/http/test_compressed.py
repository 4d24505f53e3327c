"""What goes out small: whole pages and documents, for who takes gzip; never a stream, nor what carries a version."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import orjson
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.types import Message, Scope

from shared.http.compressed import Compressed

PAGE = "<p>Padrón de asociados</p>" * 100

app = FastAPI()


@app.get("/page", response_class=HTMLResponse)
async def page() -> str:
    return PAGE


@app.get("/short", response_class=HTMLResponse)
async def short() -> str:
    return "<p>Padrón</p>"


@app.get("/versioned")
async def versioned() -> Response:
    return Response(orjson.dumps([PAGE]), media_type="application/json", headers={"ETag": '"3"'})


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def events() -> AsyncIterator[str]:
        yield "data: " + "1" * 2000 + "\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/pieces", response_class=HTMLResponse)
async def pieces() -> StreamingResponse:
    async def parts() -> AsyncIterator[str]:
        yield PAGE
        yield PAGE

    return StreamingResponse(parts(), media_type="text/html")


async def asked(path: str, takes: str = "gzip, br") -> tuple[dict[str, str], bytes, list[Message]]:
    """Headers, body and the messages that came until the answer was whole or, of a stream, until its first piece."""
    sent: list[Message] = []
    came = asyncio.Event()
    scope: Scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "server": ("test", 80), "headers": [(b"accept-encoding", takes.encode())], "state": {},
        "http_version": "1.1",
    }  # fmt: skip

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            came.set()

    task = asyncio.create_task(Compressed(app)(scope, receive, send))
    async with asyncio.timeout(5):
        await came.wait()
        if path != "/stream":
            await task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return headers, b"".join(one.get("body", b"") for one in sent[1:]), sent


async def test_a_page_goes_out_small_to_who_takes_it() -> None:
    headers, body, _ = await asked("/page")
    assert (headers["content-encoding"], headers["content-length"]) == ("gzip", str(len(body)))
    assert "Accept-Encoding" in headers["vary"]
    assert gzip.decompress(body).decode() == PAGE
    assert len(body) < len(PAGE) / 5
    headers, body, _ = await asked("/page", takes="identity")
    assert "content-encoding" not in headers
    assert body.decode() == PAGE


async def test_what_is_short_or_carries_a_version_goes_out_as_it_is() -> None:
    for path in ("/short", "/versioned"):
        headers, body, _ = await asked(path)
        assert "content-encoding" not in headers
        assert headers["content-length"] == str(len(body))


async def test_a_stream_goes_out_piece_by_piece_at_once() -> None:
    headers, body, _ = await asked("/stream")
    assert "content-encoding" not in headers
    assert body.endswith(b"\n\n")
    _, body, sent = await asked("/pieces")
    assert body.decode() == PAGE * 2
    assert len(sent) >= 3
