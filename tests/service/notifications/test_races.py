"""Senders and consumers at the same time, in two replicas: nobody is forgotten, nobody is written to twice."""

import asyncio
from datetime import timedelta

import pytest
import uuid_utils.compat as uuid_utils

from services.notifications.consumers import CONSUMERS
from services.notifications.messages import commands
from services.notifications.messages.jobs import AT_ONCE, send_claimed
from shared.contracts.membership import MembershipActivated, OrganizationMerged, OrganizationState, PersonState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database
from shared.runtime.service import Service
from tests.conftest import ClientFor
from tests.service.bus.records import item, until
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, state_of, take

WAITING = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def claimed(service: Service) -> commands.Claim:
    async with service.unit(actor="test", cause="test") as unit:
        return await commands.claim_messages(unit, AT_ONCE)


async def id_of(service: Service, scene: Scene) -> str:
    return str(await service.database.pool.fetchval("SELECT id FROM message WHERE person_id = $1", scene.person))


@pytest.mark.parametrize("last", ["cluster_state", "organization_state", "person_state"])
async def test_what_two_open_transactions_bring_finds_together(last: str, databases: dict[str, Database]) -> None:
    scene, database = Scene(), databases["notifications"]
    late: Received = getattr(scene, last)()
    known = [each for each in scene.all() if each.topic not in (late.topic, "membership.membership")]
    await take(database, known)
    async with database.unit(actor="test", cause="test", now=NOW) as unit:
        await Applier(CONSUMERS[0]).apply(unit, [scene.activation()])
        other = asyncio.create_task(take(database, [late]))

        async def waits_or_is_through() -> bool:
            return other.done() or bool(await database.pool.fetchval(WAITING))

        await until(waits_or_is_through)
    await other
    found = await database.pool.fetchval("SELECT count(*) FROM message WHERE person_id = $1", scene.person)
    assert found == 1


async def test_a_sender_whose_claim_ran_out_leaves_its_messages_to_the_next(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scenes = [Scene() for _ in range(3)]
    async with sender(mail_port=port) as slow, sender(mail_port=port) as next_:
        for scene in scenes:
            await take(databases["notifications"], scene.all())
        claim = await claimed(slow)
        clock.now += commands.CLAIMED_FOR
        await send_all(next_)
        await send_claimed(slow, claim)
    assert [len(handler.to(scene.mail)) for scene in scenes] == [1, 1, 1]


async def test_a_sender_whose_claim_ran_out_does_not_send_what_another_is_sending(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=port) as slow, sender(mail_port=port) as next_:
        await take(databases["notifications"], scene.all())
        stale = await claimed(slow)
        clock.now += commands.CLAIMED_FOR
        fresh = await claimed(next_)
        async with next_.unit(actor="test", cause="test") as unit:
            assert await commands.begin_attempt(unit, fresh, fresh.ids[0]) is not None
        await send_claimed(slow, stale)
    assert handler.mails == []


async def test_a_message_that_waits_for_its_turn_within_a_claim_is_renewed_before_it_goes_out(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    scene = Scene()
    async with sender(mail_port=sink[1]) as service:
        await take(databases["notifications"], scene.all())
        claim = await claimed(service)
        clock.now += commands.CLAIMED_FOR - timedelta(seconds=1)
        async with service.unit(actor="test", cause="test") as unit:
            assert await commands.begin_attempt(unit, claim, claim.ids[0]) is not None
        clock.now += timedelta(seconds=30)
        assert (await claimed(service)).ids == []


async def test_who_is_erased_between_claim_and_sending_gets_no_mail(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        claim = await claimed(service)
        await take(databases["notifications"], [item(PersonState, scene.person, 2)])
        await send_claimed(service, claim)
        assert await state_of(service, scene) == [("erased", 0)]
    assert handler.mails == []


async def test_a_message_about_an_erased_organization_ends_instead_of_being_claimed_for_ever(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        await take(databases["notifications"], [item(OrganizationState, scene.organization, 2)])
        await send_all(service)
        assert await state_of(service, scene) == [("failed", 1)]
        clock.now += commands.CLAIMED_FOR
        assert (await claimed(service)).ids == []
    assert handler.mails == []


async def test_a_sender_that_stops_gives_back_what_it_has_not_begun(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    async with sender(mail_port=port) as stopping, sender(mail_port=port) as next_:
        await take(databases["notifications"], scene.all())
        claim = await claimed(stopping)
        stopping.stopping.set()
        await send_claimed(stopping, claim)
        assert handler.mails == []
        await send_all(next_)
        assert await state_of(next_, scene) == [("sent", 1)]
    assert len(handler.to(scene.mail)) == 1


async def test_a_retry_by_hand_reaches_an_address_that_refused_before(
    client_for: ClientFor, sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    scene = Scene()
    handler.rcpt[scene.mail] = ["550 nobody here"]
    client = await client_for("notifications", clock=clock)
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        path = f"/notifications/messages/{await id_of(service, scene)}"
        assert (await client.post(f"{path}/retry")).status_code == 204
        await send_all(service)
    assert len(handler.to(scene.mail)) == 1
    shown = (await client.get(path)).json()
    assert shown["state"] == "sent"
    assert [(each["outcome"], each["code"]) for each in shown["deliveries"]] == [("failed", 550), ("sent", 250)]


async def test_a_retry_does_not_double_a_mail_that_is_being_sent(
    client_for: ClientFor, sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    scene = Scene()
    client = await client_for("notifications", clock=clock)
    async with sender(mail_port=sink[1]) as service:
        await take(databases["notifications"], scene.all())
        await claimed(service)
        answer = await client.post(f"/notifications/messages/{await id_of(service, scene)}/retry")
    assert answer.status_code == 409
    assert "right now" in answer.json()["title"]


async def test_a_refusal_of_us_does_not_suppress_the_address(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    again = Scene(mail=scene.mail)
    handler.rcpt[scene.mail] = ["554 5.7.1 Relay access denied"]
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], scene.all())
        await send_all(service)
        assert await state_of(service, scene) == [("failed", 1)]
        await take(databases["notifications"], again.all())
        await send_all(service)
    assert len(handler.to(scene.mail)) == 1


@pytest.mark.parametrize("first", ["the merge", "the fact"])
async def test_what_is_noticed_about_a_merged_organisation_reaches_the_one_that_it_goes_on_as(
    first: str, databases: dict[str, Database]
) -> None:
    scene, old, database = Scene(), uuid_utils.uuid7(), databases["notifications"]
    activation = scene.activation()
    of_the_old = item(activation.payload or MembershipActivated(
        membership_id=scene.membership, organization_id=old, cluster_id=scene.cluster, category="associate",
        origin="application",
    ), scene.membership, 1)  # fmt: skip
    merged = item(OrganizationMerged(organization_id=old, into_id=scene.organization), old, 2)
    await take(database, [scene.cluster_state(), scene.organization_state(), scene.person_state()])
    for record in (merged, of_the_old) if first == "the merge" else (of_the_old, merged):
        await take(database, [record])
    found = await database.pool.fetchval("SELECT count(*) FROM message WHERE person_id = $1", scene.person)
    assert found == 1
