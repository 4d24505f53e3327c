"""Reminders that a certificate ends: once each step, to who speaks for the company, none for a renewed one."""

from datetime import date, timedelta
from uuid import UUID

import pytest
import uuid_utils.compat as uuid_utils

from services.notifications.certificates import commands
from services.notifications.certificates.domain import due
from shared.contracts.membership import Certificate, ProfileState
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database
from tests.service.bus.records import item
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, take

TODAY = date(2026, 3, 12)


def profile(scene: Scene, version: int, certificate: UUID, until: date) -> Received:
    data = ProfileState(
        organization_id=scene.organization, size=None, parent_id=None, processes=[], sectors=[], products=[],
        activities=[], sites=[],
        certificates=[Certificate(certificate_id=certificate, standard="iatf_16949", body="Certificadora", number=None,
                                  scope=None, since=until - timedelta(days=1095), until=until)],
    )  # fmt: skip
    return item(data, scene.organization, version)


async def remind(database: Database, today: date) -> None:
    async with database.unit(actor="test", cause="test", now=NOW + (today - TODAY)) as unit:
        await commands.remind(unit, today)


@pytest.mark.parametrize(
    ("left", "step"),
    [(61, None), (60, 60), (45, 60), (31, 60), (30, 30), (8, 30), (7, 7), (1, 7), (0, None), (-3, None)],
)
def test_the_nearest_step_is_due(left: int, step: int | None) -> None:
    assert due(TODAY + timedelta(days=left), TODAY) == step


async def test_a_company_is_reminded_once_a_step_and_a_renewed_certificate_says_nothing(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    database, scene, one = databases["notifications"], Scene(), uuid_utils.uuid7()
    await take(database, scene.all()[:3])
    await take(database, [profile(scene, 1, one, TODAY + timedelta(days=40))], consumer="notifications.certificates")
    for _ in range(2):
        await remind(database, TODAY)
    async with sender(mail_port=port, public_url="https://cumulo.example") as service:
        await send_all(service)
    [mail] = handler.to(scene.mail)
    assert mail["Subject"] == "IATF 16949 de Tres Puentes vence el 21 de abril de 2026"
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"/organizations/{scene.organization}/capabilities" in body.get_content()
    assert "/unsubscribe/" in str(mail["List-Unsubscribe"])

    await remind(database, TODAY + timedelta(days=15))  # 25 days left: the next step
    await take(database, [profile(scene, 2, one, date(2029, 4, 21))], consumer="notifications.certificates")
    await remind(database, TODAY + timedelta(days=16))
    clock.now = NOW + timedelta(days=16)
    async with sender(mail_port=port) as service:
        await send_all(service)
    assert len(handler.to(scene.mail)) == 1
    async with database.connection() as connection:
        states = await connection.fetch(
            "SELECT state FROM message WHERE person_id = $1 ORDER BY created_at", scene.person
        )
    assert [row["state"] for row in states] == ["sent", "failed"]
