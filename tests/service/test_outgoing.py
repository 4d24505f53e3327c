"""Calls that go out, against real servers on this machine that stand for the inside and the outside.

127.0.0.2 is the outside: the installation allows it. A server on 127.0.0.1 is the inside; it counts who comes.
"""

import asyncio
import datetime
import gzip
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.http.addresses import (
    AddressNotAllowed,
    CredentialsInAddress,
    NotAnAddress,
    PortNotAllowed,
    SchemeNotAllowed,
)
from shared.http.outgoing import (
    Answer,
    AnswerUnreadable,
    Client,
    NoAnswer,
    RedirectNotAllowed,
    TooManyRedirects,
    outgoing,
)
from shared.runtime.settings import Settings

OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"


@dataclass
class Names(AbstractResolver):
    """A DNS whose answers change from one question to the next; the last one stays."""

    answers: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        left = self.answers[host]
        given = left.pop(0) if len(left) > 1 else left[0]
        return [
            ResolveResult(hostname=host, host=each, port=port, proto=0, flags=socket.AI_NUMERICHOST,
                          family=socket.AF_INET6 if ":" in each else socket.AF_INET)
            for each in given
        ]  # fmt: skip

    async def close(self) -> None: ...


@dataclass
class Place:
    """A running server and the requests that came to it."""

    port: int
    came: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Place]]]:
    async with AsyncExitStack() as stack:

        async def start(
            handler: Handler | None = None, *, address: str = OUTSIDE, port: int = 0, tls: ssl.SSLContext | None = None
        ) -> Place:
            place = Place(0)

            async def answer(request: web.Request) -> web.StreamResponse:
                place.came.append(request)
                place.bodies.append(await request.read())
                return await handler(request) if handler else web.json_response({"ok": True})

            app = web.Application()
            app.router.add_route("*", "/{rest:.*}", answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, address, port, ssl_context=tls)
            await site.start()
            place.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            return place

        yield start


@pytest.fixture
async def client() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    async with AsyncExitStack() as stack:

        async def made(
            *ports: int, names: AbstractResolver | None = None, trust: ssl.SSLContext | None = None, **more: object
        ) -> Client:
            given = {"outgoing_allow": f"{OUTSIDE}/32", "outgoing_http": True, "outgoing_ports": ports, **more}
            settings = Settings.model_validate(given)
            return await stack.enter_async_context(outgoing(settings, resolver=names, trust=trust))

        yield made


def sends_on(*locations: str, status: int = 302) -> Handler:
    left = list(locations)

    async def handler(request: web.Request) -> web.StreamResponse:
        if not left:
            return web.json_response({"arrived": True})
        return web.Response(status=status, headers={"Location": left.pop(0)})

    return handler


async def test_a_call_goes_out_and_its_answer_comes_back(serve, client, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    place: Place = await serve()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    calls = await client(place.port)
    answer: Answer = await calls.post(
        f"http://{OUTSIDE}:{place.port}/hook?x=1", json={"año": 1}, headers={"X-Signature": "s"}
    )
    assert (answer.status, answer.json(), answer.cut) == (200, {"ok": True}, False)
    [came] = place.came
    assert place.bodies == ['{"año":1}'.encode()]
    assert (came.path_qs, came.headers["X-Signature"], came.content_type) == ("/hook?x=1", "s", "application/json")
    assert came.headers["User-Agent"] == "Cumulo"
    await calls.post(f"http://{OUTSIDE}:{place.port}/token", form={"code": "a&b", "ñ": "1 2"})
    assert place.bodies[-1] == b"code=a%26b&%C3%B1=1+2"


async def test_a_name_that_leads_outside_first_and_inside_next_is_stopped_at_the_next_call(serve, client) -> None:  # type: ignore[no-untyped-def]
    async def close(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Connection": "close"})

    outside: Place = await serve(close)
    inside: Place = await serve(address=INSIDE, port=outside.port)
    names = Names({"receiver.example": [[OUTSIDE], [INSIDE]]})
    calls = await client(outside.port, names=names)
    url = f"http://receiver.example:{outside.port}/"
    assert (await calls.post(url, json=1)).status == 200
    with pytest.raises(AddressNotAllowed, match=r"receiver\.example leads to .*loopback"):
        await calls.post(url, json=1)
    assert len(names.asked) == 2
    assert (len(outside.came), inside.came) == (1, [])


async def test_a_name_that_turns_inside_between_a_call_and_its_redirect_is_stopped(serve, client) -> None:  # type: ignore[no-untyped-def]
    async def again(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "/again", "Connection": "close"})

    outside: Place = await serve(again)
    inside: Place = await serve(address=INSIDE, port=outside.port)
    calls = await client(outside.port, names=Names({"receiver.example": [[OUTSIDE], [INSIDE]]}))
    with pytest.raises(AddressNotAllowed):
        await calls.get(f"http://receiver.example:{outside.port}/")
    assert (len(outside.came), inside.came) == (1, [])


@pytest.mark.parametrize(
    "answers",
    [[INSIDE], ["93.184.215.14", INSIDE], [INSIDE, "93.184.215.14"], ["10.0.0.1"], ["169.254.169.254"], ["::1"],
     ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["0.0.0.0"]],
)  # fmt: skip
async def test_a_name_of_which_any_address_is_inside_is_not_called(  # type: ignore[no-untyped-def]
    serve, client, answers: list[str]
) -> None:
    inside: Place = await serve(address=INSIDE)
    calls = await client(inside.port, names=Names({"receiver.example": [answers]}))
    with pytest.raises(AddressNotAllowed):
        await calls.get(f"http://receiver.example:{inside.port}/")
    assert inside.came == []


@pytest.mark.parametrize("host", ["localhost", "localhost.", "127.0.0.1", "[::ffff:127.0.0.1]"])
async def test_the_machine_itself_is_not_called_by_any_of_its_names(serve, client, host: str) -> None:  # type: ignore[no-untyped-def]
    inside: Place = await serve(address=INSIDE)
    with pytest.raises(AddressNotAllowed):
        await (await client(inside.port)).get(f"http://{host}:{inside.port}/")
    assert inside.came == []


async def test_each_hop_of_a_redirect_is_judged_anew(serve, client) -> None:  # type: ignore[no-untyped-def]
    inside: Place = await serve(address=INSIDE)
    hops = {
        f"http://{INSIDE}:{inside.port}/": AddressNotAllowed,
        f"//{INSIDE}:{inside.port}/": AddressNotAllowed,
        f"http://inside.example:{inside.port}/": AddressNotAllowed,
        "http://169.254.169.254/latest/meta-data/": AddressNotAllowed,
        "http://2130706433/": NotAnAddress,
        "http://[::1": NotAnAddress,
        "file:///etc/passwd": SchemeNotAllowed,
        "http://example.com:22/": PortNotAllowed,
        "http://a:b@example.com/": CredentialsInAddress,
    }
    for location, refusal in hops.items():
        outside: Place = await serve(sends_on(location))
        calls = await client(80, outside.port, inside.port, names=Names({"inside.example": [[INSIDE]]}))
        with pytest.raises(refusal):
            await calls.get(f"http://{OUTSIDE}:{outside.port}/")
    assert inside.came == []


async def test_three_redirects_are_followed_and_no_fourth(serve, client) -> None:  # type: ignore[no-untyped-def]
    place: Place = await serve(sends_on("/1", "/2", "/3"))
    assert (await (await client(place.port)).get(f"http://{OUTSIDE}:{place.port}/")).json() == {"arrived": True}
    place = await serve(sends_on("/1", "/2", "/3", "/4"))
    with pytest.raises(TooManyRedirects):
        await (await client(place.port)).get(f"http://{OUTSIDE}:{place.port}/")
    assert len(place.came) == 4


async def test_no_credential_and_no_content_travels_to_another_host(serve, client) -> None:  # type: ignore[no-untyped-def]
    other: Place = await serve()
    secret = {"Authorization": "Bearer s", "X-Api-Key": "s", "Cookie": "a=s", "Accept": "text/plain"}
    first: Place = await serve(sends_on("/here", f"http://{OUTSIDE}:{other.port}/there", status=307))
    calls = await client(first.port, other.port)
    assert (await calls.get(f"http://{OUTSIDE}:{first.port}/", headers=secret)).status == 200
    assert first.came[1].headers["Authorization"] == "Bearer s"
    assert {"Authorization", "X-Api-Key", "Cookie"} & set(other.came[0].headers) == set()
    assert other.came[0].headers["Accept"] == "text/plain"
    first = await serve(sends_on(f"http://{OUTSIDE}:{other.port}/there", status=308))
    calls = await client(first.port, other.port)
    with pytest.raises(RedirectNotAllowed, match="name the final address"):
        await calls.post(f"http://{OUTSIDE}:{first.port}/", json={"secret": 1})
    first = await serve(sends_on(f"http://{OUTSIDE}:{other.port}/there", status=303))
    calls = await client(first.port, other.port)
    await calls.post(f"http://{OUTSIDE}:{first.port}/", json={"secret": 1})
    assert len(other.came) == 2
    assert (other.came[1].method, other.bodies[1], "Content-Type" in other.came[1].headers) == ("GET", b"", False)


async def test_cookies_are_not_kept(serve, client) -> None:  # type: ignore[no-untyped-def]
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Set-Cookie": "a=b; Path=/"})

    place: Place = await serve(handler)
    calls = await client(place.port)
    for _ in range(2):
        await calls.get(f"http://{OUTSIDE}:{place.port}/")
    assert ["Cookie" in came.headers for came in place.came] == [False, False]


async def test_an_endless_answer_is_cut(serve, client) -> None:  # type: ignore[no-untyped-def]
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response

    place: Place = await serve(endless)
    answer: Answer = await (await client(place.port, outgoing_max_kilobytes=8)).get(f"http://{OUTSIDE}:{place.port}/")
    assert (len(answer.body), answer.cut) == (8192, True)
    with pytest.raises(AnswerUnreadable, match="longer"):
        answer.json()


async def test_an_answer_compressed_unasked_is_not_unpacked(serve, client) -> None:  # type: ignore[no-untyped-def]
    async def bomb(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=gzip.compress(bytes(1_000_000)), headers={"Content-Encoding": "gzip"})

    place: Place = await serve(bomb)
    with pytest.raises(AnswerUnreadable, match="compressed"):
        await (await client(place.port)).get(f"http://{OUTSIDE}:{place.port}/")


async def test_who_does_not_answer_in_time_is_told_as_that(serve, client) -> None:  # type: ignore[no-untyped-def]
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.02)

    place: Place = await serve(slow)
    calls = await client(place.port, 1)
    with pytest.raises(NoAnswer, match="too long"):
        await calls.get(f"http://{OUTSIDE}:{place.port}/", seconds=0.1)
    with pytest.raises(NoAnswer, match="did not answer"):
        await calls.get(f"http://{OUTSIDE}:1/")


def certificate(folder: Path, address: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server shows and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


async def test_a_call_never_falls_from_tls_and_an_unknown_certificate_is_no_answer(  # type: ignore[no-untyped-def]
    serve, client, tmp_path: Path
) -> None:
    shown, trust = certificate(tmp_path, OUTSIDE)
    plain: Place = await serve()
    ways: Sequence[str] = (f"http://{OUTSIDE}:{plain.port}/", "/")
    place: Place = await serve(sends_on(*ways), tls=shown)
    calls = await client(plain.port, place.port, trust=trust)
    with pytest.raises(RedirectNotAllowed, match="without TLS"):
        await calls.get(f"https://{OUTSIDE}:{place.port}/")
    assert plain.came == []
    assert (await calls.get(f"https://{OUTSIDE}:{place.port}/")).json() == {"arrived": True}
    with pytest.raises(NoAnswer, match="certificate"):
        await (await client(place.port)).get(f"https://{OUTSIDE}:{place.port}/")
    with pytest.raises(SchemeNotAllowed):
        await (await client(plain.port, outgoing_http=False)).get(f"http://{OUTSIDE}:{plain.port}/")
