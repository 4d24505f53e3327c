"""The life of a membership: given, when, then; and what holds for any life."""

import contextlib
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.membership.decisions import ChangedMeanwhile, Decided, still_at
from services.membership.memberships import domain
from services.membership.memberships.domain import (
    AlreadyApplied,
    AlreadyMember,
    Band,
    BeforeTheLastStep,
    Membership,
    NotAMember,
    NotApplied,
    NotApproved,
)
from shared.contracts.membership import MembershipActivated, MembershipCategoryChanged, MembershipResigned
from shared.refusal import Refusal

ID, ORGANIZATION, CLUSTER = UUID(int=1), UUID(int=2), UUID(int=3)
DAY = date(2026, 3, 1)


def applied(present: Membership | None = None, on: date = DAY) -> Membership:
    return domain.applied(
        present, id_=ID, organization_id=ORGANIZATION, cluster_id=CLUSTER, category="associate", on=on
    )[0]


def active(on: date = DAY) -> Membership:
    return domain.activated(domain.approved(applied(on=on), on=on)[0], on=on)[0]


def taken_over(present: Membership | None, on: date) -> tuple[Membership, list[Decided]]:
    return domain.taken_over(
        present, id_=ID, organization_id=ORGANIZATION, cluster_id=CLUSTER, category="associate", on=on, announce=False
    )


def test_from_application_to_resignation() -> None:
    membership, facts = domain.resigned(active(), on=date(2027, 1, 1))
    assert (membership.standing, membership.since, membership.until) == ("resigned", DAY, date(2027, 1, 1))
    assert membership.bands == (Band("associate", DAY, date(2027, 1, 1)),)
    assert membership.version == 4
    assert isinstance(facts[0].fact, MembershipResigned)
    assert facts[0].effective == date(2027, 1, 1)


def test_after_a_resignation_one_applies_again_and_both_lives_stand() -> None:
    left, _ = domain.resigned(active(), on=date(2027, 1, 1))
    again = domain.activated(domain.approved(applied(left, date(2028, 1, 1)), on=date(2028, 1, 2))[0],
                             on=date(2028, 2, 1))[0]  # fmt: skip
    assert again.bands == (Band("associate", DAY, date(2027, 1, 1)), Band("associate", date(2028, 2, 1)))
    assert (again.since, again.until, again.version) == (date(2028, 2, 1), None, 7)


def test_after_a_resignation_it_comes_into_force_again_but_not_before_its_end() -> None:
    left, _ = domain.resigned(active(), on=date(2027, 1, 1))
    with pytest.raises(BeforeTheLastStep):
        domain.activated(left, on=date(2026, 12, 31))
    assert domain.activated(left, on=date(2027, 1, 1))[0].standing == "active"


def test_nobody_applies_twice_or_as_a_member() -> None:
    with pytest.raises(AlreadyApplied):
        applied(applied())
    with pytest.raises(AlreadyMember):
        applied(active())


def test_steps_come_in_order() -> None:
    with pytest.raises(NotApproved):
        domain.activated(applied(), on=DAY)
    with pytest.raises(NotApplied):
        domain.approved(active(), on=DAY)
    with pytest.raises(AlreadyMember):
        domain.activated(active(), on=DAY)
    with pytest.raises(NotAMember):
        domain.resigned(applied(), on=DAY)
    with pytest.raises(NotAMember):
        domain.resigned(domain.resigned(active(), on=date(2027, 1, 1))[0], on=date(2027, 1, 2))


def test_a_step_is_not_before_the_last_one() -> None:
    with pytest.raises(BeforeTheLastStep, match="applied on"):
        domain.approved(applied(), on=DAY - timedelta(days=1))
    with pytest.raises(BeforeTheLastStep):
        domain.resigned(active(), on=DAY)
    left, _ = domain.resigned(active(), on=date(2027, 1, 1))
    with pytest.raises(BeforeTheLastStep):
        applied(left, date(2026, 12, 31))


def test_another_category_splits_the_band_and_the_same_makes_no_fact() -> None:
    changed, facts = domain.recategorised(active(), category="affiliate", on=date(2026, 6, 1))
    assert changed.bands == (Band("associate", DAY, date(2026, 6, 1)), Band("affiliate", date(2026, 6, 1)))
    assert changed.since == DAY
    assert facts == [
        Decided(
            MembershipCategoryChanged(membership_id=ID, organization_id=ORGANIZATION, cluster_id=CLUSTER,
                                      category="affiliate", previous="associate"),
            date(2026, 6, 1),
        )
    ]  # fmt: skip
    assert domain.recategorised(changed, category="affiliate", on=date(2026, 7, 1)) == (changed, [])


def test_another_category_on_the_day_on_which_the_band_begins_replaces_it_and_before_that_is_refused() -> None:
    changed, facts = domain.recategorised(active(), category="honorary", on=DAY)
    assert changed.bands == (Band("honorary", DAY),)
    assert facts[0].effective == DAY
    with pytest.raises(BeforeTheLastStep):
        domain.recategorised(active(), category="honorary", on=DAY - timedelta(days=1))
    later, _ = domain.recategorised(active(), category="affiliate", on=date(2026, 6, 1))
    with pytest.raises(BeforeTheLastStep):  # it would undo a band that was told
        domain.recategorised(later, category="honorary", on=date(2026, 5, 31))


def test_a_register_needs_no_application_and_says_where_it_comes_from() -> None:
    membership, facts = taken_over(None, DAY)
    fact = facts[0].fact
    assert isinstance(fact, MembershipActivated)
    assert (fact.origin, fact.announce, membership.version, membership.standing) == ("import", False, 1, "active")
    assert taken_over(applied(), DAY)[0].version == 2


def test_a_register_older_than_the_resignation_takes_nobody_back() -> None:
    left, _ = domain.resigned(active(), on=date(2027, 1, 1))
    with pytest.raises(BeforeTheLastStep):
        taken_over(left, DAY)


def test_who_read_another_version_is_told() -> None:
    still_at(3, None)
    still_at(3, 3)
    with pytest.raises(ChangedMeanwhile):
        still_at(4, 3)


steps = st.lists(
    st.tuples(
        st.sampled_from(["apply", "approve", "activate", "resign", "affiliate", "associate", "import"]),
        st.integers(-40, 40),
    ),
    max_size=30,
)


@given(steps)
def test_whatever_happens_bands_never_overlap_and_versions_count_the_facts(sequence: list[tuple[str, int]]) -> None:
    present: Membership | None = None
    count = 0
    day = DAY
    for step, days in sequence:
        day += timedelta(days=days)
        with contextlib.suppress(Refusal):
            facts: list[Decided] = []
            if step == "apply":
                after, facts = domain.applied(
                    present, id_=ID, organization_id=ORGANIZATION, cluster_id=CLUSTER, category="associate", on=day
                )
            elif step == "import":
                after, facts = taken_over(present, day)
            elif present is None:
                continue
            elif step == "approve":
                after, facts = domain.approved(present, on=day)
            elif step == "activate":
                after, facts = domain.activated(present, on=day)
            elif step == "resign":
                after, facts = domain.resigned(present, on=day)
            else:
                category = "affiliate" if step == "affiliate" else "associate"
                after, facts = domain.recategorised(present, category=category, on=day)  # type: ignore[arg-type]
            present = after
            count += len(facts)
    if present is not None:
        assert present.version == count
        for before, after_ in pairwise(present.bands):
            assert before.until is not None
            assert before.since < before.until <= after_.since
        assert (present.standing == "active") == bool(present.bands and present.bands[-1].until is None)
