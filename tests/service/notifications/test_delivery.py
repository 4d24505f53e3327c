"""From records in any order to mails at a server or in a folder: each person once, nothing personal left behind."""

import asyncio
import email
import email.policy
import itertools
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.notifications.messages import commands
from services.notifications.messages.jobs import send_due
from shared.contracts.membership import ContactRequested, ContactState, PersonState, Represented
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database
from tests.service.bus.records import item
from tests.service.notifications.world import Clock, Scene, SenderFor, Sink, send_all, state_of, take


async def test_one_mail_goes_to_each_representative_and_never_again(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
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


async def test_who_speaks_for_two_hears_of_both_and_of_none_that_they_left(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    here, there, left = scenes = [Scene() for _ in range(3)]
    speaks = PersonState(
        person_id=here.person, organization_id=here.organization, name="Ana Sol", mail=here.mail, language="es",
        represents=[Represented(organization_id=one.organization, role="sales", main=False, since=date(2026, 1, 1))
                    for one in (here, there)],
    )  # fmt: skip
    before = speaks.model_copy(update={"organization_id": left.organization, "represents": None})
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [item(before, here.person, 1), item(speaks, here.person, 2)])
        for one in scenes:
            await take(databases["notifications"], [one.cluster_state(), one.organization_state(), one.activation()])
        await send_all(service)
    assert len(handler.to(here.mail)) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
async def test_the_records_may_come_in_any_order(
    order: tuple[int, ...], sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
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
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [scene.cluster_state(), scene.organization_state(), scene.activation()])
        clock.now += timedelta(days=2)
        await take(databases["notifications"], [scene.person_state()], clock.now)
        await send_all(service)
    assert handler.to(scene.mail) == []


async def test_two_senders_at_once_send_each_message_once(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scenes = [Scene() for _ in range(30)]
    async with sender(mail_port=port) as one, sender(mail_port=port) as other:
        for scene in scenes:
            await take(databases["notifications"], scene.all())
        await asyncio.gather(*(send_all(service) for service in (one, other, one, other)))
    assert [len(handler.to(scene.mail)) for scene in scenes] == [1] * 30


async def test_a_sender_that_died_after_sending_sends_again_under_the_same_id(
    sender: SenderFor,
    sink: tuple[Sink, int],
    databases: dict[str, Database],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler, port = sink
    scene = Scene()

    class Killed(BaseException):
        """No fault of the program: nothing catches it."""

    async def dies(*_: Any, **__: Any) -> None:
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
    sender: SenderFor, databases: dict[str, Database], clock: Clock, tmp_path: Path
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
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("erased_before_sending", [True, False])
async def test_an_erased_person_leaves_nothing_behind(
    erased_before_sending: bool, sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
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


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_what_somebody_wrote_reaches_the_company_and_the_answer_goes_to_the_writer(
    order: tuple[int, int], sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene, contact = Scene(), uuid_utils.uuid7()
    fact = ContactRequested(contact_id=contact, organization_id=scene.organization, cluster_id=scene.cluster)
    state = ContactState(
        contact_id=contact, organization_id=scene.organization, sender_name="Lucía Montes\nBcc: x@x.example",
        sender_organization="Tres Cerros", reply_to="lucia@cerros.example", message="¿Troquelan <b>acero</b>?\nGracias",
    )  # fmt: skip
    both = [item(fact, contact, 1), item(state, contact, 1)]
    await take(databases["notifications"], [scene.cluster_state(), scene.organization_state(), scene.person_state()])
    async with sender(mail_port=port) as service:
        for n in order:
            await take(databases["notifications"], [both[n]])
        await send_all(service)
    [mail] = handler.to(scene.mail)
    assert mail["Reply-To"] == "lucia@cerros.example" and mail["Bcc"] is None
    text, html = (body.get_content() for kind in ("plain", "html") if (body := mail.get_body((kind,))))
    assert "> ¿Troquelan <b>acero</b>?" in text and "Tres Cerros" in mail["Subject"]
    assert "<b>acero" not in html


async def test_what_was_erased_before_it_went_out_is_not_sent(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene, contact = Scene(), uuid_utils.uuid7()
    fact = ContactRequested(contact_id=contact, organization_id=scene.organization, cluster_id=scene.cluster)
    state = ContactState(
        contact_id=contact, organization_id=scene.organization, sender_name="L", sender_organization="T",
        reply_to="lucia@cerros.example", message="texto",
    )  # fmt: skip
    known = [scene.cluster_state(), scene.organization_state(), scene.person_state()]
    await take(databases["notifications"], [*known, item(fact, contact, 1), item(state, contact, 1)])
    await take(databases["notifications"], [item(ContactState, contact, 2)])
    async with sender(mail_port=port) as service:
        await send_all(service)
    assert handler.to(scene.mail) == []
