"""An announcement to a segment: counted before it goes, released by another, stopped, with receipts; nobody twice."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import uuid_utils.compat as uuid_utils

from services.notifications.messages.jobs import send_due
from services.notifications.subjects.views import blocks
from shared.contracts.membership import OrganizationState, PersonState, Represented, SegmentState
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.bus.records import item
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, take
from tests.stack.people import Somebody, somebody

DOOR = "https://cumulo.example"
TEXT = {"title_es": "Foro de proveeduría", "body_es": "Abre el lunes.\n\n- Cupo: 120\n- Más: https://red.example/foro."}
HTML = {"Accept": "text/html", "Accept-Language": "es"}

Told = Callable[[UUID], Awaitable[list[tuple[str, dict[str, Any]]]]]


class Audience:
    """Three companies in a cluster's segment: one with two representatives, one who speaks for two, one without."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.segment = uuid_utils.uuid7()
        self.second, self.silent, self.bea = (uuid_utils.uuid7() for _ in range(3))
        self.bea_mail = f"bea-{self.bea.hex[-8:]}@firma.example"

    def records(self) -> list[Received]:
        """Of ana, who speaks for two companies, there is a second entry under the same address in capitals."""
        scene, also = self.scene, uuid_utils.uuid7()
        return [
            scene.cluster_state(), scene.organization_state(),
            self._company(self.second, "Arneses del Nazas"), self._company(self.silent, "Fundición Cantera Rosa"),
            self._speaks(scene.person, [scene.organization, self.second], scene.mail, "es"),
            self._speaks(self.bea, [self.second], self.bea_mail, "en"),
            self._speaks(also, [self.second], scene.mail.upper(), "es"),
        ]  # fmt: skip

    def drawn(self, version: int = 1, *, ids: list[UUID] | None = None, cluster: bool = True) -> Received:
        held = [self.scene.organization, self.second, self.silent] if ids is None else ids
        data = SegmentState(segment_id=self.segment, cluster_id=self.scene.cluster if cluster else None, drawn_at=NOW,
                            organization_ids=held)  # fmt: skip
        return item(data, self.segment, version)

    @staticmethod
    def _company(key: UUID, name: str) -> Received:
        data = OrganizationState(organization_id=key, slug=key.hex, legal_name=name, trade_name=name, type="company",
                                 country="MX", state=None, city=None, positions=[])  # fmt: skip
        return item(data, key, 1)

    @staticmethod
    def _speaks(key: UUID, companies: list[UUID], mail: str, language: Any) -> Received:
        spoken = [Represented(organization_id=one, role="sales", main=True, since=NOW.date()) for one in companies]
        data = PersonState(person_id=key, organization_id=companies[0], name="Ana Sol", mail=mail, language=language,
                           represents=spoken)  # fmt: skip
        return item(data, key, 1)


@pytest.fixture
async def client(client_for: ClientFor, clock: Clock) -> httpx.AsyncClient:
    return await client_for("notifications", token=None, clock=clock)


@pytest.fixture
async def audience(databases: dict[str, Database]) -> Audience:
    one = Audience()
    await take(databases["notifications"], one.records(), NOW)
    await take(databases["notifications"], [one.drawn()], NOW, "notifications.segments")
    return one


@pytest.fixture
def told(databases: dict[str, Database]) -> Told:
    """The facts of an aggregate, oldest first."""

    async def facts(key: UUID) -> list[tuple[str, dict[str, Any]]]:
        async with databases["notifications"].connection() as connection:
            asked = "SELECT type, version, payload FROM outbox WHERE aggregateid = $1 ORDER BY version"
            rows = await connection.fetch(asked, str(key))
        assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
        return [(row["type"].split(".")[-2], orjson.loads(row["payload"])) for row in rows]

    return facts


async def emilio_of(databases: dict[str, Database]) -> Somebody:
    return await somebody(databases["notifications"], "assistant", name="Emilio Sosa Rangel", now=NOW)


async def written(client: httpx.AsyncClient, who: Somebody, audience: Audience, **more: Any) -> dict[str, Any]:
    body = {"segment_id": str(audience.segment), **TEXT, **more}
    answer = await client.post("/notifications/announcements", json=body, headers=who.headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def stepped(client: httpx.AsyncClient, who: Somebody, one: dict[str, Any], step: str) -> httpx.Response:
    headers = who.headers | {"If-Match": f'"{one["revision"]}"'}
    return await client.post(f"/notifications/announcements/{one['id']}/{step}", headers=headers)


async def test_the_assistant_prepares_another_releases_and_each_address_gets_it_once(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience, sender: SenderFor,
    sink: tuple[Sink, int], told: Told,
) -> None:  # fmt: skip
    handler, port = sink
    emilio = await emilio_of(databases)
    mariana = await somebody(databases["notifications"], "coordinator", name="Mariana Ibarra Quiroz", now=NOW)
    one = await written(client, emilio, audience, title_en="Supply forum", body_en="Opens on Monday.", acknowledge=True)
    reached = (await client.get(f"/notifications/announcements/{one['id']}/audience", headers=emilio.headers)).json()
    assert reached == {"people": 2, "english": 1, "organizations": 3, "without": 1, "muted": 0, "refusing": 0}

    assert (await stepped(client, mariana, one, "release")).status_code == 409  # nobody has prepared it
    ready = (await stepped(client, emilio, one, "prepare")).json()
    assert (ready["status"], ready["organizations"]) == ("ready", 3)
    refused = await stepped(client, emilio, ready, "release")
    assert refused.status_code == 403, refused.text

    home = await client.get("/notifications/pages/home/pending", headers=mariana.headers | HTML)
    assert "Foro de proveeduría" in home.text
    assert "Emilio Sosa Rangel" in home.text
    own = await client.get("/notifications/pages/home/pending", headers=emilio.headers | HTML)
    assert "Foro de proveeduría" not in own.text

    released = (await stepped(client, mariana, ready, "release")).json()
    assert (released["status"], released["states"]) == ("released", {"due": 2})
    again = await stepped(client, mariana, released, "release")
    assert again.status_code == 409
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    [ana] = handler.to(audience.scene.mail) + handler.to(audience.scene.mail.upper())
    [bea] = handler.to(audience.bea_mail)
    assert (ana["Subject"], bea["Subject"]) == ("Foro de proveeduría", "Supply forum")
    html = ana.get_body(("html",))
    assert html is not None
    assert "Cupo: 120</li>" in html.get_content()
    assert 'href="https://red.example/foro"' in html.get_content()
    assert str(ana["List-Unsubscribe"]).startswith(f"<{DOOR}/unsubscribe/")

    link = str(ana["List-Unsubscribe"]).strip("<>").replace(f"{DOOR}/unsubscribe", "/announcement")
    for _ in range(2):  # a scanner looks, its reader looks
        page = await client.get(link, headers=HTML)
        assert (page.status_code, "Ya confirmaste" in page.text) == (200, False), page.text
    for _ in range(2):
        assert "Ya confirmaste" in (await client.post(link, headers=HTML)).text
    seen = (await client.get(f"/notifications/announcements/{one['id']}", headers=mariana.headers)).json()
    assert (seen["states"], seen["answered"], seen["acknowledged"]) == ({"sent": 2}, 1, 1)
    receipts = (await client.get(f"/notifications/announcements/{one['id']}/receipts", headers=mariana.headers)).json()
    became = {(row["state"], row["how"]) for row in receipts["items"]}
    assert became == {("sent", "acknowledged"), ("sent", None)}
    assert [kind for kind, _ in await told(UUID(one["id"]))] == ["AnnouncementPrepared", "AnnouncementReleased"]
    for row in receipts["items"]:
        facts = await told(UUID(row["id"]))
        assert [kind for kind, _ in facts] == ["MessageSent", "MessageAnswered"][: 2 if row["how"] else 1]
        assert facts[0][1]["subject"] == "announcement"
        assert facts[0][1]["cluster_id"] == str(audience.scene.cluster)
    pages = await client.get(f"/announcements/{one['id']}", headers=mariana.headers | HTML)
    assert "Enterados" in pages.text
    csv = await client.get(f"/announcements/{one['id']}/receipts.csv", headers=mariana.headers | HTML)
    assert csv.text.count("\n") == 3
    assert audience.bea_mail not in csv.text + pages.text


async def test_what_was_held_ready_and_is_changed_must_be_prepared_again(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience
) -> None:
    emilio, mariana = await emilio_of(databases), await somebody(databases["notifications"], "coordinator", now=NOW)
    one = await written(client, emilio, audience)
    ready = (await stepped(client, emilio, one, "prepare")).json()
    body = {"segment_id": str(audience.segment), **TEXT, "title_es": "Otro título"}
    path = f"/notifications/announcements/{one['id']}"
    stale = await client.put(path, json=body, headers=mariana.headers | {"If-Match": f'"{one["revision"]}"'})
    assert stale.status_code == 412
    changed = await client.put(path, json=body, headers=mariana.headers | {"If-Match": f'"{ready["revision"]}"'})
    assert (changed.json()["status"], changed.json()["prepared_by"]) == ("draft", None)
    assert (await stepped(client, mariana, ready, "release")).status_code == 412
    unseen = await client.put(path, json=body, headers=mariana.headers)
    assert unseen.status_code == 428


async def test_stopping_keeps_back_what_has_not_gone_out_and_tells_it(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience, sender: SenderFor,
    sink: tuple[Sink, int], told: Told, clock: Clock,
) -> None:  # fmt: skip
    handler, port = sink
    emilio, mariana = await emilio_of(databases), await somebody(databases["notifications"], "coordinator", now=NOW)
    at = (NOW + timedelta(hours=2)).isoformat()
    one = await written(client, emilio, audience, send_at=at)
    ready = (await stepped(client, emilio, one, "prepare")).json()
    released = (await stepped(client, mariana, ready, "release")).json()
    async with sender(mail_port=port, public_url=DOOR) as service:
        assert await send_due(service) == 0  # it is not time yet
        stopped = await client.post(f"/notifications/announcements/{one['id']}/stop", headers=emilio.headers)
        assert (stopped.json()["status"], stopped.json()["states"]) == ("stopped", {"stopped": 2}), released
        clock.now = NOW + timedelta(hours=3)
        assert await send_due(service) == 0
        clock.now = NOW
    assert handler.to(audience.scene.mail) + handler.to(audience.bea_mail) == []
    assert (await told(UUID(one["id"])))[-1] == (
        "AnnouncementStopped",
        {"announcement_id": one["id"], "cluster_id": str(audience.scene.cluster), "segment_id": str(audience.segment),
         "stopped": 2},
    )  # fmt: skip
    receipts = (await client.get(f"/notifications/announcements/{one['id']}/receipts", headers=mariana.headers)).json()
    for row in receipts["items"]:
        assert [(kind, data["reason"]) for kind, data in await told(UUID(row["id"]))] == [("MessageNotSent", "stopped")]


async def test_a_mail_that_was_on_its_way_when_it_was_stopped_is_told_as_sent(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience, sender: SenderFor,
    sink: tuple[Sink, int],
) -> None:  # fmt: skip
    handler, port = sink
    emilio, mariana = await emilio_of(databases), await somebody(databases["notifications"], "coordinator", now=NOW)
    ready = (await stepped(client, emilio, await written(client, emilio, audience), "prepare")).json()
    await stepped(client, mariana, ready, "release")
    path = f"/notifications/announcements/{ready['id']}"

    ours = asyncio.get_running_loop()  # the mail server has one of its own

    async def stop_meanwhile(server: Any, session: Any, envelope: Any) -> str:
        asked = asyncio.run_coroutine_threadsafe(client.post(f"{path}/stop", headers=emilio.headers), ours)
        answer = await asyncio.wrap_future(asked)
        assert answer.status_code in (200, 409), answer.text
        return await taken(server, session, envelope)

    taken, handler.handle_DATA = handler.handle_DATA, stop_meanwhile  # type: ignore[method-assign]
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    states = (await client.get(path, headers=mariana.headers)).json()["states"]
    assert states == {"sent": 1, "stopped": 1}
    assert len(handler.mails) == 1


async def test_whoever_turned_announcements_off_has_it_in_the_inbox_only(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience, sender: SenderFor,
    sink: tuple[Sink, int],
) -> None:  # fmt: skip
    handler, port = sink
    ana = await somebody(databases["notifications"], "representative", "organization", audience.scene.organization,
                         now=NOW, mail=audience.scene.mail)  # fmt: skip
    chosen = {"preferences": [{"topic": "announcements", "mail": False, "inbox": True}]}
    assert (await client.put("/notifications/preferences", json=chosen, headers=ana.headers)).status_code == 200
    emilio, mariana = await emilio_of(databases), await somebody(databases["notifications"], "coordinator", now=NOW)
    one = await written(client, emilio, audience)
    reached = (await client.get(f"/notifications/announcements/{one['id']}/audience", headers=emilio.headers)).json()
    assert reached["muted"] == 1
    ready = (await stepped(client, emilio, one, "prepare")).json()
    await stepped(client, mariana, ready, "release")
    async with sender(mail_port=port, public_url=DOOR) as service:
        await send_all(service)
    assert len(handler.mails) == 1
    notes = (await client.get("/notifications/inbox", headers=ana.headers)).json()["items"]
    assert [note["subject"] for note in notes] == ["announcement"]
    page = await client.get(f"/inbox/{notes[0]['id']}", headers=ana.headers | HTML)
    assert "Cupo: 120" in page.text
    seen = (await client.get(f"/notifications/announcements/{one['id']}", headers=mariana.headers)).json()
    assert (seen["states"], seen["answered"]) == ({"sent": 1, "muted": 1}, 1)


async def test_another_clusters_segment_and_announcement_are_not_to_be_had(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience
) -> None:
    database = databases["notifications"]
    rebeca = await somebody(database, "cluster_director", "cluster", audience.scene.cluster, now=NOW)
    foreign = await somebody(database, "cluster_director", "cluster", uuid_utils.uuid7(), now=NOW)
    body = {"segment_id": str(audience.segment), **TEXT}
    refused = await client.post("/notifications/announcements", json=body, headers=foreign.headers)
    assert (refused.status_code, refused.json()["field"]) == (404, "segment_id")
    one = await written(client, rebeca, audience)
    path = f"/notifications/announcements/{one['id']}"
    for asked in (path, f"{path}/audience", f"{path}/receipts", f"/announcements/{one['id']}",
                  f"/announcements/{one['id']}/mail", f"/announcements/{one['id']}/receipts.csv"):  # fmt: skip
        assert (await client.get(asked, headers=foreign.headers | HTML)).status_code == 403, asked
    for step in ("prepare", "release", "stop"):
        assert (await stepped(client, foreign, one, step)).status_code == 403, step
    assert (await client.delete(path, headers=foreign.headers)).status_code == 403
    assert (await client.get("/notifications/announcements", headers=foreign.headers)).json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"title_es": ""}, "title_es"),
        ({"body_es": "  "}, "body_es"),
        ({"title_en": "Only a title"}, "body_en"),
        ({"send_at": "2026-12-31T12:00:00Z"}, "send_at"),
        ({"title_es": "x" * 151}, "title_es"),
        ({"segment_id": "01990000-0000-7000-8000-000000000000"}, "segment_id"),
    ],
)
async def test_what_is_missing_is_named_and_nothing_is_kept(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience, wrong: dict[str, str], field: str
) -> None:
    rebeca = await somebody(databases["notifications"], "cluster_director", "cluster", audience.scene.cluster, now=NOW)
    body = {"segment_id": str(audience.segment), **TEXT} | wrong
    refused = await client.post("/notifications/announcements", json=body, headers=rebeca.headers)
    assert refused.status_code in (404, 422), refused.text
    assert field in refused.text
    assert (await client.get("/notifications/announcements", headers=rebeca.headers)).json()["items"] == []


async def test_a_segment_of_nobody_or_of_too_many_is_refused_when_it_is_prepared(
    client: httpx.AsyncClient, databases: dict[str, Database], audience: Audience
) -> None:
    database, emilio = databases["notifications"], await emilio_of(databases)
    mariana = await somebody(database, "coordinator", now=NOW)
    await take(database, [audience.drawn(2, ids=[])], NOW, "notifications.segments")
    one = await written(client, emilio, audience)
    assert (await stepped(client, emilio, one, "prepare")).json()["field"] == "segment_id"
    many = SegmentState(segment_id=audience.segment, cluster_id=audience.scene.cluster, drawn_at=NOW,
                        organization_ids=[], too_many=True)  # fmt: skip
    await take(database, [item(many, audience.segment, 3)], NOW, "notifications.segments")
    assert "10,000" in (await stepped(client, emilio, one, "prepare")).text
    await take(database, [audience.drawn(4, ids=[audience.silent])], NOW, "notifications.segments")
    ready = (await stepped(client, emilio, one, "prepare")).json()
    refused = await stepped(client, mariana, ready, "release")
    assert (refused.status_code, refused.json()["field"]) == (422, "segment_id")
    await take(database, [item(SegmentState, audience.segment, 5)], NOW, "notifications.segments")
    body = {"segment_id": str(audience.segment), **TEXT}
    gone = await client.post("/notifications/announcements", json=body, headers=emilio.headers)
    assert gone.status_code == 404


async def test_it_is_written_on_a_page_where_what_is_wrong_stands_at_its_field_and_a_test_goes_to_oneself_only(
    client_for: ClientFor, clock: Clock, databases: dict[str, Database], audience: Audience, sink: tuple[Sink, int]
) -> None:
    handler, port = sink
    client = await client_for("notifications", token=None, clock=clock, mail_port=port)
    rebeca = await somebody(databases["notifications"], "cluster_director", "cluster", audience.scene.cluster, now=NOW,
                            mail="rebeca@costa.example")  # fmt: skip
    headers = rebeca.headers | HTML
    typed = {"segment_id": str(audience.segment), **TEXT, "day": "2026-03-31", "time": "25:00"}
    wrong = await client.post("/announcements/new", data=typed, headers=headers)
    assert (wrong.status_code, 'id="error-day"' in wrong.text) == (422, True)
    assert "Cupo: 120" in wrong.text  # what was typed is kept
    kept = await client.post("/announcements/new", data=typed | {"time": "14:05"}, headers=headers)
    assert kept.status_code == 303, kept.text
    page = await client.get(kept.headers["location"], headers=headers)
    assert "31 mar 2026, 14:05" in page.text
    assert "Arneses del Nazas" in page.text
    for address, count in (("otra@costa.example", 0), (" Rebeca@costa.example", 1)):
        answer = await client.post(f"{kept.headers['location']}/test", data={"address": address, "language": "es"},
                                   headers=headers)  # fmt: skip
        assert answer.status_code == 303
        assert len(handler.mails) == count, address
    for step, words in (("prepare", "Espera a que otra persona lo libere"), ("release", "Espera a que otra")):
        assert (await client.post(f"{kept.headers['location']}/{step}", headers=headers)).status_code == 303
        assert words in (await client.get(kept.headers["location"], headers=headers)).text  # not by oneself
    looked = await client.get(f"{kept.headers['location']}/mail", headers=headers)
    assert "Foro de proveeduría" in looked.text
    thrown = await client.post(f"{kept.headers['location']}/discard", headers=headers)
    assert thrown.headers["location"] == "/announcements"
    assert (await client.get(kept.headers["location"], headers=headers)).status_code == 404


def test_a_text_becomes_paragraphs_lists_and_links() -> None:
    found = blocks("Uno\ndos\n\n- a\n- b https://x.example/y?z=1.\n\nFin (https://x.example)")
    assert [(one.kind, ["".join(p.words for p in line) for line in one.lines]) for one in found] == [
        ("paragraph", ["Uno", "dos"]), ("list", ["a", "b https://x.example/y?z=1."]),
        ("paragraph", ["Fin (https://x.example)"]),
    ]  # fmt: skip
    assert [p.link for one in found for line in one.lines for p in line if p.link] == ["https://x.example/y?z=1",
                                                                                       "https://x.example"]  # fmt: skip
    assert blocks("<script>alert(1)</script>")[0].lines[0][0].link is None
