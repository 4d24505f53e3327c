"""Places and the waiting list against a plain model: never too many, none empty while somebody waits, order kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.events.places import domain
from services.events.places.domain import (
    Entrant,
    FewerPlacesThanTaken,
    NoPlaceLeft,
    NothingOffered,
    OfferEnded,
    Registration,
    Seating,
    Step,
)

START = datetime(2027, 3, 10, 15, tzinfo=UTC)


def seating(capacity: int | None = 2, **more: object) -> Seating:
    made = Seating(uuid4(), capacity, 0, 0, 1, True, True, 24, START + timedelta(days=10), "America/Mexico_City")
    return replace(made, **more)  # type: ignore[arg-type]


def entrant(now: datetime = START) -> Entrant:
    id_ = uuid4()
    return Entrant(id_, id_.hex, "Ana", f"{id_.hex}@a.example", "es", None, None, "public", Decimal(0), "MXN", now, "x")


class WaitingList(RuleBasedStateMachine):
    """What the commands do with the rules, beside a list of who came when."""

    @initialize(capacity=st.integers(1, 4), hours=st.integers(1, 48))
    def begin(self, capacity: int, hours: int) -> None:
        self.now = START
        self.seating = seating(capacity, accept_hours=hours)
        self.rows: dict[UUID, Registration] = {}
        self.came: list[UUID] = []
        self.offered: list[UUID] = []

    def take(self, step: Step) -> None:
        self.seating = step.seating
        for one, decided in step.changed:
            assert one.version == (self.rows[one.id].version + 1 if one.id in self.rows else 1)
            if type(decided.fact).__name__ == "PlaceOffered":
                self.offered.append(one.id)
            self.rows[one.id] = one

    def settle(self) -> None:
        for one in [
            r for r in self.rows.values() if r.status == "offered" and r.offer_until and r.offer_until <= self.now
        ]:
            self.take(domain.lapsed(self.seating, one, self.now))
        waiting = sorted((r for r in self.rows.values() if r.status == "waiting"), key=lambda r: r.number)
        self.take(domain.filled(self.seating, waiting[: domain.to_offer(self.seating, self.now)], self.now))

    @rule(count=st.integers(1, 4))
    def register(self, count: int) -> None:
        self.settle()
        who = [entrant(self.now) for _ in range(count)]
        try:
            step = domain.entered(self.seating, who)
        except NoPlaceLeft:
            assert not self.seating.is_open
            return
        self.came += [one.id for one in who]
        self.take(step)

    @precondition(lambda self: any(r.status in ("waiting", "offered", "confirmed") for r in self.rows.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.settle()
        alive = [r for r in self.rows.values() if r.status in ("waiting", "offered", "confirmed")]
        if not alive:
            return
        one = data.draw(st.sampled_from(sorted(alive, key=lambda r: r.number)))
        self.take(domain.cancelled(self.seating, one, "registrant", self.now))
        self.settle()

    @precondition(lambda self: any(r.status == "offered" for r in self.rows.values()))
    @rule(data=st.data())
    def accept(self, data: st.DataObject) -> None:
        offers = sorted((r for r in self.rows.values() if r.status == "offered"), key=lambda r: r.number)
        one = data.draw(st.sampled_from(offers))
        if one.offer_until is not None and one.offer_until <= self.now:
            with pytest.raises(OfferEnded):
                domain.accepted(self.seating, one, self.now)
            return
        self.take(domain.accepted(self.seating, one, self.now))

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.settle()

    @rule(capacity=st.integers(1, 6))
    def resize(self, capacity: int) -> None:
        try:
            self.seating = domain.resized(self.seating, capacity)
        except FewerPlacesThanTaken:
            assert capacity < self.seating.taken
        self.settle()

    @invariant()
    def the_counts_are_those_of_the_rows(self) -> None:
        if not hasattr(self, "rows"):
            return
        statuses = [r.status for r in self.rows.values()]
        assert self.seating.taken == statuses.count("confirmed") + statuses.count("offered")
        assert self.seating.waiting == statuses.count("waiting")

    @invariant()
    def never_more_than_there_are_and_none_empty_while_somebody_waits(self) -> None:
        if not hasattr(self, "rows"):
            return
        assert self.seating.capacity is not None
        assert self.seating.taken <= self.seating.capacity
        if self.seating.is_open and self.now < self.seating.closes:
            assert not self.seating.waiting or self.seating.taken == self.seating.capacity

    @invariant()
    def first_come_is_first_served(self) -> None:
        if not hasattr(self, "rows"):
            return
        order = [self.came.index(id_) for id_ in self.offered]
        assert order == sorted(order)
        assert [self.rows[id_].number for id_ in self.came] == list(range(1, len(self.came) + 1))
        waiting = [n for n, id_ in enumerate(self.came) if self.rows[id_].status == "waiting"]
        assert not waiting or not order or min(waiting) > max(order)


TestWaitingList = WaitingList.TestCase
TestWaitingList.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_an_offer_ends_when_registration_closes_if_that_is_sooner() -> None:
    full = domain.entered(seating(1), [entrant(), entrant()])
    late = START + timedelta(days=9, hours=20)
    step = domain.cancelled(full.seating, full.changed[0][0], "organizer", late)
    filled = domain.filled(step.seating, [full.changed[1][0]], late)
    assert filled.changed[0][0].offer_until == full.seating.closes


def test_nobody_is_offered_a_place_once_registration_has_closed() -> None:
    full = domain.entered(seating(1), [entrant(), entrant()])
    late = full.seating.closes
    step = domain.cancelled(full.seating, full.changed[0][0], "organizer", late)
    filled = domain.filled(step.seating, [full.changed[1][0]], late)
    assert (filled.changed, filled.seating.is_open) == ([], False)


def test_without_a_limit_everybody_has_a_place() -> None:
    step = domain.entered(seating(None), [entrant() for _ in range(5)])
    assert {one.status for one, _ in step.changed} == {"confirmed"}


def test_who_was_offered_nothing_accepts_nothing() -> None:
    full = domain.entered(seating(1), [entrant(), entrant()])
    for one, _ in full.changed:
        with pytest.raises(NothingOffered):
            domain.accepted(full.seating, one, START)
