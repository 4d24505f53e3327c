"""The shell and the components as a browser and a reader get them, in both languages."""

import gzip
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from babel.messages.pofile import read_po
from fastapi import FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.membership import Role
from shared.http.identity import Held, Viewer
from shared.runtime.settings import SERVICES
from shared.web.assets import static, static_router
from shared.web.catalogues import missing
from shared.web.components import components_router
from shared.web.drawing import Band, axis
from shared.web.errors import error_page
from shared.web.language import Language, catalogues_of, chosen
from shared.web.navigation import ENTRIES, PAGES, ROLE_WORDS, links
from shared.web.routes import shell_router
from shared.web.samples import LUCIA, MARIANA
from shared.web.shell import local_path, pages_of, turn

ROOT = Path(__file__).parents[3]
WEB = ROOT / "shared" / "web"
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    for router in (static_router(), shell_router(), components_router()):
        app.include_router(router)
    return app


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://cumulo.example") as client:
        client.headers["accept"] = "text/html"
        yield client


class Read(HTMLParser):
    """A page as tags with their attributes, to ask what it holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# ---- what the policy of the page forbids is not there


@pytest.mark.parametrize("path", ["", "?who=lucia", "?who=nobody", "/error/403", "/error/404", "/error/503"])
async def test_a_page_has_no_inline_script_handler_or_style_and_loads_nothing_from_elsewhere(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(f"/dev/components{path}")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    page = Read(answer.text)
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith(("on", "hx-on", "style"))], (tag, attributes)
        assert tag != "style"
        for name in ("src", "href", "action", "hx-get", "data-library"):
            assert not re.match(r"(?i)[a-z]+:|//", attributes.get(name) or ""), (tag, attributes)
    for script in page.of("script"):
        assert "src" in script or script["type"] == "application/json"


async def test_the_first_view_stays_under_300_kb_without_compression(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/dev/components")
    seen = Read(page.text)
    loaded = {a["src"] for tag in ("script", "img") for a in seen.of(tag) if a.get("src")}
    loaded |= {a["href"] for a in seen.of("link")}
    total = len(page.content)
    for address in loaded:
        assert address is not None
        file = await browser.get(address, headers={"accept-encoding": "identity"})
        assert file.status_code == 200
        total += len(file.content)
    assert total < 300_000, total


async def test_what_people_typed_is_shown_as_text_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: FastAPI, browser: httpx.AsyncClient
) -> None:
    room = tmp_path / "services_of_a_test" / "rooms"
    (room / "templates").mkdir(parents=True)
    for folder in (room, room.parent):
        (folder / "__init__.py").touch()
    (room / "templates" / "room.html").write_text(
        '{% extends "shell.html" %}{% from "components/chart.html" import chart %}'
        '{% from "components/feedback.html" import banner, lazy_fragment, progress, conflict %}'
        '{% from "components/show.html" import chip, code_box, person_card %}{% from "components/form.html" import '
        'text_field %}{% block title %}{{ _("A room: %(name)s", name=bad) }}{% endblock %}{% block content %}'
        '{{ chart("c", bad, "bar", [bad], [{"name": bad, "values": [1]}]) }}{{ banner("info", bad, bad) }}'
        "{{ chip(bad, href='/x?' ~ bad) }}{{ code_box(bad) }}{{ person_card(bad, bad) }}{{ lazy_fragment('/f', bad) }}"
        "{{ progress(bad, 1, 2) }}{{ conflict(bad, page.now, [(bad, bad, bad)], '/r') }}"
        "{{ text_field(form, 'name', bad) }}{% endblock %}"
    )
    (room.parent / "locale").mkdir()
    (room.parent / "locale" / "pages.es.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "A room: %(name)s"\nmsgstr "Una sala: %(name)s"\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from shared.web.forms import Form

    pages = pages_of("services_of_a_test.rooms.pages")
    form = Form(values={"name": HOSTILE}, errors={"name": HOSTILE}, warnings={"name": HOSTILE})

    @app.get("/room")
    async def show(request: Request) -> Response:
        return pages.render(request, None, "room.html", bad=HOSTILE, form=form)

    browser.cookies.set("cumulo_said", "good%20%3Cimg%20src%3Dx%3E")
    answer = await browser.get("/room")
    assert answer.status_code == 200
    assert "Una sala: " in answer.text  # its own template, its own words
    page = Read(answer.text)
    assert [image["src"] for image in page.of("img")] == [static("mark.svg")]
    assert HOSTILE not in answer.text
    for name in [key for key in sys.modules if key.startswith("services_of_a_test")]:
        del sys.modules[name]


# ---- files


async def test_a_file_is_kept_for_good_under_its_hash_and_small_on_the_way(browser: httpx.AsyncClient) -> None:
    address = static("cumulo.js")
    content = (WEB / "static" / "cumulo.js").read_bytes()
    answer = await browser.get(address, headers={"accept-encoding": "gzip"})
    assert answer.content == content
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(gzip.compress(content, 9, mtime=0))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = await browser.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await browser.get(address, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    stale = await browser.get("/static/000000000000/cumulo.js")
    assert (stale.content, stale.headers["cache-control"]) == (content, "no-cache")


@pytest.mark.parametrize("name", ["../shell.py", "%2e%2e/shell.py", "..%2fshell.py", "/etc/passwd", "no.js", ""])
async def test_nothing_but_the_static_files_is_served(browser: httpx.AsyncClient, name: str) -> None:
    assert (await browser.get(f"/static/0/{name}", follow_redirects=True)).status_code == 404


def test_what_others_wrote_stands_with_its_version_and_its_licence() -> None:
    for folder in (WEB / "static" / "vendor").iterdir():
        assert (folder / "LICENSE").exists()
        assert all(re.search(r"-\d+\.\d+\.\d+\.min\.js$", file.name) for file in folder.glob("*.js"))


# ---- two languages


def test_every_message_of_the_pages_is_said_in_spanish() -> None:
    own = WEB / "locale" / "es.po"
    assert missing(WEB, own) == {}
    for name in SERVICES:
        folder = ROOT / "services" / name
        assert missing(folder, own, folder / "locale" / "pages.es.po") == {}, name


def test_a_translation_fills_in_what_its_message_fills_in() -> None:
    for file in [WEB / "locale" / "es.po", *(ROOT / "services").glob("*/locale/pages.es.po")]:
        for entry in read_po(file.open("rb"), locale="es"):
            messages = [entry.id] if isinstance(entry.id, str) else [*entry.id]
            texts = [entry.string] if isinstance(entry.string, str) else [*(entry.string or ())]
            for message, text in zip(messages, texts, strict=True):
                found = [sorted(re.findall(r"%\(\w+\)s|\{\w+\}", one)) for one in (message, text)]
                assert found[0] == found[1], (file, message)


@pytest.mark.parametrize(
    ("viewer", "cookie", "accepted", "code"),
    [
        (None, None, None, "es"),
        (None, None, "fr-FR,fr", "es"),
        (None, None, "de, en-GB;q=0.8, es;q=0.3", "en"),
        (None, None, "en;q=0, es;q=0.1", "es"),
        (None, None, "en;q=high,;;q=,,es-MX;q=0.2", "es"),
        (MARIANA, None, "en", "es"),
        (MARIANA, "en", "es", "en"),
        (MARIANA, "tlh", "en", "es"),
    ],
)
def test_the_switch_goes_before_the_own_language_and_that_before_the_browsers(
    viewer: Viewer | None, cookie: str | None, accepted: str | None, code: str
) -> None:
    assert chosen(viewer, cookie=cookie, accepted=accepted) == code


async def test_the_switch_turns_the_whole_page_and_comes_back_to_it(browser: httpx.AsyncClient) -> None:
    spanish = await browser.get("/dev/components?position=tier_2")
    assert '<html lang="es"' in spanish.text
    assert "Inicio" in spanish.text
    sent = {"language": "en", "next": "/dev/components?position=tier_2"}
    answer = await browser.post("/language", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dev/components?position=tier_2")
    english = await browser.get(answer.headers["location"])
    assert '<html lang="en"' in english.text
    assert "Inicio" not in english.text


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example",
     "/a\r\nSet-Cookie: x=y", "", "evil", "/" + "a" * 3000],
)  # fmt: skip
async def test_the_way_back_never_leads_elsewhere(browser: httpx.AsyncClient, target: str) -> None:
    answer = await browser.post("/language", data={"language": "en", "next": target})
    assert answer.status_code in (303, 422)
    assert answer.headers.get("location", "/") == "/"
    assert local_path(target) == "/"


def test_dates_numbers_and_money_are_said_as_readers_write_them() -> None:
    zone = ZoneInfo("America/Mexico_City")
    spanish, english = (Language(code, zone, catalogues_of(code, ())) for code in ("es", "en"))
    late = datetime(2026, 3, 31, 4, 30, tzinfo=UTC)  # still the 30th in Mexico City
    assert [said.day(late) for said in (spanish, english)] == ["30 mar 2026", "Mar 30, 2026"]
    assert spanish.moment(late) == "30 mar 2026, 22:30"
    assert spanish.zoned(late).startswith("lunes, 30 de marzo de 2026, 22:30 hora estándar central")
    assert [said.duration(4 * 86_400) for said in (spanish, english)] == ["4 días", "4 days"]
    assert spanish.duration(75 * 86_400) == "75 días"
    assert spanish.money(Decimal(1400)) == "$1,400.00"
    assert english.percent(0.818, 1) == "81.8\u202f%"
    assert spanish.ago(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 2, tzinfo=UTC)) == "hace 2 minutos"
    assert [spanish.plural("%(num)s row", "%(num)s rows", n) for n in (1, 1204)] == ["1 fila", "1,204 filas"]


# ---- where people go


def viewer_with(*roles: Role) -> Viewer:
    own = UUID(int=7)
    held = tuple(
        Held(role, "organization" if role in ("representative", "buyer") else "network", own) for role in roles
    )
    return Viewer("a", "person", "Ana Luz", "es", held)


@pytest.mark.parametrize("role", list(ROLE_WORDS))
def test_a_role_sees_its_entries_and_no_others(role: Role) -> None:
    found = {link.key for link in links(viewer_with(role), "/")}
    assert found == {entry.key for entry in ENTRIES if role in entry.roles}
    assert links(None, "/") == []


def test_a_representative_goes_to_the_own_company_and_the_directory() -> None:
    found = links(LUCIA, f"/organizations/{LUCIA.held[0].id}")
    assert [link.key for link in found][:2] == ["company", "directory"]
    assert [link.key for link in found if link.current] == ["company"]
    assert [link.key for link in links(LUCIA, "/organizations/other") if link.current] == ["directory"]


def test_every_entry_leads_to_a_service() -> None:
    for entry in ENTRIES:
        for address in (entry.address, *entry.also):
            assert address.split("/")[1] in {*PAGES, *SERVICES}


async def test_what_is_chosen_in_a_list_stays_in_its_addresses(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/dev/components?certificate=iatf&certificate=iso9001&q=arn&sort=-people&after=x")
    hrefs = {a["href"] for a in Read(answer.text).of("a") if a.get("href")}
    base = "/dev/components?certificate=iatf&certificate=iso9001&q=arn"
    assert f"{base}&sort=name" in hrefs  # another order begins at the first page
    assert f"{base}&sort=people" in hrefs
    assert f"{base}&sort=-people&after=fundicion" in hrefs
    assert f"{base}&sort=-people&before=arneses" in hrefs
    assert "/dev/components?q=arn&sort=-people&certificate=iso9001" in hrefs
    assert "da 31" in answer.text


async def test_the_scope_of_the_switch_is_remembered(browser: httpx.AsyncClient) -> None:
    await browser.get("/dev/components?scope=costa-y-agave")
    assert browser.cookies["cumulo_scope"] == "costa-y-agave"
    await browser.get("/dev/components?scope=%0d%0aSet-Cookie:x")
    assert browser.cookies["cumulo_scope"] == "costa-y-agave"


# ---- refusals as pages


@pytest.fixture
def refusing(app: FastAPI) -> FastAPI:
    @app.get("/refused/{status}")
    async def refuse(request: Request, status: int) -> Response:
        return error_page(request, None, status, "Título", "La razón", roles=("cluster_director",))

    @app.post("/done")
    async def done() -> Response:
        return turn("/dev/components", said="Ingreso aprobado, ¡bien!")

    return app


@pytest.mark.usefixtures("refusing")
async def test_a_refusal_says_what_why_and_who_may(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/refused/403")
    assert answer.status_code == 403
    for text in ("Título", "La razón", "dirección general"):
        assert text in answer.text
    assert "Solicitarlo" not in answer.text  # no button that leads nowhere
    part = await browser.get("/refused/503", headers={"hx-request": "true"})
    assert (part.status_code, "<html" in part.text) == (503, False)


@pytest.mark.usefixtures("refusing")
async def test_who_is_not_signed_in_goes_to_the_door_and_back(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/refused/401?q=a%20b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/door/renew?next=%2Frefused%2F401%3Fq%3Da%2520b")
    part = await browser.get("/refused/401", headers={"hx-request": "true"})
    assert (part.status_code, part.content, "location" in part.headers) == (401, b"", False)


@pytest.mark.usefixtures("refusing")
async def test_what_was_done_is_said_once(browser: httpx.AsyncClient) -> None:
    await browser.post("/done")
    assert "Ingreso aprobado, ¡bien!" in (await browser.get("/dev/components")).text
    assert "Ingreso aprobado" not in (await browser.get("/dev/components")).text


async def test_the_components_are_not_shown_in_production(app: FastAPI, browser: httpx.AsyncClient) -> None:
    settings = SimpleNamespace(environment="production", network_zone="America/Mexico_City")
    app.state.service = SimpleNamespace(settings=settings, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for path in ("", "/block", "/silent", "/task", "/error/404"):
        assert (await browser.get(f"/dev/components{path}")).status_code == 404


# ---- drawings

DAYS = st.dates(date(1990, 1, 1), date(2040, 1, 1))


@given(st.lists(st.tuples(DAYS, st.integers(1, 9000) | st.none()), max_size=8), DAYS)
def test_every_period_lies_on_its_axis(periods: list[tuple[date, int | None]], today: date) -> None:
    bands = [Band("x", since, since + timedelta(days) if days else None) for since, days in periods]
    found = axis([("one", bands)], today)
    assert 0 <= found.today <= 100
    assert len(found.years) <= 12
    for one in found.lanes[0].bands:
        assert one.start >= 0
        assert one.width > 0
        assert one.start + one.width <= 100.01


def test_what_has_no_words_has_none_in_any_language() -> None:
    for code in ("es", "en"):
        words = catalogues_of(code, [ROOT / "services/membership"])
        assert words.gettext("") == "", "not the head of a catalogue's file"
        assert words.gettext("Register") == ("Padrón" if code == "es" else "Register")
