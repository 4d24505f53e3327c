"""Any order of steps, against a plain model of the life of a membership: what is allowed, and what it makes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.membership.memberships import domain
from services.membership.memberships.domain import CATEGORIES, Decision, Membership
from services.reporting.register.domain import MembershipFact, after_membership
from shared.refusal import Refusal

FIRST = date(2026, 1, 1)
RECORDED = datetime(2026, 1, 1, tzinfo=UTC)
ALLOWED: dict[str, dict[str | None, str]] = {
    "apply": {None: "applied", "refused": "applied", "resigned": "applied", "lapsed": "applied"},
    "approve": {"applied": "approved"},
    "refuse": {"applied": "refused", "approved": "refused"},
    "activate": {"approved": "active", "resigned": "active"},
    "resign": {"active": "resigned"},
    "expel": {"active": "expelled"},
    "reinstate": {"resigned": "active", "expelled": "active", "lapsed": "active"},
    "category": {"active": "active"},
}
"""Which step leads from which standing to which; every other one is refused."""


def taken(step: str, present: Membership | None, on: date, category: Any = "associate") -> Decision:
    if step == "apply":
        return domain.applied(present, id_=UUID(int=1), organization_id=UUID(int=2), cluster_id=UUID(int=3),
                              category=category, on=on)  # fmt: skip
    assert present is not None
    if step == "category":
        return domain.recategorised(present, category=category, on=on)
    if step == "reinstate":
        return domain.reinstated(present, on=on, category=category)
    named = {"approve": domain.approved, "refuse": domain.refused, "activate": domain.activated,
             "resign": domain.resigned, "expel": domain.expelled}  # fmt: skip
    decide: Any = named[step]
    made: Decision = decide(present, on=on)
    return made


class Life(RuleBasedStateMachine):
    """Steps on days that go on; the model is a standing and, for each day, the category in force."""

    def __init__(self) -> None:
        super().__init__()
        self.present: Membership | None = None
        self.standing: str | None = None
        self.today = FIRST
        self.days: dict[date, str] = {}
        self.facts: list[tuple[int, str, date, str]] = []

    @rule(step=st.sampled_from(sorted(ALLOWED)), days=st.integers(1, 40), category=st.sampled_from(CATEGORIES))
    def step(self, step: str, days: int, category: str) -> None:
        before, self.today = self.today, self.today + timedelta(days=days)
        if self.standing == "active":
            for day in range(days):
                self.days[before + timedelta(days=day)] = self.category
        if self.present is None and step != "apply":
            return
        after = ALLOWED[step].get(self.standing)
        if after is None:
            with pytest.raises(Refusal):
                taken(step, self.present, self.today, category)
            return
        version, held = (self.present.version, self.present.category) if self.present else (0, "")
        self.present, facts = taken(step, self.present, self.today, category)
        same = step == "category" and category == held
        assert len(facts) == (0 if same else 1)
        assert self.present.version == version + len(facts)
        self.facts += [(self.present.version, type(f.fact).__name__, f.effective, self.present.category) for f in facts]
        self.standing = after

    @property
    def category(self) -> str:
        assert self.present is not None
        return self.present.category

    @invariant()
    def stands_as_the_model_says(self) -> None:
        if self.present is not None:
            assert self.present.standing == self.standing
            assert self.present.published().standing == self.standing

    @invariant()
    def was_in_force_on_the_days_of_the_model(self) -> None:
        bands = self.present.bands if self.present else ()
        for day in (FIRST + timedelta(days=n) for n in range((self.today - FIRST).days)):
            held = [b.category for b in bands if b.since <= day and (b.until is None or day < b.until)]
            assert held == ([self.days[day]] if day in self.days else []), day

    @invariant()
    def the_facts_alone_tell_the_same(self) -> None:
        timeline: Any = ()
        for version, kind, effective, category in self.facts:
            timeline = after_membership(timeline, MembershipFact(
                UUID(int=1), version, UUID(int=version), kind, effective, RECORDED, UUID(int=2), UUID(int=3), category,
            ))  # fmt: skip
        bands = self.present.bands if self.present else ()
        told = [(segment.value[2], segment.since, segment.until) for segment in timeline]
        assert told == [(band.category, band.since, band.until) for band in bands]


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase


@pytest.mark.parametrize("step", sorted(ALLOWED))
@pytest.mark.parametrize("standing", ["applied", "approved", "active", "lapsed", "resigned", "expelled", "refused"])
def test_a_step_is_allowed_from_these_standings_and_no_others(step: str, standing: str) -> None:
    band = domain.Band("associate", FIRST, None if standing == "active" else FIRST + timedelta(days=5))
    bands = (band,) if standing in ("active", "lapsed", "resigned", "expelled") else ()
    present = Membership(UUID(int=1), UUID(int=2), UUID(int=3), "associate", standing, None, None,  # type: ignore[arg-type]
                         bands[0].since if bands else None, bands[0].until if bands else None, bands, 3)  # fmt: skip
    on = FIRST + timedelta(days=9)
    if standing in ALLOWED[step]:
        assert taken(step, present, on, "affiliate")[0].standing == ALLOWED[step][standing]
    else:
        with pytest.raises(Refusal):
            taken(step, present, on, "affiliate")
