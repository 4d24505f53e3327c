"""Every page with somebody who sees it, for tests and pictures; a page that is missing here fails a test."""

import email
import email.policy
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit

import httpx

from tests.browser.house import House

MARIANA, EMILIO, REBECA, LUCIA = "Mariana Ibarra", "Emilio Sosa", "Rebeca Treviño", "Lucía Montes"
CAROLINA, ERNESTO, NOEMI = "Carolina Meza", "Ernesto Ayala", "Noemí Salgado"


class Place(NamedTuple):
    """A page: the name of its picture, its address, who looks (None: nobody signed in), its status."""

    name: str
    path: str
    who: str | None
    status: int = 200


def places(house: House) -> list[Place]:
    """All pages of the demo. Addresses with ids are taken from what it holds now."""
    company = house.organization("Inyectora Tres Cerros")
    here = f"/organizations/{company['slug']}"
    pair = house.ask("/membership/duplicates")[0]
    applicant = house.organization("Estampados Valle Alto")
    asking = house.ask(f"/membership/memberships?organization_id={applicant['id']}")["items"][0]
    people = house.ask("/membership/accounts?limit=100")["items"]
    lucia = next(one for one in people if one["name"].startswith(LUCIA))
    speaks = house.ask(f"/membership/organizations/{company['id']}/people")
    event, ticket = _event(house)
    announcement, read = _announced(house)
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    link = house.tell("/reporting/shared-links", {"label": "Agencia de prueba", "indicator": "members", "until": until})
    found = [
        Place("door", "/", None),
        Place("sign-in", "/sign-in", None),
        Place("home", "/", MARIANA),
        Place("home-director", "/", REBECA),
        Place("home-representative", "/", LUCIA),
        Place("register", "/register", MARIANA),
        Place("register-filtered", "/register?type=university&cluster=regiomontano-norte", MARIANA),
        Place("register-duplicates", "/register/duplicates", MARIANA),
        Place("merge", f"/register/merge?one={pair['one']['id']}&other={pair['other']['id']}", MARIANA),
        Place("import", "/import", REBECA),
        Place("prospects", "/prospects", REBECA),
        Place("prospect-new", "/prospects/new", REBECA),
        Place("segments", "/register/segments?position=tier2", MARIANA),
        Place("application", f"/applications/{asking['id']}", REBECA),
        Place("requirements", "/clusters/regiomontano-norte/requirements", REBECA),
        Place("write", "/directory/troquelados-pena-alta/write", LUCIA),
        Place("organization", here, MARIANA),
        Place("organization-memberships", f"{here}?tab=memberships", MARIANA),
        Place("organization-events", f"{here}?tab=events", MARIANA),
        Place("organization-history", f"{here}?tab=history", MARIANA),
        Place("organization-edit", f"{here}/edit", MARIANA),
        Place("organization-as-others", f"{here}?seen_by=others", MARIANA),
        Place("organization-foreign", here, REBECA),
        Place("capabilities", f"{here}/capabilities", LUCIA),
        Place("capabilities-edit", f"{here}/capabilities/edit", LUCIA),
        Place("certificate-new", f"{here}/certificates/new", LUCIA),
        Place("site-new", f"{here}/sites/new", LUCIA),
        Place("people", f"{here}/people", LUCIA),
        Place("person-new", f"{here}/people/new", LUCIA),
        Place("person", f"{here}/people/{speaks[0]['id']}", REBECA),
        Place("directory", "/directory", LUCIA),
        Place("directory-cards", "/directory?view=cards&process=stamping", LUCIA),
        Place("directory-map", "/directory?view=map", MARIANA),
        Place("companies", "/companies", None),
        Place("clusters", "/clusters", MARIANA),
        Place("calendar", "/calendar/2027", LUCIA),
        Place("calendar-public", "/calendar/2027", None),
        Place("agenda", "/agenda", MARIANA),
        Place("calendar-subscribe", "/calendar/subscribe", LUCIA),
        Place("event-new", "/agenda/new", EMILIO),
        Place("event", f"/agenda/{event}", LUCIA),
        Place("event-public", f"/agenda/{event}", None),
        Place("event-edit", f"/agenda/{event}/edit", MARIANA),
        Place("event-move", f"/agenda/{event}/move", MARIANA),
        Place("event-people", f"/agenda/{event}/people", MARIANA),
        Place("event-waiting", f"/agenda/{event}/people?tab=waiting", MARIANA),
        Place("event-attendance", f"/agenda/{event}/people?tab=attendance", MARIANA),
        Place("event-result", f"/agenda/{event}/people?tab=result", MARIANA),
        Place("event-report", f"/participant-reports/{event}", MARIANA),
        Place("event-history", f"/agenda/{event}/people?tab=history", MARIANA),
        Place("ticket", f"/ticket/{ticket}", None),
        Place("check-in", f"/check-in/{ticket}", MARIANA),
        Place("indicators", "/indicators", MARIANA),
        Place("indicators-partner", "/indicators?by=type", CAROLINA),
        Place("facts", "/indicators/members/facts", MARIANA),
        Place("access", "/access", MARIANA),
        Place("access-person", f"/access/{lucia['id']}", MARIANA),
        Place("access-history", f"/access/{lucia['id']}/history", MARIANA),
        Place("access-invite", "/access/invite", EMILIO),
        Place("tokens", "/tokens", MARIANA),
        Place("token-new", "/tokens/new", MARIANA),
        Place("account", "/account", MARIANA),
        Place("messages", "/messages", MARIANA),
        Place("log", "/messages/log?facts=all", MARIANA),
        Place("announcements", "/announcements", MARIANA),
        Place("announcement", announcement, MARIANA),
        Place("announcement-read", read, None),
        Place("announcement-new", "/announcements/new", EMILIO),
        Place("templates", "/messages/templates?subject=certificate", MARIANA),
        Place("inbox", "/inbox", LUCIA),
        Place("preferences", "/preferences", LUCIA),
        Place("alerts", "/indicators/alerts", MARIANA),
        Place("shared-figures", "/indicators/shared", MARIANA),
        Place("shared-figure", urlsplit(link["address"]).path, None),
        Place("unsubscribe", _unsubscribe(house), None),
        Place("tasks", "/tasks", MARIANA),
        Place("operations", "/operations", ERNESTO),
        Place("not-allowed", "/tokens", EMILIO, 403),
        Place("not-found", "/organizations/nobody", MARIANA, 404),
        Place("components", "/dev/components", None),
    ]
    facts = house.ask("/membership/operations/lane?limit=1")["facts"]
    if facts:
        found.append(Place("fact", f"/membership/pages/facts/{facts[0]['sequence']}", NOEMI))
    messages = house.ask("/notifications/messages?limit=1")["items"]
    if messages:
        found.append(Place("message", f"/messages/{messages[0]['id']}", MARIANA))
    tasks = house.ask("/membership/tasks?everybody=true&limit=1")["tasks"]
    if tasks:
        found.append(Place("task", f"/tasks/membership/{tasks[0]['id']}", MARIANA))
    parked = house.ask("/events/operations/parked?limit=1")["items"]
    if parked:
        found.append(Place("parked", f"/events/pages/parked/{parked[0]['number']}", ERNESTO))
    return found


def _announced(house: House) -> tuple[str, str]:
    """The page of an announcement that went out, and where the reader of its mail finds it."""
    found = house.ask("/notifications/announcements?status=released")["items"] or [_announce(house)]
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        for file in house.mail.glob("*.eml"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            body = mail.get_body(("plain",))
            if link := re.search(r"/announcement/[0-9a-f-]{36}", body.get_content() if body else ""):
                return f"/announcements/{found[0]['id']}", link[0]
        time.sleep(0.05)
    raise AssertionError("no mail of an announcement came")


def _announce(house: House) -> dict[str, Any]:
    segment = house.tell("/membership/segments", {"name": "A todas", "filters": {"type": "university"}})
    text = {"segment_id": segment["id"], "title_es": "Aviso de prueba", "body_es": "Nada más.", "acknowledge": True}
    deadline = time.monotonic() + 15
    while True:
        try:
            one = house.tell("/notifications/announcements", text)
            break
        except HTTPError:  # its segment has not come yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    house.tell(f"/notifications/announcements/{one['id']}/prepare", {})
    people = house.ask("/membership/accounts?limit=100")["items"]
    mariana = next(person for person in people if person["name"].startswith(MARIANA))
    here = {"Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=house.url, headers=here) as client:  # another than who prepared it
        client.post("/door/card", data={"account_id": mariana["id"]})
        released = client.post(f"/notifications/announcements/{one['id']}/release", json={})
        assert released.status_code == 200, released.text
        return dict(released.json())


def _unsubscribe(house: House) -> str:
    """Where the reader of some mail leaves its topic."""
    for file in sorted(house.mail.glob("*.eml")):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        if found := str(mail["List-Unsubscribe"] or "").strip(" <>"):
            return urlsplit(found).path
    raise AssertionError("no mail has a topic that may be left")


def _event(house: House) -> tuple[str, str]:
    """The slug of an event of the network with a place taken and somebody waiting, and the code of a ticket."""
    title = "Foro de proveeduría de prueba"
    found = [one for one in house.ask("/events/gatherings?limit=500")["items"] if one["title"] == title]
    if not found:
        prices = [{"group": "own", "amount": "0"}, {"group": "public", "amount": "1400.00"}]
        made = house.tell("/events/gatherings", {
            "kind": "forum", "title": title, "mode": "both", "place": "Centro de convenciones, sala B", "capacity": 1,
            "starts": "2027-05-14T09:00:00-06:00", "ends": "2027-05-14T17:00:00-06:00", "prices": prices,
            "summary": "Armadoras y Tier 1 cuentan qué compran.", "speakers": "Ing. Renata Solís Duarte",
            "sessions": [{"title": "Requerimientos", "starts": "2027-05-14T09:30:00-06:00",
                          "ends": "2027-05-14T11:00:00-06:00"}],
        })  # fmt: skip
        found = [house.tell(f"/events/gatherings/{made['id']}/publish", {})]
        people = [{"name": name, "mail": f"{name.split()[0].lower()}@visita.example"}
                  for name in ("Irene Salas Ponce", "Hugo Lara Mena")]  # fmt: skip
        house.tell(f"/events/gatherings/{made['id']}/registrations", {"people": people})
    [first, *_] = house.ask(f"/events/gatherings/{found[0]['id']}/registrations")["items"]
    return found[0]["slug"], first["check_in_code"]
