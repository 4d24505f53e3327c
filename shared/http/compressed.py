"""Pages and documents small on the way: gzip for whoever takes it, for answers that are made whole.

A stream (server-sent events, an export) goes out as it comes: what is made in pieces is never held back here.
Static files are compressed once, where they are read (shared.web.assets).
"""

import gzip

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_BYTES = 1024
LEVEL = 5
TEXT = ("text/html", "application/json")
"""What a browser loads. The feed is left alone: programs read it within the data centre, by the megabyte."""


class Compressed:
    """The middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _fits(message):
                start = message  # held until its body shows whether it is whole
                return
            if start is not None:
                message, begun, start = _smaller(start, message), start, None
                await send(begun)
            await send(message)

        await self._app(scope, receive, sending)


def _fits(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    # an ETag is a record's version and comes back in If-Match; of other bytes it would have to be another
    return (
        headers.get("content-type", "").startswith(TEXT) and "content-encoding" not in headers and "etag" not in headers
    )


def _smaller(start: Message, body: Message) -> Message:
    """The body's message with less in it, told in the headers of `start`; as it is when it is a piece or short."""
    headers = MutableHeaders(raw=start["headers"])
    headers.add_vary_header("Accept-Encoding")
    start["headers"] = headers.raw
    content = body.get("body", b"")
    if body["type"] != "http.response.body" or body.get("more_body") or len(content) < LEAST_BYTES:
        return body
    small = gzip.compress(content, LEVEL, mtime=0)
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(small))
    return {**body, "body": small}
