"""Mails about gatherings: to whom, what they say, the entry for a calendar, reminders once, nothing after the end."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import icalendar
import uuid_utils.compat as uuid_utils

from services.notifications.gatherings import commands
from shared.contracts.events import (
    GatheringCancelled,
    GatheringChanged,
    GatheringPostponed,
    GatheringState,
    PlaceOffered,
    Price,
    RegistrationCancelled,
    RegistrationConfirmed,
    RegistrationState,
    RegistrationStatus,
    RegistrationWaitlisted,
)
from shared.contracts.membership import MembershipApplied, MembershipApproved, MembershipRefused
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database
from tests.service.bus.records import item
from tests.service.notifications.world import NOW, Clock, Scene, SenderFor, Sink, send_all, take

STARTS = datetime(2026, 4, 9, 15, tzinfo=UTC)
WEEK_BEFORE = datetime(2026, 4, 2, 15, tzinfo=UTC)
PRICE = Price(group="network", amount="850.00", currency="MXN")


class Round:
    """A business round with people on its list."""

    def __init__(self) -> None:
        self.id, self.cluster = uuid_utils.uuid7(), uuid_utils.uuid7()
        self.versions: dict[Any, int] = {}

    def _item(self, data: Any, key: Any) -> Received:
        self.versions[(key, type(data))] = version = self.versions.get((key, type(data)), 0) + 1
        return item(data, key, version)

    def state(self, **more: Any) -> Received:
        known: dict[str, Any] = {
            "gathering_id": self.id, "slug": "ronda", "network_id": self.id, "cluster_id": self.cluster,
            "status": "published", "kind": "business_round", "title": "Ronda <de> proveeduría", "summary": "Citas.",
            "language": "es", "mode": "in_place", "starts": STARTS, "ends": STARTS + timedelta(hours=8),
            "zone": "America/Mexico_City", "place": "Sala B", "sequence": 0, "capacity": 2,
        }  # fmt: skip
        return self._item(GatheringState(**(known | more)), self.id)

    def fact(self, model: Any, /, **more: Any) -> Received:
        return self._item(model(gathering_id=self.id, **more), self.id)

    def person(self, key: Any, mail: str, status: RegistrationStatus = "confirmed", **more: Any) -> Received:
        known: dict[str, Any] = {
            "registration_id": key, "gathering_id": self.id, "organization_id": None, "status": status,
            "name": "Lucía Montes", "email": mail, "language": "es", "person_id": None, "price": PRICE,
            "offer_until": None, "join_url": None, "check_in_code": "8K2M-Q4TZ",
        }  # fmt: skip
        return self._item(RegistrationState(**(known | more)), key)

    def registered(self, model: Any, key: Any, /, **more: Any) -> Received:
        data = model(registration_id=key, gathering_id=self.id, organization_id=None, **more)
        self.versions[(key, model)] = version = self.versions.get((key, model), 0) + 1
        return item(data, key, version, ce_effective=str(datetime.now(UTC).date()).encode())


async def heard(databases: dict[str, Database], *items: Received, now: datetime = NOW) -> None:
    await take(databases["notifications"], items, now, "notifications.gatherings")


def entry(mail: EmailMessage) -> tuple[str, Any]:
    """The method of a mail's calendar part, and its one event."""
    [part] = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    read = icalendar.Calendar.from_ical(part.get_content())
    assert part.get_param("method") == read["method"]
    [event] = read.walk("VEVENT")
    [attached] = [part for part in mail.walk() if part.get_filename() == "evento.ics"]
    assert icalendar.Calendar.from_ical(attached.get_content())["method"] == read["method"]
    return str(read["method"]), event


def address() -> str:
    return f"p{uuid_utils.uuid7().hex[-10:]}@firma.example"


async def test_who_is_registered_gets_place_price_and_an_entry_whatever_comes_first(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    one, key, mail = Round(), uuid_utils.uuid7(), address()
    async with sender(mail_port=port, public_url="https://cumulo.example") as service:
        await heard(databases, one.registered(RegistrationConfirmed, key, price=PRICE, waited=False))
        await heard(databases, one.person(key, mail))
        await send_all(service)
        assert handler.to(mail) == []
        await heard(databases, one.state())
        await send_all(service)
    [told] = handler.to(mail)
    body = told.get_body(("plain",))
    assert told["Subject"] == "Tu lugar en Ronda <de> proveeduría" and body is not None
    text = body.get_content()
    for words in ("jueves 9 de abril de 2026, 09:00 – 17:00", "Sala B", "850.00 MXN",
                  "https://cumulo.example/ticket/8K2M-Q4TZ", "https://cumulo.example/agenda/ronda"):  # fmt: skip
        assert words in text, text
    html = told.get_body(("html",))
    assert html is not None and "Ronda &lt;de&gt; proveeduría" in html.get_content()
    method, event = entry(told)
    assert (method, str(event["uid"]), event["sequence"]) == ("REQUEST", f"{one.id}@cumulo", 0)
    assert event["dtstart"].dt == STARTS and event["dtstart"].params["TZID"] == "America/Mexico_City"
    assert str(event["attendee"]) == f"mailto:{mail}"


async def test_each_hears_of_their_own_place_and_only_that(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    one, keys, mails = Round(), [uuid_utils.uuid7() for _ in range(3)], [address() for _ in range(3)]
    until = NOW + timedelta(hours=24)
    async with sender(mail_port=port) as service:
        await heard(databases, one.state(), one.person(keys[0], mails[0], "waiting"),
                    one.person(keys[1], mails[1], "offered", offer_until=until),
                    one.person(keys[2], mails[2], "cancelled"))  # fmt: skip
        await heard(databases, one.registered(RegistrationWaitlisted, keys[0]),
                    one.registered(PlaceOffered, keys[1], until=until),
                    one.registered(RegistrationCancelled, keys[2], by="registrant"))  # fmt: skip
        await send_all(service)
        await send_all(service)
    subjects = [[str(mail["Subject"]).split(" ")[0] for mail in handler.to(to)] for to in mails]
    assert subjects == [["Lista"], ["Hay"], ["Ya"]]
    offered = handler.to(mails[1])[0].get_body(("plain",))
    assert offered is not None and "viernes 13 de marzo de 2026, 11:00" in offered.get_content()
    assert [part for mail in (handler.to(mails[0]) + handler.to(mails[1])) for part in mail.walk()
            if part.get_content_type() == "text/calendar"] == []  # fmt: skip
    assert entry(handler.to(mails[2])[0])[0] == "CANCEL"


async def test_a_change_reaches_everybody_on_the_list_under_the_same_uid_and_a_cancellation_too(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    one, key, mail, gone = Round(), uuid_utils.uuid7(), address(), address()
    whole = {"kind": "business_round", "mode": "in_place", "starts": STARTS, "ends": STARTS + timedelta(hours=9),
             "zone": "America/Mexico_City", "capacity": 2, "country": None, "state": None}  # fmt: skip
    async with sender(mail_port=port) as service:
        await heard(databases, one.state(), one.person(key, mail), one.person(uuid_utils.uuid7(), gone, "cancelled"))
        await heard(databases, one.state(sequence=1, capacity=5),
                    one.fact(GatheringChanged, fields=["capacity"], sequence=1, **whole))  # fmt: skip
        await heard(databases, one.state(sequence=2, ends=whole["ends"]),
                    one.fact(GatheringChanged, fields=["ends"], sequence=2, **whole))  # fmt: skip
        await send_all(service)
        later = STARTS + timedelta(days=7)
        await heard(databases, one.state(sequence=3, status="postponed", starts=later, ends=later),
                    one.fact(GatheringPostponed, sequence=3, starts=later, ends=later))  # fmt: skip
        await send_all(service)
        await heard(databases, one.state(sequence=4, status="cancelled"), one.fact(GatheringCancelled, sequence=4))
        await send_all(service)
    assert handler.to(gone) == []
    told = [(str(found["Subject"]).split(":")[0], *entry(found)) for found in handler.to(mail)]
    assert [(subject, method, event["sequence"], str(event["uid"])) for subject, method, event in told] == [
        ("Cambió", "REQUEST", 2, f"{one.id}@cumulo"),
        ("Se pospone", "REQUEST", 3, f"{one.id}@cumulo"),
        ("Se cancela", "CANCEL", 4, f"{one.id}@cumulo"),
    ]


async def test_reminders_come_a_week_and_a_day_before_once_each_to_who_has_a_place(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database], clock: Clock
) -> None:
    handler, port = sink
    one, mail, waiting = Round(), address(), address()
    database = databases["notifications"]

    async def at(now: datetime) -> None:
        clock.now = now
        async with database.unit(actor="test", cause="test", now=now) as unit:
            await commands.remind(unit)
        await send_all(service)

    async with sender(mail_port=port) as service:
        await heard(databases, one.state(), one.person(uuid_utils.uuid7(), mail),
                    one.person(uuid_utils.uuid7(), waiting, "waiting"))  # fmt: skip
        for hours in (-30, -2, 0, 0, 3, 24, 5 * 24):
            await at(WEEK_BEFORE + timedelta(hours=hours))
        assert [str(found["Subject"]) for found in handler.to(mail)] == ["En una semana: Ronda <de> proveeduría"]
        await at(STARTS - timedelta(days=1))
        await at(STARTS - timedelta(hours=20))
        await heard(databases, one.state(status="cancelled"))
        await at(STARTS + timedelta(hours=1))
    assert [str(found["Subject"]).split(":")[0] for found in handler.to(mail)] == ["En una semana", "Mañana"]
    assert handler.to(waiting) == []


async def test_nobody_is_written_to_about_what_is_over_or_was_erased(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    past, erased, mail, other = Round(), Round(), address(), address()
    keys = [uuid_utils.uuid7() for _ in range(2)]
    long_ago = NOW - timedelta(days=300)
    async with sender(mail_port=port) as service:
        await heard(databases, past.state(starts=long_ago, ends=long_ago), past.person(keys[0], mail),
                    past.registered(RegistrationConfirmed, keys[0], price=PRICE, waited=False))  # fmt: skip
        await heard(databases, erased.state(), erased.person(keys[1], other),
                    erased.registered(RegistrationConfirmed, keys[1], price=PRICE, waited=False))  # fmt: skip
        await heard(databases, item(RegistrationState, keys[1], 2))
        await send_all(service)
        left = await service.database.pool.fetchval("SELECT count(*) FROM registration WHERE mail = $1", other)
    assert handler.to(mail) == handler.to(other) == [] and left == 0


async def test_an_application_and_what_became_of_it_reach_the_applicant(
    sender: SenderFor, sink: tuple[Sink, int], databases: dict[str, Database]
) -> None:
    handler, port = sink
    scene = Scene()
    ids = {"membership_id": scene.membership, "organization_id": scene.organization, "cluster_id": scene.cluster}
    async with sender(mail_port=port) as service:
        await take(databases["notifications"], [scene.cluster_state(), scene.organization_state(),
                                                scene.person_state()])  # fmt: skip
        facts: list[Any] = [MembershipApplied, MembershipApproved, MembershipRefused]
        today = str(datetime.now(UTC).date()).encode()
        items = [item(fact(category="associate", **ids), scene.membership, n, ce_effective=today)
                 for n, fact in enumerate(facts, 1)]  # fmt: skip
        await take(databases["notifications"], items, NOW, "notifications.applications")
        await send_all(service)
    assert sorted(str(mail["Subject"]) for mail in handler.to(scene.mail)) == [
        "Costa y Agave aprobó el ingreso de Tres Puentes",
        "Costa y Agave no aceptó la solicitud de Tres Puentes",
        "Recibimos la solicitud de Tres Puentes a Costa y Agave",
    ]
