"""From records in any order to mails at a server or in a folder: each person once, nothing personal left behind."""

import asyncio
import email
import email.policy
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils
from aiosmtpd.controller import Controller
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.local.child import free_port
from services.notifications.app import DEFINITION
from services.notifications.consumers import CONSUMERS
from services.notifications.messages.jobs import send_due
from shared.contracts.membership import ClusterState, MembershipActivated, OrganizationState, PersonState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database, Unit
from shared.runtime.service import Definition, Service, running
from tests.conftest import ClientFor, SettingsFor
from tests.service.bus.records import item

NOW = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
_NUMBERS = itertools.count()


class Clock:
    """A present that tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Scene:
    """One membership with its names and a representative, all with ids of their own."""

    def __init__(self, mail: str | None = None) -> None:
        self.cluster, self.organization, self.person, self.membership = (uuid_utils.uuid7() for _ in range(4))
        self.mail = mail or f"ana{next(_NUMBERS)}@firma.example"

    def cluster_state(self) -> Received:
        data = ClusterState(
            cluster_id=self.cluster, network_id=self.cluster, slug="c", name="Costa y Agave", country="MX", state="JAL",
            zone="America/Mexico_City", language="es", in_network_since=None, in_network_until=None,
        )  # fmt: skip
        return item(data, self.cluster, 1)

    def organization_state(self) -> Received:
        data = OrganizationState(
            organization_id=self.organization, slug="t", legal_name="Tres Puentes SA", trade_name="Tres Puentes",
            type="company", country="MX", state=None, city=None, positions=[],
        )  # fmt: skip
        return item(data, self.organization, 1)

    def person_state(self, version: int = 1, person: UUID | None = None, mail: str | None = None) -> Received:
        key = person or self.person
        data = PersonState(
            person_id=key, organization_id=self.organization, name="Ana Sol Ruiz", mail=mail or self.mail, language="es"
        )
        return item(data, key, version)

    def activation(self) -> Received:
        data = MembershipActivated(
            membership_id=self.membership, organization_id=self.organization, cluster_id=self.cluster,
            category="associate", origin="application",
        )  # fmt: skip
        return item(data, self.membership, 1)

    def all(self) -> list[Received]:
        return [self.cluster_state(), self.organization_state(), self.person_state(), self.activation()]


async def take(database: Database, items: Sequence[Received], now: datetime = NOW) -> None:
    """Applies records as the consumer loop does."""

    @asynccontextmanager
    async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
        async with database.unit(actor="test", cause="test", now=now) as opened:
            yield opened

    await Applier(CONSUMERS[0]).settle(unit, items)


class Sink:
    """An SMTP server that answers as a test says: by recipient, a list of replies to RCPT or to DATA."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, Any]] = []
        self.rcpt: dict[str, list[str]] = {}
        self.data: dict[str, list[str]] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if replies := self.rcpt.get(address):
            return replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        [address] = envelope.rcpt_tos
        if replies := self.data.get(address):
            return replies.pop(0)
        self.mails.append((address, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def to(self, address: str) -> list[Any]:
        return [mail for to, mail in self.mails if to == address]


@pytest.fixture
async def sink() -> AsyncIterator[tuple[Sink, int]]:
    handler = Sink()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, controller.port
    controller.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


ServiceFor = Callable[..., Any]


@pytest.fixture
async def sender(service_settings: SettingsFor, databases: dict[str, Database], clock: Clock) -> Any:
    """`sender(**settings)`: a context manager with a running service whose own loops are off."""
    await databases["notifications"].pool.execute("UPDATE message SET state = 'failed' WHERE state = 'due'")

    def make(**more: Any) -> Any:
        bare = Definition("notifications")
        return running(bare, service_settings("notifications", **more), clock=clock)

    return make


async def send_all(service: Service) -> None:
    while await send_due(service):
        pass


async def state_of(service: Service, scene: Scene) -> list[tuple[str, int]]:
    rows = await service.database.pool.fetch(
        "SELECT state, attempts FROM message WHERE person_id = $1 ORDER BY created_at", scene.person
    )
    return [(row["state"], row["attempts"]) for row in rows]


async def test_one_mail_goes_to_each_representative_and_never_again(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene, second = Scene(), uuid_utils.uuid7()
    records = [*scene.all(), scene.person_state(person=second, mail="beto@firma.example")]
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], records)
        await send_all(service)
        await take(databases["notifications"], records)
        await send_all(service)
    assert len(handler.to(scene.mail)) == 1
    assert len(handler.to("beto@firma.example")) == 1
    assert handler.to(scene.mail)[0]["Subject"] == "Tres Puentes ya es parte de Costa y Agave"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
async def test_the_records_may_come_in_any_order(
    order: tuple[int, ...], sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    records = scene.all()
    async with sender(mail_port=port) as service:
        for index in order:
            await take(databases["notifications"], [records[index]])
            await send_all(service)
    assert len(handler.to(scene.mail)) == 1


async def test_somebody_who_turns_up_days_later_is_not_greeted(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [scene.cluster_state(), scene.organization_state(), scene.activation()])
        clock.now += timedelta(days=2)
        await take(databases["notifications"], [scene.person_state()], clock.now)
        await send_all(service)
    assert handler.to(scene.mail) == []


async def test_a_temporary_refusal_is_tried_again_when_it_is_due(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    handler.rcpt[scene.mail] = ["451 later"]
    handler.data[scene.mail] = ["452 full"]
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        for minutes, expected in ((0, 0), (0.5, 0), (1, 0), (3, 0), (6.5, 1)):
            clock.now = NOW + timedelta(minutes=minutes)
            await send_all(service)
            assert len(handler.to(scene.mail)) == expected
        assert await state_of(service, scene) == [("sent", 3)]


async def test_an_address_that_is_refused_for_good_is_not_written_to_again(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    again = Scene(mail=scene.mail.upper())
    handler.rcpt[scene.mail] = ["550 nobody here"]
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        await take(databases["notifications"], again.all())
        await send_all(service)
        assert await state_of(service, scene) == [("failed", 1)]
        assert await state_of(service, again) == [("suppressed", 1)]
    assert handler.mails == []


async def test_a_refused_content_fails_without_suppressing_the_address(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    again = Scene(mail=scene.mail)
    handler.data[scene.mail] = ["554 looks like spam"]
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [*scene.all()])
        await send_all(service)
        await take(databases["notifications"], again.all())
        await send_all(service)
        assert await state_of(service, scene) == [("failed", 1)]
    assert len(handler.to(scene.mail)) == 1


async def test_a_server_that_is_away_loses_no_mail(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=free_port()) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        assert await state_of(service, scene) == [("due", 1)]
    clock.now += timedelta(minutes=2)
    async with sender(mail_port=port) as service:
        await databases["notifications"].pool.execute(
            "UPDATE message SET state = 'due' WHERE person_id = $1", scene.person
        )
        await send_all(service)
    assert len(handler.to(scene.mail)) == 1


async def test_two_senders_at_once_send_each_message_once(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scenes = [Scene() for _ in range(30)]
    async with sender(mail_port=port) as one, sender(mail_port=port) as other:
        for scene in scenes:
            await take(databases["notifications"], scene.all())
        await asyncio.gather(*(send_all(service) for service in (one, other, one, other)))
    assert [len(handler.to(scene.mail)) for scene in scenes] == [1] * 30


async def test_a_sender_that_died_after_sending_sends_again_under_the_same_id(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.notifications.messages import commands

    handler, port = sink
    scene = Scene()

    class Killed(BaseException):
        """No fault of the program: nothing catches it."""

    async def dies(*_: Any) -> None:
        raise Killed

    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        with monkeypatch.context() as patched:
            patched.setattr(commands, "settle_message", dies)
            with pytest.raises(Killed):
                await send_due(service)
        await send_all(service)
        assert len(handler.to(scene.mail)) == 1  # the claim still holds
        clock.now += timedelta(seconds=61)
        await send_all(service)
    assert len({mail["Message-ID"] for mail in handler.to(scene.mail)}) == 1
    assert len(handler.to(scene.mail)) == 2


async def test_in_a_folder_each_mail_is_one_whole_file(
    sender: Any, databases: dict[str, Database], clock: Clock, tmp_path: Path
) -> None:
    scene = Scene()
    folder = tmp_path / "mail"
    async with sender(mail_folder=folder) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        await databases["notifications"].pool.execute(
            "UPDATE message SET state = 'due' WHERE person_id = $1", scene.person
        )
        await send_all(service)
    [file] = list(folder.iterdir())
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert file.suffix == ".eml"
    assert mail["Message-ID"].strip("<>").split("@")[0] == file.stem
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]  # type: ignore[attr-defined]


async def test_an_unusable_address_ends_and_the_others_go_out(
    sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    bad, good = Scene(mail="not an address"), Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [*bad.all(), *good.all()])
        await send_all(service)
        assert await state_of(service, bad) == [("failed", 1)]
    assert len(handler.to(good.mail)) == 1


@pytest.mark.parametrize("erased_before_sending", [True, False])
async def test_an_erased_person_leaves_nothing_behind(
    erased_before_sending: bool, sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    gone = item(PersonState, scene.person, 2)
    database = databases["notifications"]
    async with sender(mail_port=port) as service:
        await take(database, scene.all())
        if erased_before_sending:
            await take(database, [gone])
        await send_all(service)
        await take(database, [gone])
        await send_all(service)
        assert [state for state, _ in await state_of(service, scene)] == ["erased"]
    assert len(handler.to(scene.mail)) == (0 if erased_before_sending else 1)
    tables = await database.pool.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'notifications' AND tablename !~ '^(inbox|history)_'"
    )
    for table in tables:
        found = await database.pool.fetchval(
            f"SELECT count(*) FROM {table['tablename']} t WHERE t::text LIKE '%' || $1 || '%'", scene.mail
        )
        assert found == 0, table["tablename"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_interleaving_makes_the_same_messages(data: st.DataObject, databases: dict[str, Database]) -> None:
    scene, second = Scene(), uuid_utils.uuid7()
    gone = item(PersonState, second, 2)
    queues = [[scene.cluster_state()], [scene.organization_state()], [scene.person_state()],
              [scene.person_state(person=second), gone], [scene.activation()]]  # fmt: skip
    order: list[Received] = []
    while any(queues):
        order.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    while order:
        size = data.draw(st.integers(1, 4))
        await take(databases["notifications"], order[:size])
        order = order[size:]
    rows = await databases["notifications"].pool.fetch(
        "SELECT person_id, state FROM message m JOIN notice n ON n.id = m.notice_id WHERE n.organization_id = $1",
        scene.organization,
    )  # fmt: skip
    found = {row["person_id"]: row["state"] for row in rows}
    assert found[scene.person] == "due"
    assert found.get(second, "erased") == "erased"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 200),
        ("GET", "?state=lost", 422),
        ("GET", "?limit=0", 422),
        ("GET", "?after=x", 422),
        ("GET", "/not-an-id", 422),
        ("GET", "/01990000-0000-7000-8000-000000000009", 404),
        ("POST", "/01990000-0000-7000-8000-000000000009/retry", 404),
    ],
)
async def test_bad_questions_about_messages_get_a_problem(
    client_for: ClientFor, method: str, path: str, status: int
) -> None:
    client = await client_for("notifications", definition=replace(DEFINITION, consumers=(), loops={}))
    answer = await client.request(method, f"/notifications/messages{path}")
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["type"].startswith("urn:cumulo:problem:")


async def test_a_sent_message_shows_its_log_and_is_not_sent_again(
    client_for: ClientFor, sender: Any, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    _, port = sink
    scene = Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        id_ = await service.database.pool.fetchval("SELECT id FROM message WHERE person_id = $1", scene.person)
    client = await client_for("notifications", definition=replace(DEFINITION, consumers=(), loops={}))
    shown = (await client.get(f"/notifications/messages/{id_}")).json()
    assert [(attempt["outcome"], attempt["code"]) for attempt in shown["deliveries"]] == [("sent", 250)]
    assert scene.mail not in str(shown)
    answer = await client.post(f"/notifications/messages/{id_}/retry")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:cumulo:problem:message-not-retryable")
