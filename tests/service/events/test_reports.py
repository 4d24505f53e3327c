"""Participant reports over HTTP and as pages: read, shown, noted once; nothing changes before somebody says so."""

import re
from typing import Any

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import Clock, published, register, town
from tests.stack.people import somebody

ZOOM = """\
Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes)
Ana (Moldes),ana@empresa.example,05/14/2027 09:05:00 AM,05/14/2027 11:00:00 AM,115
Luis,luis@empresa.example,05/14/2027 09:05:00 AM,05/14/2027 09:10:00 AM,5
Nadie Conocido,,05/14/2027 09:05:00 AM,05/14/2027 11:00:00 AM,115
Eva,eva@empresa.example,05/14/2027 09:00:00 AM,05/14/2027 11:00:00 AM,120
"""
WEBINAR: dict[str, Any] = {
    "kind": "webinar",
    "mode": "online",
    "place": None,
    "join_url": "https://meet.example/x",
    "capacity": 2,
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def attended(client: httpx.AsyncClient, id_: str) -> int:
    answer = await client.get(f"/events/gatherings/{id_}/result")
    found: int = answer.json()["attended"]
    return found


async def test_a_program_reads_a_report_and_then_has_it_noted_once(
    client_for: ClientFor, databases: dict[str, Database], clock: Clock
) -> None:
    await town(databases["events"])
    client = await client_for("events", clock=clock)
    one = await published(client, **WEBINAR)
    await register(client, one["id"], "ana", "luis", "eva")  # eva waits
    path = f"/events/participant-reports/{one['id']}"
    clock.pass_(days=66)

    answer = await client.post(path, json={"report": ZOOM})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert {person["name"].split()[0]: person["outcome"] for person in told["people"]} == {
        "Ana": "new", "Luis": "short", "Nadie": "unknown", "Eva": "no_place",
    }  # fmt: skip
    assert (told["minutes"], told["recorded"], told["other_day"]) == (60, 0, False)
    assert await attended(client, one["id"]) == 0

    for recorded in (1, 0):
        answer = await client.post(path, json={"report": ZOOM, "record": True})
        assert (answer.status_code, answer.json()["recorded"]) == (200, recorded)
    assert await attended(client, one["id"]) == 1
    listed = (await client.get(f"/events/gatherings/{one['id']}/registrations")).json()
    [ana] = [line for line in listed["items"] if line["name"] == "Ana"]
    assert ana["attended_at"].startswith("2027-05-14T15:05:00")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"report": "a,b\n1,2\n"}, 422, "report"),
        ({"report": ""}, 422, "report"),
        ({"report": "\x00\x00"}, 422, "report"),
        ({"report": "%PDF-1.7 x"}, 422, "report"),
        ({"report": ZOOM, "minutes": 0}, 422, "minutes"),
        ({"report": ZOOM, "minutes": 100000}, 422, "minutes"),
        ({"record": True}, 422, "report"),
        ({"report": ZOOM, "who": "x"}, 422, "who"),
    ],
)
async def test_what_is_no_report_is_refused_at_its_field(
    client_for: ClientFor, databases: dict[str, Database], clock: Clock, body: dict[str, object], status: int,
    field: str,
) -> None:  # fmt: skip
    await town(databases["events"])
    client = await client_for("events", clock=clock)
    one = await published(client, **WEBINAR)
    answer = await client.post(f"/events/participant-reports/{one['id']}", json=body)
    assert answer.status_code == status, answer.text
    assert field in answer.text


async def test_an_organiser_sees_what_a_report_says_and_notes_what_is_ticked(
    client_for: ClientFor, databases: dict[str, Database], clock: Clock
) -> None:
    place = await town(databases["events"])
    office, guest = await client_for("events", clock=clock), await client_for("events", clock=clock, token=None)
    one = await published(office, cluster_id=str(place.host), **WEBINAR)
    await register(office, one["id"], "ana", "luis")
    clock.pass_(days=66)
    staff = await somebody(databases["events"], "cluster_staff", "cluster", place.host, now=clock.now)
    other = await somebody(databases["events"], "cluster_staff", "cluster", place.other, now=clock.now)
    path, html = f"/participant-reports/{one['slug']}", {"Accept": "text/html"}

    tab = await guest.get(f"/agenda/{one['slug']}/people?tab=attendance", headers=staff.headers | html)
    assert path in tab.text
    first = await guest.get(path, headers=staff.headers | html)
    assert 'value="60"' in first.text
    refused = await guest.post(path, headers=staff.headers | html, data={"minutes": "x"})
    assert (refused.status_code, "Elige el archivo" in refused.text) == (422, True)
    refused = await guest.post(path, headers=staff.headers | html, data={"minutes": "30"},
                               files={"report": ("x.pdf", b"%PDF-1.7 ...")})  # fmt: skip
    assert (refused.status_code, "un documento PDF" in refused.text) == (422, True)

    shown = await guest.post(path, headers=staff.headers | html, data={"minutes": "30"},
                             files={"report": ("zoom.csv", ZOOM.encode("utf-16"))})  # fmt: skip
    assert shown.status_code == 200, shown.text
    assert "sin inscripción" in shown.text
    [line] = re.findall(r'name="shown" value="([^"]+)"[^>]* checked', shown.text)
    assert await attended(office, one["id"]) == 0

    done = await guest.post(f"{path}/noted", headers=staff.headers | html, data={"shown": line})
    assert (done.status_code, done.headers["location"]) == (303, f"/agenda/{one['slug']}/people?tab=attendance")
    assert await attended(office, one["id"]) == 1
    forged = await guest.post(f"{path}/noted", headers=staff.headers | html, data={"shown": "nobody@never"})
    assert forged.status_code == 303
    assert await attended(office, one["id"]) == 1

    for who in (other, None):
        headers = (who.headers if who else {}) | html
        assert (await guest.get(path, headers=headers)).status_code in (303, 401, 404)
        assert (await guest.post(f"{path}/noted", headers=headers, data={"shown": line})).status_code in (303, 401, 404)
    assert (await guest.get(path, headers=other.headers | html)).status_code == 404
