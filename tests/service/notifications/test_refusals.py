"""What a mail server refuses: for now, for good, for the content; and one that is not there at all."""

from datetime import timedelta

from deploy.local.child import free_port
from shared.postgres.pool import Database
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, state_of, take


async def test_a_temporary_refusal_is_tried_again_when_it_is_due(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
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
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
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
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
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
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
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


async def test_an_unusable_address_ends_and_the_others_go_out(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    bad, good = Scene(mail="not an address"), Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [*bad.all(), *good.all()])
        await send_all(service)
        assert await state_of(service, bad) == [("failed", 1)]
    assert len(handler.to(good.mail)) == 1
