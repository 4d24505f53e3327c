"""Calendars read back with the library: stable UID, SEQUENCE, what is called off, zones across daylight saving."""

from datetime import timedelta
from typing import Any

import httpx
import icalendar

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import NOW, Clock, people, published, register, town, writing
from tests.stack.people import somebody


async def read(client: httpx.AsyncClient, path: str) -> icalendar.Calendar:
    """A calendar as a program takes it."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    found = icalendar.Calendar.from_ical(answer.content)
    assert isinstance(found, icalendar.Calendar)
    return found


def events(calendar: icalendar.Calendar) -> list[Any]:
    return [part for part in calendar.walk("VEVENT")]  # noqa: C416


async def test_a_feed_follows_what_changes_under_the_same_uid(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    program = await client_for("events", clock=clock, token=None)
    feed = f"/calendar/clusters/{place.slug}.ics"
    one = await published(
        client, cluster_id=str(place.host), title="Ronda; con, signos", join_url="https://a.example/x"
    )
    draft = await client.post("/events/gatherings", json=writing(cluster_id=str(place.host), title="Secreto"))

    async def only() -> Any:
        calendar = await read(program, feed)
        assert "METHOD" not in calendar
        [event] = events(calendar)
        return event

    first = await only()
    assert str(first["SUMMARY"]) == "Ronda; con, signos"
    assert (int(first["SEQUENCE"]), str(first["STATUS"]), str(first["UID"])) == (0, "CONFIRMED", f"{one['id']}@cumulo")
    assert "a.example" not in first.to_ical().decode()  # the link is for who is registered
    path = f"/events/gatherings/{one['id']}"
    clock.pass_(hours=1)
    body = writing(cluster_id=str(place.host), title="Ronda", place="Sala C")
    await client.put(path, json=body, headers={"If-Match": "*"})
    second = await only()
    assert (int(second["SEQUENCE"]), second["UID"]) == (1, first["UID"])
    assert second["DTSTAMP"].dt - first["DTSTAMP"].dt == timedelta(hours=1)
    later = {"starts": "2027-06-04T09:00:00-06:00", "ends": "2027-06-04T17:00:00-06:00"}
    await client.post(f"{path}/postpone", json={})
    assert (int((await only())["SEQUENCE"]), str((await only())["STATUS"])) == (2, "CANCELLED")
    await client.post(f"{path}/postpone", json=later)
    moved = await only()
    assert (int(moved["SEQUENCE"]), str(moved["STATUS"]), moved["DTSTART"].dt.day) == (3, "CONFIRMED", 4)
    await client.post(f"{path}/cancel", json={"reason": "obra"})
    gone = await only()
    assert (int(gone["SEQUENCE"]), str(gone["STATUS"]), gone["UID"]) == (4, "CANCELLED", first["UID"])
    assert draft.status_code == 201
    assert (await program.get("/calendar/clusters/nowhere.ics")).status_code == 404
    file = await read(program, f"/agenda/{one['slug']}.ics")
    assert str(events(file)[0]["UID"]) == str(first["UID"])


async def test_zones_are_right_across_daylight_saving(client_for: ClientFor, databases: dict[str, Database]) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    host = str(place.host)
    for zone, starts, ends in (
        ("America/Mexico_City", "2022-07-01T15:00:00Z", "2022-07-01T16:00:00Z"),  # the last summer with it
        ("America/Mexico_City", "2027-07-01T15:00:00Z", "2027-07-01T16:00:00Z"),  # none any more
        ("America/Tijuana", "2027-07-01T16:00:00Z", "2027-07-01T17:00:00Z"),  # the border has it
        ("America/Tijuana", "2027-12-01T17:00:00Z", "2027-12-01T18:00:00Z"),
    ):
        await published(client, cluster_id=host, zone=zone, starts=starts, ends=ends)
    clock.now = NOW.replace(year=2023, month=3)
    calendar = await read(client, f"/calendar/clusters/{place.slug}.ics")
    zones: dict[str, Any] = {str(part["TZID"]): part for part in calendar.walk("VTIMEZONE")}
    assert set(zones) == {"America/Mexico_City", "America/Tijuana"}
    told = []
    for event in events(calendar):
        local = event["DTSTART"].dt.replace(tzinfo=None)
        zone = zones[event["DTSTART"].params["TZID"]].to_tz()  # the offset that the calendar itself says
        told.append((str(local), str(zone.utcoffset(local))))
    assert told == [
        ("2022-07-01 10:00:00", "-1 day, 19:00:00"),
        ("2027-07-01 09:00:00", "-1 day, 18:00:00"),
        ("2027-07-01 09:00:00", "-1 day, 17:00:00"),
        ("2027-12-01 09:00:00", "-1 day, 16:00:00"),
    ]


async def test_sessions_are_entries_of_their_own(client_for: ClientFor, databases: dict[str, Database]) -> None:
    place = await town(databases["events"])
    client = await client_for("events", clock=Clock())
    parts = [{"title": f"Módulo {n}", "starts": f"2027-05-{n:02}T15:00:00Z", "ends": f"2027-05-{n:02}T17:00:00Z"}
             for n in (4, 11)]  # fmt: skip
    one = await published(client, cluster_id=str(place.host), starts="2027-05-04T15:00:00Z",
                          ends="2027-05-11T17:00:00Z", sessions=parts)  # fmt: skip
    found = events(await read(client, f"/agenda/{one['slug']}.ics"))
    assert [str(event["UID"]) for event in found] == [f"{one['id']}.1@cumulo", f"{one['id']}.2@cumulo"]


async def test_a_persons_calendar_has_an_address_that_nobody_guesses_and_that_can_be_renewed(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    guest = await client_for("events", clock=clock, token=None)
    she = await somebody(databases["events"], "representative", "organization", place.own, now=NOW)
    mine = await published(client, cluster_id=str(place.host), join_url="https://a.example/sala", capacity=1)
    other = await published(client, cluster_id=str(place.host))
    full = await published(client, cluster_id=str(place.host), capacity=1)
    await register(client, full["id"], "ana")
    for one in (mine, full):
        body = {"people": [people("lucia")[0] | {"myself": True}], "organization_id": str(place.own)}
        made = await guest.post(f"/events/gatherings/{one['id']}/registrations", json=body, headers=she.headers)
        assert made.status_code == 201
    address = (await guest.get("/events/calendars/own", headers=she.headers)).json()["address"]
    path = address.removeprefix("http://test")
    found = {str(event["UID"]): event for event in events(await read(guest, path))}
    assert set(found) == {f"{mine['id']}@cumulo", f"{full['id']}@cumulo"}
    assert str(found[f"{mine['id']}@cumulo"]["STATUS"]) == "CONFIRMED"
    assert "https://a.example/sala" in str(found[f"{mine['id']}@cumulo"]["DESCRIPTION"])
    assert str(found[f"{full['id']}@cumulo"]["STATUS"]) == "TENTATIVE"
    assert other["id"] not in str(found)
    again = (await guest.get("/events/calendars/own", headers=she.headers)).json()["address"]
    assert again == address
    renewed = (await guest.post("/events/calendars/own/renew", headers=she.headers)).json()["address"]
    assert (await guest.get(path)).status_code == 404
    assert len(events(await read(guest, renewed.removeprefix("http://test")))) == 2
    page = await guest.get("/calendar/subscribe", headers=she.headers)
    assert renewed in page.text
    assert (await client.get("/events/calendars/own")).status_code == 403
