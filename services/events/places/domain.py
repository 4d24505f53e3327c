"""Places and the waiting list: who gets a place, who waits, to whom a free place is offered and until when.

Pure. Never more places than there are, never an empty one while somebody waits and registration is open, first come,
first served. A place that is offered is kept, and counts as taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from services.events.decisions import Decided
from shared.contracts.events import (
    AttendanceRecorded,
    AttendanceWithdrawn,
    PlaceOffered,
    PlaceOfferLapsed,
    Price,
    PriceGroup,
    RegistrationCancelled,
    RegistrationConfirmed,
    RegistrationStatus,
    RegistrationWaitlisted,
)
from shared.postgres.values import day_in
from shared.refusal import Conflict, NotFound, Refusal
from shared.runtime.privacy import NOBODY, Personal, by_text

Method = Literal["qr", "hand", "report"]
PERSONAL = (
    Personal(
        "registration", ("name", "mail", "mail_key"),
        f"person_id::text = ANY ($1) OR ({NOBODY} OR mail_key = ANY ($2))", "record",
    ),
    Personal("change_log", ("note", "fields"), by_text("concat(note, fields::text)"), "values",
             "note = CASE WHEN note IS NULL THEN NULL ELSE 'erased' END, fields = NULL"),
)  # fmt: skip
"""What access and erasure of a person concern; the row stays and counts, without saying who it was."""


class NoSuchRegistration(NotFound):
    """Nobody is registered under this id or code, or not for this caller."""


class NoPlaceLeft(Conflict):
    """Every place is taken and there is no waiting list."""


class AlreadyRegistered(Conflict):
    """The same person is registered, or waits, already."""


class FewerPlacesThanTaken(Conflict):
    """The capacity cannot be less than the places that are taken."""


class CalledOff(Conflict):
    """The gathering was cancelled: whoever was registered is registered no more."""


class NothingOffered(Conflict):
    """There is no offered place to accept."""


class OfferEnded(Conflict):
    """The time to accept is over; the place went to the next."""


class NotRegisteredAnyMore(Conflict):
    """The registration was cancelled, or its offer lapsed."""


class NoPlaceYet(Conflict):
    """Who waits has no place that they could have taken."""


class MomentAhead(Refusal):
    """An instant that has not come yet."""


@dataclass(frozen=True, slots=True)
class Seating:
    """The places of one gathering. `capacity` None: no limit. `is_open`: a free place is offered to who waits."""

    gathering_id: UUID
    capacity: int | None
    taken: int
    waiting: int
    next_number: int
    is_open: bool
    waiting_list: bool
    accept_hours: int
    closes: datetime
    zone: str
    join_url: str | None = None
    called_off: bool = False

    @property
    def free(self) -> int | None:
        """Places that nobody has; None: no limit."""
        return None if self.capacity is None else max(self.capacity - self.taken, 0)

    def require_on(self) -> None:
        """Raises `CalledOff`."""
        if self.called_off:
            raise CalledOff("it was cancelled: nobody is registered any more", field="status")

    @property
    def has_room(self) -> bool:
        """Whether somebody can have a place at once: one is free and nobody waits for it."""
        return self.free is None or self.free > 0


@dataclass(frozen=True, slots=True)
class Entrant:
    """Somebody who is to be registered, at the price that was worked out for them."""

    id: UUID
    code: str
    name: str
    mail: str
    language: Literal["es", "en"]
    organization_id: UUID | None
    person_id: UUID | None
    group: PriceGroup
    amount: Decimal
    currency: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Registration:
    """One person at one gathering. `number` is their place in the order of coming; `name` is None once erased."""

    id: UUID
    gathering_id: UUID
    number: int
    organization_id: UUID | None
    status: RegistrationStatus
    name: str | None
    mail: str | None
    language: Literal["es", "en"]
    person_id: UUID | None
    price_group: PriceGroup
    amount: Decimal
    currency: str
    waited: bool
    offer_until: datetime | None
    check_in_code: str
    registered_at: datetime
    registered_by: str
    erased: bool
    version: int
    revision: int

    @property
    def price(self) -> Price:
        """As facts and states tell it."""
        return Price(group=self.price_group, amount=f"{self.amount:.2f}", currency=self.currency)

    def of(self) -> dict[str, UUID | None]:
        """The ids that every fact of it has."""
        return {"registration_id": self.id, "gathering_id": self.gathering_id, "organization_id": self.organization_id}

    def moved(self, status: RegistrationStatus, until: datetime | None = None) -> "Registration":
        """The same one step on."""
        return replace(self, status=status, offer_until=until, version=self.version + 1, revision=self.revision + 1)


class Step(NamedTuple):
    """What a rule decided: the places after it, the registrations that changed, each with its fact."""

    seating: Seating
    changed: list[tuple[Registration, Decided]]


def entered(seating: Seating, who: Sequence[Entrant]) -> Step:
    """All of them, in this order: places as long as there are, then the waiting list. Raises `NoPlaceLeft`."""
    changed: list[tuple[Registration, Decided]] = []
    for one in who:
        seated = seating.has_room and not (seating.is_open and seating.waiting)
        if not seated and not (seating.waiting_list and seating.is_open):
            raise NoPlaceLeft("every place is taken and there is no waiting list", field="people")
        made = Registration(
            one.id, seating.gathering_id, seating.next_number, one.organization_id,
            "confirmed" if seated else "waiting", one.name, one.mail, one.language, one.person_id, one.group,
            one.amount, one.currency, not seated, None, one.code, one.at, one.by, False, 1, 1,
        )  # fmt: skip
        on = day_in(seating.zone, one.at)
        fact = (
            RegistrationConfirmed(**made.of(), price=made.price, waited=False)  # type: ignore[arg-type]
            if seated
            else RegistrationWaitlisted(**made.of())  # type: ignore[arg-type]
        )
        changed.append((made, Decided(fact, on)))
        seating = replace(
            seating, next_number=seating.next_number + 1, taken=seating.taken + seated,
            waiting=seating.waiting + (not seated),
        )  # fmt: skip
    return Step(seating, changed)


def to_offer(seating: Seating, now: datetime) -> int:
    """How many of those who wait are offered a place now."""
    if not seating.is_open or now >= seating.closes:
        return 0
    return seating.waiting if seating.free is None else min(seating.free, seating.waiting)


def filled(seating: Seating, first: Sequence[Registration], now: datetime) -> Step:
    """Free places are offered to the first who wait; once registration has closed nobody is waited for any more."""
    if seating.is_open and now >= seating.closes:
        return Step(replace(seating, is_open=False), [])
    until = min(now + timedelta(hours=seating.accept_hours), seating.closes)
    changed = []
    for one in first[: to_offer(seating, now)]:
        after = one.moved("offered", until)
        changed.append((after, _today(seating, now, PlaceOffered(**one.of(), until=until))))  # type: ignore[arg-type]
    count = len(changed)
    return Step(replace(seating, taken=seating.taken + count, waiting=seating.waiting - count), changed)


def accepted(seating: Seating, one: Registration, now: datetime) -> Step:
    """Who was offered a place takes it. Raises `NothingOffered`, `OfferEnded`."""
    if one.status != "offered":
        raise NothingOffered("there is no offered place to accept", field="status")
    if one.offer_until is not None and now >= one.offer_until:
        raise OfferEnded("the time to accept ended; the place went to the next", field="status")
    after = one.moved("confirmed")
    fact = RegistrationConfirmed(**one.of(), price=one.price, waited=True)  # type: ignore[arg-type]
    return Step(seating, [(after, _today(seating, now, fact))])


def cancelled(seating: Seating, one: Registration, by: Literal["registrant", "organizer"], now: datetime) -> Step:
    """They do not come; a place that they had is free. Raises `NotRegisteredAnyMore`."""
    require_alive(one)
    fact = RegistrationCancelled(**one.of(), by=by)  # type: ignore[arg-type]
    return Step(_without(seating, one), [(one.moved("cancelled"), _today(seating, now, fact))])


def lapsed(seating: Seating, one: Registration, now: datetime) -> Step:
    """The offered place was not taken in time."""
    fact = PlaceOfferLapsed(**one.of())  # type: ignore[arg-type]
    return Step(_without(seating, one), [(one.moved("lapsed"), _today(seating, now, fact))])


def resized(seating: Seating, capacity: int | None) -> Seating:
    """Other places. Raises `FewerPlacesThanTaken`."""
    if capacity is not None and capacity < seating.taken:
        raise FewerPlacesThanTaken("{taken} places are taken: the capacity cannot be less", taken=seating.taken,
                                   field="capacity")  # fmt: skip
    return replace(seating, capacity=capacity)


def attended(seating: Seating, one: Registration, at: datetime, method: Method, now: datetime) -> Step:
    """They were there at `at`. Raises `NotRegisteredAnyMore`, `NoPlaceYet`, `MomentAhead`."""
    require_alive(one)
    if one.status == "waiting":
        raise NoPlaceYet("they wait for a place; give them one first", field="status")
    if at > now + timedelta(minutes=5):
        raise MomentAhead("this time has not come yet", field="at")
    after = replace(one, version=one.version + 1, revision=one.revision + 1)
    fact = AttendanceRecorded(**one.of(), at=at, method=method)  # type: ignore[arg-type]
    return Step(seating, [(after, Decided(fact, day_in(seating.zone, at)))])


def unattended(seating: Seating, one: Registration, now: datetime) -> Step:
    """They were not there after all."""
    after = replace(one, version=one.version + 1, revision=one.revision + 1)
    return Step(seating, [(after, _today(seating, now, AttendanceWithdrawn(**one.of())))])  # type: ignore[arg-type]


def require_alive(one: Registration) -> None:
    """Raises `NotRegisteredAnyMore`."""
    if one.status == "lapsed":
        raise NotRegisteredAnyMore("the offered place was not taken in time", field="status")
    if one.status == "cancelled":
        raise NotRegisteredAnyMore("the registration was cancelled", field="status")


def _without(seating: Seating, one: Registration) -> Seating:
    if one.status == "waiting":
        return replace(seating, waiting=seating.waiting - 1)
    return replace(seating, taken=seating.taken - 1)


def _today(
    seating: Seating, now: datetime,
    fact: PlaceOffered | RegistrationConfirmed | RegistrationCancelled | PlaceOfferLapsed | AttendanceWithdrawn,
) -> Decided:  # fmt: skip
    return Decided(fact, _day(seating, now))


def _day(seating: Seating, now: datetime) -> date:
    return day_in(seating.zone, now)
