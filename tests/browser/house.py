"""What the browser's tests stand on: `cumulo up --demo` as a newcomer starts it, Chromium, and pages that are watched.

Used by the tests and by `python -m tests.browser.screens`, which keeps the pictures under docs/screens.
"""

import contextlib
import json
import re
import shutil
import signal
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.stack.program import Program, finished

Language = Literal["es", "en"]
DESKTOP, PHONE = (1280, 900), (390, 844)
AXE = (Path(__file__).parent / "vendor/axe-4.14.1.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LINK = re.compile(r"https?://[^\s\"<>]+/sign-in\?token=[^\s\"<>]+")


def chromium() -> str | None:
    """Debian's Chromium, None when it is not there."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass(frozen=True, slots=True)
class House:
    """A running stack with the invented people."""

    data: Path
    url: str
    token: str
    kafka: str
    mail: Path

    def ask(self, path: str) -> Any:
        """A GET of the API as the installation itself."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def tell(self, path: str, body: dict[str, Any]) -> Any:
        """A POST of the API as the installation itself."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def organization(self, name: str) -> dict[str, Any]:
        """The organisation of this trade name."""
        found = self.ask("/membership/organizations?limit=500")["items"]
        return next(one for one in found if one["trade_name"] == name)

    def link_mailed_to(self, address: str, *, known: frozenset[str] = frozenset(), seconds: float = 15) -> str:
        """The newest link in a mail to this address that is not known yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for file in sorted(self.mail.glob("*.eml"), key=lambda one: one.stat().st_mtime, reverse=True):
                text = _plain(file)
                found = LINK.search(text)
                if address in text and found and found[0] not in known:
                    return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no mail with a link came for {address}")

    def mailed_to(self, address: str, words: str, *, seconds: float = 15) -> str:
        """The mail to this address that holds these words, as it came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for file in self.mail.glob("*.eml"):
                text = _plain(file)
                if address in text.splitlines()[0] and words in text:
                    return file.read_bytes().decode("utf-8", "replace")
            time.sleep(0.05)
        raise AssertionError(f"no mail with these words came for {address}")

    async def poison(self, **value: Any) -> str:
        """Publishes a state of a cluster that says only this, which its listeners set aside. Returns its key."""
        key = str(uuid_utils.uuid7())
        attributes = {
            "specversion": "1.0", "id": str(uuid_utils.uuid7()), "type": "org.cumulo.membership.ClusterState.v1",
            "source": "/cumulo/membership", "subject": f"cluster/{key}", "time": "2026-03-31T18:00:00Z",
            "dataschema": "x", "version": "1", "actor": "cli", "cause": "x",
        }  # fmt: skip
        headers = [(f"ce_{name}", text.encode()) for name, text in attributes.items()]
        async with AIOKafkaProducer(bootstrap_servers=self.kafka) as producer:
            await producer.send_and_wait(
                "membership.cluster.state", orjson.dumps({"cluster_id": key} | value), key=key.encode(),
                headers=[("content-type", b"application/json"), *headers],
            )  # fmt: skip
        return key


def _plain(file: Path) -> str:
    import email
    import email.policy

    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    return f"{message['To']}\n{body.get_content() if body else ''}"


@contextlib.contextmanager
def house(folder: Path) -> Iterator[House]:
    """`cumulo up --demo` on a free port, with its demo made."""
    data = folder / "data"
    program = Program(
        "up", "--demo", "--demo-size", "people", "--port", "0", "--data", str(data), log=folder / "up.log"
    )
    try:
        program.wait_for("Ctrl-C")
        code, output, errors = finished("status", "--json", "--data", str(data))
        assert code == 0, errors
        status = json.loads(output)
        yield House(data, status["http"], status["token"], status["kafka"], Path(status["mail"]))
    finally:
        program.end(signal.SIGINT)


@dataclass(slots=True)
class Watch:
    """What a page did that it should not, and how much came over the wire since it was last set to zero."""

    origin: str
    wrong: list[str] = field(default_factory=list)
    bytes: int = 0
    allowed: tuple[str, ...] = ()
    """Beginnings of console lines that a test expects, e.g. of a refusal that it provokes."""

    def console(self, text: str) -> None:
        if not any(text.startswith(one) for one in self.allowed):
            self.wrong.append(text)

    def asked(self, url: str) -> None:
        if url.startswith("http") and urlsplit(url).netloc != urlsplit(self.origin).netloc:
            self.wrong.append(f"asked elsewhere: {url}")


class Visitor:
    """Somebody at a browser of their own. `page` is watched; nothing may be wrong with it in the end."""

    def __init__(self, house: House, context: BrowserContext, page: Page, watch: Watch) -> None:
        self.house, self.context, self.page, self.watch = house, context, page, watch

    async def open(self, path: str) -> None:
        """Opens a page and waits until its parts are there."""
        await self.page.goto(self.house.url + path)
        await self.settled()

    async def settled(self) -> None:
        """Waits until every part that loads by itself has come, and its requests are over."""
        await self.page.wait_for_load_state("load")
        await self.page.wait_for_function("() => !document.querySelector('.lazy[aria-busy=true], .htmx-request')")

    async def come_in_as(self, name: str) -> None:
        """Signs in by the card of an invented person."""
        await self.open("/")
        await self.page.locator(".person-card", has_text=name).get_by_role("button").click()
        await self.page.wait_for_url(lambda url: urlsplit(url).path == "/")
        await self.page.wait_for_selector(".menu.person")
        await self.settled()

    async def faults(self) -> list[str]:
        """What axe finds that is serious or critical: rule, how bad, where."""
        await self.page.evaluate(AXE)
        # the column of the navigation is a gradient of the body, before which axe judges no contrast; what stands
        # in the column has a ground of its own
        await self.page.evaluate("document.body.style.background = 'var(--paper)'")
        found = await self.page.evaluate(
            "rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules})", RULES
        )
        await self.page.evaluate("document.body.style.background = ''")
        return [
            f"{one['id']} ({one['impact']}): {', '.join(str(node['target']) for node in one['nodes'][:4])}"
            for one in found["violations"] if one["impact"] in ("serious", "critical")
        ]  # fmt: skip


@contextlib.asynccontextmanager
async def browser_running() -> AsyncIterator[Browser]:
    """One Chromium without a window."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield found
        finally:
            await found.close()


@contextlib.asynccontextmanager
async def visiting(
    browser: Browser, house: House, *, language: Language = "es", size: tuple[int, int] = DESKTOP, dark: bool = False,
    keeps: bool = True,
) -> AsyncIterator[Visitor]:  # fmt: skip
    """Somebody new at a browser that speaks this language; one that `keeps` nothing fetches everything each time."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale="es-MX" if language == "es" else "en-US",
        timezone_id="America/Mexico_City",
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        has_touch=size == PHONE,
    )
    context.set_default_timeout(15_000)
    try:
        await context.add_cookies([{"name": "cumulo_language", "value": language, "url": house.url}])
        page = await context.new_page()
        watch = Watch(house.url)
        page.on("console", lambda line: watch.console(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: watch.console(str(error)))
        page.on("request", lambda request: watch.asked(request.url))
        wire = await context.new_cdp_session(page)
        await wire.send("Network.enable")
        await wire.send("Network.setCacheDisabled", {"cacheDisabled": not keeps})

        def came(event: dict[str, Any]) -> None:
            watch.bytes += int(event["encodedDataLength"])

        wire.on("Network.loadingFinished", came)
        yield Visitor(house, context, page, watch)
        assert not watch.wrong, watch.wrong
    finally:
        await context.close()
