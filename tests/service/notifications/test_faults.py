"""What goes wrong with one message, one server or the settings stays there: the others go out, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog

from deploy.local.child import free_port
from services.notifications import letters
from services.notifications.messages import commands
from services.notifications.subjects.domain import NEWS_FOR
from shared.contracts.membership import PersonState
from shared.mail.transport import Session
from shared.postgres.pool import Database
from shared.runtime.service import Service
from tests.service.bus.records import item
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, state_of, take

MINUTE = timedelta(minutes=1)


async def mails_counted(service: Service) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for metric in service.metrics.mails.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


@pytest.mark.parametrize("where", ["render", "send", "begin_attempt", "settle_message"])
async def test_a_fault_of_the_program_with_one_message_keeps_no_other_from_going_out(
    where: str, sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    handler, port = sink
    scenes = [Scene() for _ in range(3)]
    place = {"render": letters, "send": Session}.get(where, commands)
    whole, calls = getattr(place, where), 0

    def breaks_once(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise LookupError(f"stumbled over {scenes[0].mail}")
        return whole(*given, **named)

    monkeypatch.setattr(place, where, breaks_once)
    async with sender(mail_port=port) as service:
        for scene in scenes:
            await take(databases["notifications"], scene.all())
        with structlog.testing.capture_logs() as lines:
            await send_all(service)
            assert [state for scene in scenes for state, _ in await state_of(service, scene)].count("sent") == 2
            clock.now += commands.CLAIMED_FOR + MINUTE
            await send_all(service)
        assert [state for scene in scenes for state, _ in await state_of(service, scene)] == ["sent"] * 3
    doubled = 1 if where == "settle_message" else 0  # sent, and the record of it lost: again under the same id
    assert len(handler.mails) == 3 + doubled
    assert len({mail["Message-ID"] for _, mail in handler.mails}) == 3
    [fault] = [line for line in lines if line["log_level"] == "error"]
    assert (fault["error"], "breaks_once" in fault["where"]) == ("LookupError", True)
    assert not any(scene.mail in str(lines) for scene in scenes)


async def test_a_sender_that_is_no_address_ends_no_message(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    with structlog.testing.capture_logs() as lines:
        async with sender(mail_port=port, mail_sender="Cumulo <no-reply>") as service:
            await take(databases["notifications"], scene.all())
            await send_all(service)
            assert await state_of(service, scene) == [("due", 1)]
            due = await service.database.pool.fetchval("SELECT due_at FROM message WHERE person_id = $1", scene.person)
    assert due == NOW + MINUTE
    [line] = [line for line in lines if line["event"] == "mail.no_sender"]
    assert "mail_sender" in line["reason"]
    assert handler.mails == []


@asynccontextmanager
async def hanging_up(after: bytes) -> AsyncIterator[int]:
    """A server that takes everything and breaks the connection when it has read a command. Gives its port."""
    answers = {b"EHLO": b"250 here", b"MAIL": b"250 ok", b"RCPT": b"250 ok", b"DATA": b"354 go on"}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            if line.upper().startswith(after):
                break
            if answer := answers.get(line[:4].upper()):
                writer.write(answer + b"\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", free_port())
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("after", ["EHLO", "MAIL", "RCPT", "DATA", "SUBJECT:", "."])
async def test_a_server_that_hangs_up_in_the_middle_gets_it_a_minute_later(
    after: str, sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    await take(databases["notifications"], [])
    async with sender(mail_port=port) as good, hanging_up(after.encode()) as broken, sender(mail_port=broken) as bad:
        await take(databases["notifications"], scene.all())
        await send_all(bad)
        assert await state_of(bad, scene) == [("due", 1)]
        clock.now += MINUTE - timedelta(seconds=1)
        await send_all(good)
        assert handler.mails == []
        clock.now += timedelta(seconds=1)
        await send_all(good)
        assert await state_of(good, scene) == [("sent", 2)]
    assert len(handler.to(scene.mail)) == 1


async def test_a_server_that_comes_back_gets_each_mail_once_and_when_it_is_due(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scenes = [Scene() for _ in range(3)]
    async with sender(mail_port=port) as good, sender(mail_port=free_port()) as away:
        for scene in scenes:
            await take(databases["notifications"], scene.all())
        await send_all(away)
        clock.now += MINUTE
        await send_all(away)
        clock.now += 5 * MINUTE - timedelta(seconds=1)
        await send_all(good)
        assert handler.mails == []
        clock.now += timedelta(seconds=1)
        await send_all(good)
        assert await mails_counted(away) == {"retry": 6}
        assert await mails_counted(good) == {"sent": 3}
    assert [len(handler.to(scene.mail)) for scene in scenes] == [1, 1, 1]


async def test_addresses_that_cannot_be_written_fail_for_good_between_others_that_go_out(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    bad = [Scene(mail=mail) for mail in ("a b@x", "nobody", "@", "a@x\nBcc: b@firma.example", "a@x\r\n.\r\n", "ñ@x")]
    good = [Scene() for _ in range(2)]
    async with sender(mail_port=port) as service:
        for scene in (good[0], *bad, good[1]):
            await take(databases["notifications"], scene.all())
        with structlog.testing.capture_logs() as lines:
            await send_all(service)
        assert [await state_of(service, scene) for scene in bad] == [[("failed", 1)]] * len(bad)
        assert await mails_counted(service) == {"failed": float(len(bad)), "sent": 2.0}
    assert {to for to, _ in handler.mails} == {scene.mail for scene in good}
    assert len(handler.mails) == len(good)
    assert not any(scene.mail in str(lines) for scene in (*good, bad[0], bad[3]))


async def test_two_people_who_share_an_address_are_written_to_one_by_one(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    one = Scene()
    other = Scene(mail=one.mail)
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [*one.all(), *other.all()])
        await send_all(service)
    assert len({mail["Message-ID"] for mail in handler.to(one.mail)}) == 2


async def test_who_speaks_for_another_organization_by_now_is_not_told_about_the_old_one(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene, elsewhere = Scene(), Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        moved = PersonState(
            person_id=scene.person, organization_id=elsewhere.organization, name="Ana", mail=scene.mail, language="es"
        )
        await take(databases["notifications"], [item(moved, scene.person, 2)])
        await send_all(service)
        assert await state_of(service, scene) == [("failed", 1)]
        log = await service.database.pool.fetch(
            "SELECT outcome FROM delivery JOIN message ON id = message_id WHERE person_id = $1", scene.person
        )
    assert [row["outcome"] for row in log] == ["failed"]
    assert handler.mails == []


@pytest.mark.parametrize(("late", "greeted"), [(timedelta(days=2), 1), (NEWS_FOR + timedelta(days=1), 0)])
async def test_an_outage_costs_nobody_a_greeting_and_a_topic_read_from_its_beginning_greets_nobody(
    late: timedelta,
    greeted: int,
    sender: SenderFor,
    sink: tuple[Sink, int],
    databases: dict[str, Database],
    clock: Clock,
) -> None:
    handler, port = sink
    scene = Scene()
    fact = scene.activation()._replace(time=NOW - late)
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [scene.cluster_state(), scene.organization_state(), fact])
        clock.now += timedelta(hours=23)  # who becomes known within a day of our handling is greeted
        await take(databases["notifications"], [scene.person_state()], clock.now)
        await send_all(service)
    assert len(handler.to(scene.mail)) == greeted
