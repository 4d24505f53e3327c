"""Calls to addresses that people enter: webhooks, identity providers, calendars. One client for all of them.

Where a call really goes is judged when the socket is made, after the DNS answered, so that a name which
changes its address between a check and the call gains nothing. Nothing inside the house is reached, no
redirect escapes, no credential travels on, and an answer costs at most its limit of time and memory.
"""

import asyncio
import contextlib
import json as jsonlib
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from shared.http.addresses import Allowed, NotAnAddress, allowed_url, judge
from shared.refusal import Refusal
from shared.runtime.settings import Settings

MAX_REDIRECTS = 3
AGENT = "Cumulo"

_CARRIED = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers that another host may see; all others may hold a credential."""


class TooManyRedirects(Refusal):
    """The other side sent the call on more often than is followed."""


class RedirectNotAllowed(Refusal):
    """The other side sent the call to where it may not follow."""


class AnswerUnreadable(Refusal):
    """The answer is longer than its limit, compressed unasked, or not what it should hold."""


class NoAnswer(ConnectionError):
    """The other side did not answer in time or broke off. Trying again may help."""


class _Judging(AbstractResolver):
    """Asks another resolver and refuses a name of which any address is not allowed."""

    def __init__(self, asked: AbstractResolver, allow: Allowed) -> None:
        self.asked = asked
        self.allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self.asked.resolve(host, port, family)
        for each in found:
            judge(each["host"], self.allow, host=host)
        return found

    async def close(self) -> None:
        await self.asked.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. `url` is where the last hop went; `cut` tells that the body went over the limit.

    Header names are in lower case; of a header that came twice the last one stands here.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    url: str

    def json(self) -> Any:
        """The body as JSON. Raises `AnswerUnreadable`."""
        if self.cut:
            raise AnswerUnreadable("the answer is longer than {limit} bytes", limit=len(self.body))
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise AnswerUnreadable("the answer is not JSON") from error


class Client:
    """Calls under the rules of this file. Made by `outgoing`; keeps no cookies, knows no proxy."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, seconds: float | None = None) -> Answer:
        """As `request`, with GET."""
        return await self.request("GET", url, headers=headers, seconds=seconds)

    async def post(
        self, url: str, *, body: bytes | None = None, json: object = None, form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, seconds: float | None = None,
    ) -> Answer:  # fmt: skip
        """As `request`, with POST and one of a body, a JSON value, a form's fields."""
        sent = dict(headers or {})
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
            sent.setdefault("Content-Type", "application/json")
        elif form is not None:
            body = URL.build(query=dict(form)).raw_query_string.encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return await self.request("POST", url, body=body, headers=sent, seconds=seconds)

    async def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:  # fmt: skip
        """One call with its redirects, within `seconds` (default: the setting), whatever its status is.

        Raises the refusals of `allowed_url`, `TooManyRedirects`, `RedirectNotAllowed`, `AnswerUnreadable`, and
        `NoAnswer` for what may be tried again.
        """
        target = allowed_url(url, self._settings)
        sent = dict(headers or {})
        try:
            async with asyncio.timeout(seconds or self._settings.outgoing_seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    answer, sent_to = await self._hop(method, target, body, sent)
                    if sent_to is None:
                        return answer
                    method, body, sent = _onward(answer.status, method, body, sent, target, sent_to)
                    target = sent_to
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = str(error) or "it took too long"
            raise NoAnswer(f"{target.host} did not answer: {said[:200]}") from error
        raise TooManyRedirects(
            "{url} was sent on more than {most} times", url=url[:200], most=MAX_REDIRECTS, field="url"
        )

    async def _hop(
        self, method: str, target: URL, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[Answer, URL | None]:
        """One request, and where it was sent on to."""
        async with self._session.request(method, target, data=body, headers=headers, allow_redirects=False) as response:
            told = {name.lower(): value for name, value in response.headers.items()}
            location = told.get("location") if response.status in (301, 302, 303, 307, 308) else None
            if location is not None:
                return Answer(response.status, told, b"", False, str(target)), self._onto(target, location)
            if told.get("content-encoding", "identity").lower() not in ("", "identity"):
                raise AnswerUnreadable("{host} answered compressed, though it was asked not to", host=target.host)
            limit = self._settings.outgoing_max_kilobytes * 1024
            read = bytearray()
            while len(read) <= limit and (piece := await response.content.read(min(65_536, limit + 1 - len(read)))):
                read += piece
            return Answer(response.status, told, bytes(read[:limit]), len(read) > limit, str(target)), None

    def _onto(self, target: URL, location: str) -> URL:
        try:
            onto = allowed_url(str(target.join(URL(location))), self._settings)
        except ValueError as error:
            raise NotAnAddress("{host} sent the call to what is no address", host=target.host, field="url") from error
        if target.scheme == "https" and onto.scheme != "https":
            raise RedirectNotAllowed("{host} sent the call on without TLS", host=target.host, field="url")
        return onto


def _onward(
    status: int, method: str, body: bytes | None, headers: dict[str, str], target: URL, onto: URL
) -> tuple[str, bytes | None, dict[str, str]]:
    """Method, body and headers of the next hop. To another host go neither a body nor what may be a credential."""
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    if onto.origin() == target.origin():
        return method, body, headers
    if body is not None:
        raise RedirectNotAllowed(
            "{host} sent a call with content on to {onto}; name the final address instead",
            host=target.host,
            onto=onto.host,
            field="url",
        )
    return method, body, {name: value for name, value in headers.items() if name.lower() in _CARRIED}


@contextlib.asynccontextmanager
async def outgoing(
    settings: Settings, *, resolver: AbstractResolver | None = None, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """The client of a service, kept open as long as it calls. `trust`: certificates other than the system's."""
    asked = resolver or aiohttp.ThreadedResolver()
    allow = settings.outgoing_allow

    def judged_socket(info: tuple[Any, ...]) -> socket.socket:
        # the last word: this is the address that is connected to, whoever looked it up
        family, type_, protocol, _, address = info
        judge(str(address[0]), allow, host=str(address[0]))
        return socket.socket(family=family, type=type_, proto=protocol)

    connector = aiohttp.TCPConnector(
        resolver=_Judging(asked, allow), use_dns_cache=False, socket_factory=judged_socket, limit_per_host=10,
        ssl=trust or True,
    )  # fmt: skip
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # a small answer must not become a large one
        timeout=aiohttp.ClientTimeout(total=None, connect=settings.outgoing_seconds),
        headers={"User-Agent": AGENT, "Accept-Encoding": "identity"},
    )
    try:
        async with session:
            yield Client(session, settings)
    finally:
        await asked.close()
