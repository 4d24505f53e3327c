"""The pages of access as a browser gets them: the door, Inicio, people and their roles, tokens of programs."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import httpx
import pytest

from shared.http.identity import COOKIE
from tests.service.membership.test_sign_in import Clock, Door

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]


class Reading(Door):
    """The door of a demo, whose browsers ask for pages in English."""

    def browser(self) -> httpx.AsyncClient:
        made = super().browser()
        made.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        return made

    async def mailed(self, browser: httpx.AsyncClient, mail: str, goes_to: str = "/") -> str:
        """The secret of a link that was asked for at the door's form."""
        answer = await browser.post("/door/link", data={"mail": mail, "next": goes_to})
        assert answer.status_code == 200, answer.text
        [address] = re.findall(r"http://\S+", self.mails(mail)[-1])
        return str(parse_qs(urlsplit(str(address)).query)["token"][0])

    async def reader(self, role: str = "coordinator", **more: object) -> httpx.AsyncClient:
        """A browser in which somebody new with this role is signed in; the pages speak English to it."""
        browser = self.browser()
        secret = await self.mailed(browser, await self.invited(role, language="en", **more))
        assert (await browser.post("/sign-in", data={"token": secret})).status_code == 303
        return browser


@pytest.fixture
async def door(client_for: ClientFor, tmp_path: Path) -> Reading:
    clock = Clock()
    staff = await client_for("membership", clock=clock, mail_folder=tmp_path, demo=True)
    async with staff.service.database.connection() as connection:  # type: ignore[attr-defined]
        await connection.execute("DELETE FROM attempt")
    return Reading(staff, tmp_path, clock)


def new_mail() -> str:
    return f"p{uuid4().hex[:10]}@red.example"


async def form(browser: httpx.AsyncClient, page: str, **values: str) -> dict[str, str]:
    """What a page's first form with a key sends along, and these values."""
    text = (await browser.get(page)).text
    [key] = re.findall(r'name="idempotency_key" value="([^"]+)"', text)[:1]
    return {"idempotency_key": key, **values}


def said_once(answer: httpx.Response, address: str) -> str:
    """The toast of a form that was done and led to this address."""
    assert (answer.status_code, answer.headers["location"]) == (303, address), answer.text
    tone, _, words = unquote(answer.cookies["cumulo_said"]).partition(" ")
    assert tone == "good"
    return words


def errors(answer: httpx.Response) -> Mapping[str, str]:
    """The errors of a form by field."""
    return dict(re.findall(r'id="error-(\w+)">.*?<span>(.*?)</span>', unescape(answer.text), re.DOTALL))


async def cluster(door: Reading, name: str = "Costa y Agave") -> str:
    body = {"name": name, "slug": f"c-{uuid4().hex}", "state": "JAL"}
    return str((await door.staff.post("/membership/clusters", json=body)).json()["id"])


async def test_a_link_from_the_mail_leads_through_its_button_to_where_one_was_going(door: Reading) -> None:
    browser, mail = door.browser(), await door.invited(language="en", name="Mariana Ibarra Quiroz")
    assert 'name="mail"' in (await browser.get("/")).text
    secret = await door.mailed(browser, mail, "/account")
    for _ in range(2):  # opening it, as a mail scanner does, uses nothing up
        page = await browser.get("/sign-in", params={"token": secret})
        assert f'value="{secret}"' in page.text
    opened = await browser.post("/sign-in", data={"token": secret})
    assert (opened.status_code, opened.headers["location"]) == (303, "/account")
    assert "Mariana Ibarra Quiroz" in (await browser.get("/account")).text
    assert "Hello, Mariana" in (await browser.get("/")).text
    again = await door.browser().post("/sign-in", data={"token": secret})
    assert again.status_code == 401
    assert "This link opens nothing" in again.text
    assert "Ask for another link" in again.text


async def test_the_door_says_the_same_to_strangers_and_what_is_wrong_at_the_field(door: Reading) -> None:
    pages = []
    for mail in (await door.invited(), new_mail()):
        answer = await door.browser().post("/door/link", data={"mail": mail})
        pages.append((answer.status_code, answer.text.replace(mail, "")))
    assert pages[0] == pages[1]
    wrong = await door.browser().post("/door/link", data={"mail": "nobody"})
    assert (wrong.status_code, list(errors(wrong))) == (422, ["mail"])
    away = await door.browser().get("/", params={"next": "//evil.example"})
    assert '<input type="hidden" name="next" value="/">' in away.text


async def test_a_card_lets_a_demo_person_in_and_leaving_ends_it(door: Reading, client_for: ClientFor) -> None:
    from services.membership.access.commands import accounts

    async with door.staff.service.unit(actor="cli", cause="test") as unit:  # type: ignore[attr-defined]
        made = await accounts.invite(
            unit, new_mail(), role="coordinator", today=unit.now.date(), demo="coordinator", name="Nora Peña Luna"
        )
    browser = door.browser()
    assert "Nora Peña Luna" in (await browser.get("/")).text
    entered = await browser.post("/door/card", data={"account_id": str(made.account.id)})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "Hola, Nora" in (await browser.get("/")).text or "Hello, Nora" in (await browser.get("/")).text
    kept = browser.cookies[COOKIE]
    door.clock.now += timedelta(minutes=20)  # the token has run out; the session, which could be renewed, ends
    left = await browser.post("/door/leave")
    assert (left.status_code, left.headers["location"]) == (303, "/")
    stolen = door.browser()
    stolen.cookies.set(COOKIE, kept)
    assert (await stolen.get("/door/renew", params={"next": "/account"})).headers["location"] == "/?next=%2Faccount"
    elsewhere = await client_for("membership", token=None)
    assert 'action="/door/card"' not in (await elsewhere.get("/")).text
    assert (await elsewhere.post("/door/card", data={"account_id": str(made.account.id)})).status_code == 404


async def test_a_session_that_ran_out_is_renewed_on_the_way_to_a_page(door: Reading) -> None:
    browser = await door.reader()
    door.clock.now += timedelta(minutes=20)
    first = await browser.get("/access", params={"role": "partner"})
    assert (first.status_code, urlsplit(first.headers["location"]).path) == (303, "/door/renew")
    back = await browser.get(first.headers["location"])
    assert back.headers["location"] == "/access?role=partner"
    assert (await browser.get(back.headers["location"])).status_code == 200


async def test_who_i_am_is_changed_with_the_language_of_the_pages(door: Reading) -> None:
    browser = await door.reader()
    refused = await browser.post("/account", data={"name": " ", "language": "es"})
    assert (refused.status_code, list(errors(refused))) == (422, ["name"])
    done = await browser.post("/account", data=await form(browser, "/account", name="Ana Luz", language="es"))
    assert done.cookies["cumulo_language"] == "es"
    page = (await browser.get("/account")).text
    assert 'value="Ana Luz"' in page
    assert "Cerrar sesión en todas partes" in page
    assert (await browser.post("/account/leave-everywhere")).headers["location"] == "/"
    assert "/door/renew" in (await browser.get("/account")).headers["location"]


async def test_an_invitation_says_what_is_wrong_at_its_field_and_goes_out_once(door: Reading) -> None:
    browser, mail = await door.reader(), new_mail()
    for values, fields in (
        ({"mail": "nobody", "role": "treasurer"}, ["mail"]),
        ({"mail": mail, "role": "emperor"}, ["role"]),
        ({"mail": mail, "role": "cluster_staff"}, ["cluster"]),
        ({"mail": mail, "role": "cluster_staff", "cluster": str(uuid4())}, ["cluster"]),
        ({"mail": mail, "role": "representative"}, ["organization"]),
        ({"mail": mail, "role": "representative", "organization": "Nadie \x00 S.A."}, ["organization"]),
        ({"mail": mail, "role": "treasurer", "since": "2026-02-30"}, ["since"]),
        ({"mail": mail, "role": "treasurer", "last": "2020-01-01"}, ["last"]),
        ({"mail": mail, "role": "treasurer", "name": "x" * 301}, ["name"]),
    ):
        refused = await browser.post(
            "/access/invite", data=await form(browser, "/access/invite", language="es", **values)
        )
        assert (refused.status_code in (404, 422), list(errors(refused))) == (True, fields), values
    assert door.mails(mail, "") == []
    values = await form(browser, "/access/invite", mail=mail, role="treasurer", language="es", last="2026-12-31")
    first, second = [await browser.post("/access/invite", data=values) for _ in range(2)]
    assert "is invited" in said_once(first, "/access")
    assert (second.status_code, second.headers["idempotency-replayed"]) == (303, "true")
    assert len(door.mails(mail, "")) == 1
    again = {**values, "idempotency_key": str(uuid4())}
    twice = await browser.post("/access/invite", data=again)
    assert (twice.status_code, list(errors(twice))) == (409, ["role"])
    # the refused sending left nothing behind, not even its key
    corrected = await browser.post("/access/invite", data=again | {"role": "partner"})
    assert corrected.status_code == 303


async def test_a_representative_is_invited_by_the_name_of_the_company(door: Reading) -> None:
    browser, word = await door.reader(), f"Ñandú{uuid4().hex[:8]}"
    for name in (f"Troquelados {word}", f"Arneses {word}"):
        body = {"legal_name": name, "trade_name": name, "type": "company", "country": "MX"}
        answer = await door.staff.post("/membership/organizations", json=body)
        assert answer.status_code == 201, answer.text
    values = {"mail": new_mail(), "role": "representative", "language": "es"}
    several = await browser.post("/access/invite", data=values | {"organization": word})
    assert list(errors(several)) == ["organization"]
    offered = re.findall(r'name="organization_id" value="([^"]+)"', several.text)
    assert len(offered) == 2
    chosen = await browser.post("/access/invite", data=values | {"organization": word, "organization_id": offered[0]})
    assert chosen.status_code == 303
    exact = await browser.post(
        "/access/invite", data=values | {"mail": new_mail(), "organization": f"troquelados {word}".upper()}
    )
    assert exact.status_code == 303


async def test_what_the_assistant_prepares_waits_on_the_coordinators_inicio(door: Reading) -> None:
    assistant, coordinator, mail = await door.reader("assistant"), await door.reader(), new_mail()
    asked = await assistant.post("/access/invite", data={"mail": mail, "role": "treasurer", "language": "en"})
    assert "Prepared" in said_once(asked, "/access")
    own = (await assistant.get("/access")).text
    assert mail in own
    assert mail not in (await assistant.get("/")).text
    assert not re.search(r"/release\"", own)
    home = (await coordinator.get("/")).text
    assert mail in home
    [id_] = re.findall(rf"{mail}.*?/access/prepared/([0-9a-f-]+)/release", home, re.DOTALL)
    refused = await assistant.post(f"/access/prepared/{id_}/release")
    assert refused.status_code == 403
    assert "network coordinator" in refused.text
    released = await coordinator.post(f"/access/prepared/{id_}/release")
    assert "is invited" in said_once(released, "/access")
    assert len(door.mails(mail, "")) == 1
    assert "It waits no more" in said_once(await coordinator.post(f"/access/prepared/{id_}/release"), "/access")
    asked = await assistant.post("/access/invite", data={"mail": new_mail(), "role": "treasurer", "language": "en"})
    [id_] = re.findall(r"/access/prepared/([0-9a-f-]+)/drop", (await assistant.get("/access")).text)
    assert "Given up" in said_once(await assistant.post(f"/access/prepared/{id_}/drop"), "/access")


async def test_the_list_shows_a_director_the_own_cluster_and_filters_with_counts(door: Reading) -> None:
    ours, theirs = await cluster(door), await cluster(door, "Dos Volcanes")
    director = await door.reader("cluster_director", cluster_id=ours, name="Rebeca Treviño Salas")
    near = await door.invited("cluster_staff", cluster_id=ours, name="Íñigo Arce")
    far = await door.invited("cluster_staff", cluster_id=theirs, name="Íñigo Lejos")
    page = (await director.get("/access")).text
    assert near in page
    assert far not in page
    assert "Dos Volcanes" not in page
    found = (await director.get("/access", params={"q": "inigo"})).text
    assert near in found
    assert "Rebeca Treviño Salas" not in re.split("<main", found)[1]
    assert near not in (await director.get("/access", params={"role": "cluster_director"})).text
    nobody = (await director.get("/access", params={"role": "buyer", "over": ours})).text
    assert "None with these filters" in nobody
    assert "gives 2" in nobody
    account = next(a for a in (await door.staff.get("/membership/accounts?limit=500")).json()["items"]
                   if a["mail"] == far)  # fmt: skip
    for tab in ("", "/history"):
        assert (await director.get(f"/access/{account['id']}{tab}")).status_code == 404


async def test_what_staff_prepare_for_a_company_waits_with_them_and_with_the_director_of_its_cluster(
    door: Reading,
) -> None:
    ours, theirs = await cluster(door), await cluster(door, "Dos Volcanes")
    near, far = (
        await door.reader("cluster_director", cluster_id=ours), await door.reader("cluster_director", cluster_id=theirs)
    )  # fmt: skip
    staff, mail, name = await door.reader("cluster_staff", cluster_id=ours), new_mail(), f"Arneses {uuid4().hex[:8]}"
    body = {"legal_name": name, "trade_name": name, "type": "company", "country": "MX"}
    company = (await door.staff.post("/membership/organizations", json=body)).json()["id"]
    applied = await door.staff.post(
        "/membership/memberships",
        json={"organization_id": company, "cluster_id": ours, "category": "associate"},
    )
    assert applied.status_code == 201, applied.text
    assert 'href="/access/invite"' in (await staff.get("/")).text
    asked = await staff.post(
        "/access/invite", data={"mail": mail, "role": "representative", "organization": name, "language": "es"}
    )
    assert "Prepared" in said_once(asked, "/access/invite")
    own = (await staff.get("/access/invite")).text
    assert mail in own
    assert not re.search(r"/release\"", own)
    assert mail not in (await far.get("/access")).text
    page = (await near.get("/access")).text
    [id_] = re.findall(rf"{mail}.*?/access/prepared/([0-9a-f-]+)/release", page, re.DOTALL)
    assert "is invited" in said_once(await near.post(f"/access/prepared/{id_}/release"), "/access")
    assert len(door.mails(mail, "")) == 1


async def test_a_role_ends_with_a_reason_and_nobodys_own(door: Reading) -> None:
    coordinator, mail = await door.reader(), await door.invited("assistant", name="Emilio Sosa Rangel")
    listed = (await coordinator.get("/access", params={"q": mail})).text
    [id_] = re.findall(r'href="/access/([0-9a-f-]{36})"', listed)
    page = (await coordinator.get(f"/access/{id_}")).text
    [action] = re.findall(r'action="(/access/[^"]+/withdraw)"', page)
    bare = await coordinator.post(action, data={"reason": " "})
    assert (bare.status_code, list(errors(bare))) == (422, ["reason"])
    done = await coordinator.post(action, data={"reason": "Terminó su servicio social"})
    assert said_once(done, f"/access/{id_}") == "The role ended"
    gone = await coordinator.post(action, data={"reason": "Otra vez"})
    assert said_once(gone, f"/access/{id_}") == "This role had ended already"
    history = (await coordinator.get(f"/access/{id_}/history")).text
    assert "Terminó su servicio social" in history
    assert "ended the role assistant of the network · whole network" in history
    assert "gave the role assistant of the network · whole network, since" in history
    mine = (await coordinator.get("/membership/me")).json()["id"]
    assert "/withdraw" not in (await coordinator.get(f"/access/{mine}")).text


async def test_a_token_is_shown_once_works_and_is_revoked(door: Reading) -> None:
    browser, operator = await door.reader(), await door.reader("operator")
    assert (
        await operator.post("/tokens/new", data={"name": "CRM", "role": "service", "days": "30"})
    ).status_code == 403
    for values, field in (
        ({"name": "", "role": "service", "days": "30"}, "name"),
        ({"name": "CRM", "role": "coordinator", "days": "30"}, "role"),
        ({"name": "CRM", "role": "service", "days": "9999"}, "days"),
        ({"name": "CRM", "role": "service", "days": "soon"}, "days"),
        ({"name": "CRM", "role": "service", "days": "30", "cluster": str(uuid4())}, "cluster"),
    ):
        refused = await browser.post("/tokens/new", data=values)
        assert list(errors(refused)) == [field], values
    name = f"CRM {uuid4().hex[:6]}"
    values = await form(browser, "/tokens/new", name=name, role="service", days="30", services="membership")
    made = await browser.post("/tokens/new", data=values)
    assert (made.status_code, made.headers["location"]) == (303, "/tokens")
    assert made.text == ""
    shown = await browser.get("/tokens")
    [token] = re.findall(r"<code>(ey[^<]+)</code>", shown.text)
    assert shown.headers["cache-control"] == "no-store"
    again = await browser.get("/tokens")
    assert name in again.text
    assert token not in again.text
    # sent twice it is made once, and the second answer does not carry it
    replayed = await browser.post("/tokens/new", data=values)
    assert (replayed.headers["idempotency-replayed"], "set-cookie" in replayed.headers) == ("true", False)
    assert (await browser.get("/tokens")).text.count(f"{name}<small>") == 1
    program = httpx.AsyncClient(
        transport=door.staff._transport, base_url="http://test", headers={"Authorization": f"Bearer {token}"}
    )
    assert (await program.get("/membership/feed")).status_code == 200
    [id_] = re.findall(rf"{name}<small>.*?data-opens=\"revoke-([0-9a-f-]+)\"", again.text, re.DOTALL)
    assert "opens nothing" in said_once(await operator.post(f"/tokens/{id_}/revoke"), "/tokens")
    assert (await program.get("/membership/feed")).status_code == 401


@pytest.mark.parametrize(
    ("role", "page"), [("assistant", "/tokens"), ("treasurer", "/access"), ("operator", "/access/invite")]
)
async def test_a_page_that_is_not_ones_own_says_who_may(door: Reading, role: str, page: str) -> None:
    browser = await door.reader(role)
    refused = await browser.get(page)
    assert refused.status_code == 403
    assert "network coordinator" in refused.text
    assert f'href="{page}"' not in (await browser.get("/access" if page != "/access" else "/")).text


async def test_who_is_refused_asks_the_coordination_by_a_button(door: Reading) -> None:
    mail = await door.invited("coordinator", language="en", name="Mariana Ibarra")
    assistant = await door.reader("assistant", name="Emilio Sosa")
    refused = await assistant.get("/tokens?after=x")
    assert (refused.status_code, 'action="/access/ask"' in refused.text) == (403, True)
    asked = await assistant.post("/access/ask", data={"page": "/tokens"})
    assert "was asked" in said_once(asked, "/")
    [letter] = [one for one in door.mails(mail, "") if "asks for a page" in one]
    assert "http://test/tokens" in letter
    away = await assistant.post("/access/ask", data={"page": "//evil.example"})
    assert away.status_code == 303
    assert not any("evil" in one for one in door.mails(mail, ""))
    for _ in range(8):
        assert (await assistant.post("/access/ask", data={"page": "/tokens"})).status_code == 303
    assert (await assistant.post("/access/ask", data={"page": "/tokens"})).status_code == 429
    assert (await door.browser().post("/access/ask")).status_code in (303, 401)


async def test_a_form_from_another_site_changes_nothing(door: Reading) -> None:
    browser, mail = await door.reader(), new_mail()
    browser.headers["Sec-Fetch-Site"] = "cross-site"
    for path in ("/access/invite", "/tokens/new", "/account", "/door/leave", "/account/leave-everywhere"):
        answer = await browser.post(path, data={"mail": mail, "role": "treasurer", "language": "es", "name": "x"})
        assert answer.status_code == 403, path
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    assert (await browser.get("/account")).status_code == 200
