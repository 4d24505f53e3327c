"""What events adds to the search of the top bar: events by title, place or speaker, without minding accents."""

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import NOW, Clock, published, town, writing
from tests.stack.people import somebody


async def test_events_are_found_by_title_place_or_speaker_and_drafts_by_who_prepares_them(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    word = place.slug[-8:]
    one = await published(client, cluster_id=str(place.host), title=f"Proveeduría {word}", speakers="Íñigo Paz")
    draft = (await client.post("/events/gatherings", json=writing(cluster_id=str(place.host),
                                                                  title=f"Borrador {word}"))).json()  # fmt: skip
    guest = await client_for("events", clock=clock, token=None)
    staff = await somebody(databases["events"], "cluster_staff", "cluster", place.host, now=NOW)
    lucia = await somebody(databases["events"], "representative", "organization", place.neighbour, now=NOW)

    for asked in (f"proveeduria {word}", word.upper()):
        found = await guest.get("/events/pages/search", params={"q": asked}, headers=lucia.headers)
        assert f"/agenda/{one['slug']}" in found.text
        assert draft["slug"] not in found.text
    own = await guest.get("/events/pages/search", params={"q": word}, headers=staff.headers)
    assert draft["slug"] in own.text
    speaker = await guest.get("/events/pages/search", params={"q": "inigo paz"}, headers=lucia.headers)
    assert "Proveeduría" in speaker.text
    silent = await guest.get("/events/pages/search", params={"q": "zzzz nadie"}, headers=lucia.headers)
    told = await guest.get("/events/pages/search", params={"q": "zzzz nadie", "nothing": "yes"}, headers=lucia.headers)
    assert "Nada" not in silent.text
    assert "zzzz nadie" in told.text
