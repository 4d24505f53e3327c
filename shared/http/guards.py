"""What stands before every route: a limit for bodies, a limit for the time until an answer begins, safe headers.

A body that is too large is cut while it comes in, whatever its length claims; a request that takes too long is
cancelled, its transaction rolled back. An answer that has begun (a stream, an export) is not cut.
"""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import refuse
from shared.runtime.settings import Settings

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every answer that does not say otherwise itself; pages bring a policy of their own."""
A_YEAR = "max-age=31536000; includeSubDomains"


class _TooLarge(Exception):
    """More has come than is taken."""


class Guarded:
    """The middleware. `larger` maps beginnings of paths to a limit of their own, in bytes."""

    def __init__(self, app: ASGIApp, settings: Settings, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._settings = settings
        self._larger = dict(larger or {})
        public = settings.public_url or ""
        self._headers = HEADERS | ({"Strict-Transport-Security": A_YEAR} if public.startswith("https:") else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False
        limit = self._limit(scope["path"])
        counted = _Counted(receive, limit)
        seconds = self._settings.request_seconds

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if _is_private(scope):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        async def sending(message: Message) -> None:
            nonlocal began
            if counted.cut and not began:
                return  # what the application makes of a body that ended early; the answer comes from here
            if message["type"] == "http.response.start":
                began = True
                deadline.reschedule(None)
            await dressed(message)

        try:
            async with asyncio.timeout(seconds) as deadline:
                if _claimed_length(scope) > limit:
                    raise _TooLarge
                await self._app(scope, counted, sending)
                if counted.cut and not began:
                    raise _TooLarge
        except _TooLarge:
            if began:
                raise
            told = refuse(
                Request(scope), 413, "too-large", "the body is larger than {most} kB; nothing was changed",
                most=limit // 1024,
            )  # fmt: skip
            await told(scope, receive, dressed)
        except TimeoutError:
            if began or not deadline.expired():
                raise
            told = refuse(
                Request(scope), 503, "took-too-long",
                "this took longer than {seconds:g} seconds and was broken off; nothing was changed", seconds=seconds,
            )  # fmt: skip
            await told(scope, receive, dressed)

    def _limit(self, path: str) -> int:
        fitting = [limit for prefix, limit in self._larger.items() if path.startswith(prefix)]
        return max(fitting, default=self._settings.request_max_kilobytes * 1024)


def _claimed_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class _Counted:
    """A request's body as it comes in; `cut` once more has come than is taken."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self.cut = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.cut = True
                raise _TooLarge
        return message


def _is_private(scope: Scope) -> bool:
    return any(name in (b"authorization", b"cookie") for name, _ in scope["headers"])
