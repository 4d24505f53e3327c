"""The fold of facts into dated rows: order never matters, and both times are told apart.

Golden cases from the field beside properties over random histories, checked against a naive reading.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.register import domain
from services.reporting.register.domain import ClusterFact, MembershipFact, OrganizationFact, Period

ORGANIZATION, CLUSTER, MEMBERSHIP = UUID(int=1), UUID(int=2), UUID(int=3)
TYPES = ("Applied", "Approved", "Activated", "CategoryChanged", "Resigned")


def at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def fact(version: int, what: str, effective: date, recorded: datetime, category: str = "associate") -> MembershipFact:
    return MembershipFact(
        MEMBERSHIP,
        version,
        UUID(int=version),
        f"Membership{what}",
        effective,
        recorded,
        ORGANIZATION,
        CLUSTER,
        category,
    )


def believed(periods: list[Period], day: date, instant: datetime | None) -> list[tuple[object, ...]]:
    """What holds on a day as known at an instant, None: now."""
    return sorted(
        p.value for p in periods
        if (p.since is None or p.since <= day) and (p.until is None or day < p.until)
        and (p.known_until is None if instant is None
             else p.known_since <= instant and (p.known_until is None or instant < p.known_until))
    )  # fmt: skip


def category(periods: list[Period], day: date, instant: datetime | None = None) -> str | None:
    found = believed(periods, day, instant)
    assert len(found) <= 1
    return str(found[0][2]) if found else None


def naive_category(facts: list[MembershipFact], day: date, instant: datetime | None) -> str | None:
    """The category on a day, read off the facts one by one: each overrides the days from its own on."""
    standing: str | None = None
    reached: datetime | None = None
    for one in sorted(facts, key=lambda f: f.version):
        reached = max(reached or one.recorded, one.recorded)
        if instant is not None and reached > instant:
            break
        assert one.effective is not None
        if one.effective > day:
            # it overrides nothing about this day, but nothing that it began holds here either
            continue
        if one.type == "MembershipActivated" or (one.type == "MembershipCategoryChanged" and standing):
            standing = one.category
        elif one.type == "MembershipResigned":
            standing = None
    return standing


def test_a_joining_recorded_later_is_known_from_its_recording_on() -> None:
    periods = domain.membership_periods([fact(1, "Activated", date(2026, 1, 1), at(1, 10))])
    assert category(periods, date(2026, 1, 5)) == "associate"
    assert category(periods, date(2026, 1, 5), at(1, 9)) is None
    assert category(periods, date(2026, 1, 5), at(1, 10)) == "associate"
    assert category(periods, date(2025, 12, 31)) is None


def test_a_backdated_resignation_differs_by_when_it_was_known() -> None:
    periods = domain.membership_periods([
        fact(1, "Activated", date(2026, 1, 1), at(1, 1)),
        fact(2, "Resigned", date(2026, 3, 1), at(4, 15)),
    ])  # fmt: skip
    assert category(periods, date(2026, 3, 20), at(4, 1)) == "associate"
    assert category(periods, date(2026, 3, 20), at(4, 20)) is None
    assert category(periods, date(2026, 2, 28)) == "associate"
    assert category(periods, date(2026, 3, 1)) is None


def test_a_resignation_in_the_future_ends_nothing_yet() -> None:
    periods = domain.membership_periods([
        fact(1, "Activated", date(2026, 1, 1), at(1, 1)),
        fact(2, "Resigned", date(2027, 1, 1), at(6, 1)),
    ])  # fmt: skip
    assert category(periods, date(2026, 12, 31)) == "associate"
    assert category(periods, date(2027, 1, 1)) is None
    assert category(periods, date(2027, 1, 1), at(5, 1)) == "associate"


def test_a_change_of_category_never_revives_who_had_left() -> None:
    periods = domain.membership_periods([
        fact(1, "Activated", date(2026, 1, 1), at(1, 1)),
        fact(2, "Resigned", date(2026, 6, 1), at(5, 1)),
        fact(3, "CategoryChanged", date(2026, 3, 1), at(7, 1), "honorary"),
    ])  # fmt: skip
    assert [category(periods, date(2026, month, 15)) for month in (2, 4, 7)] == ["associate", "honorary", None]


def test_a_member_who_returns_has_two_periods() -> None:
    periods = domain.membership_periods([
        fact(1, "Activated", date(2020, 1, 1), at(1, 1)),
        fact(2, "Resigned", date(2022, 1, 1), at(1, 2)),
        fact(3, "Activated", date(2025, 1, 1), at(1, 3), "affiliate"),
    ])  # fmt: skip
    days = [date(year, 6, 1) for year in (2019, 2021, 2023, 2026)]
    assert [category(periods, day) for day in days] == [None, "associate", None, "affiliate"]


def test_of_facts_recorded_at_one_instant_only_the_last_belief_is_seen() -> None:
    periods = domain.membership_periods([
        fact(1, "Applied", date(2026, 1, 1), at(1, 1)),
        fact(2, "Activated", date(2026, 1, 1), at(1, 1)),
        fact(3, "CategoryChanged", date(2026, 1, 1), at(1, 1), "honorary"),
    ])  # fmt: skip
    assert [(p.since, p.until, p.value[2], p.known_since, p.known_until) for p in periods] == [
        (date(2026, 1, 1), None, "honorary", at(1, 1), None)
    ]


def test_a_clock_that_runs_behind_never_makes_knowledge_run_backwards() -> None:
    periods = domain.membership_periods([
        fact(1, "Activated", date(2026, 1, 1), at(1, 10)),
        fact(2, "Resigned", date(2026, 2, 1), at(1, 9)),
    ])  # fmt: skip
    assert [(p.since, p.until, p.known_since) for p in periods] == [(date(2026, 1, 1), date(2026, 2, 1), at(1, 10))]


def test_a_belief_that_does_not_change_is_one_row() -> None:
    periods = domain.membership_periods([
        fact(1, "Applied", date(2026, 1, 1), at(1, 1)),
        fact(2, "Activated", date(2026, 1, 1), at(1, 2)),
        fact(3, "CategoryChanged", date(2026, 5, 1), at(1, 3), "associate"),
        fact(4, "Activated", date(2026, 7, 1), at(1, 4)),
    ])  # fmt: skip
    assert len(periods) == 1


def organization(version: int, effective: date | None, state: str, *positions: tuple[str, date, date | None]) -> (
    OrganizationFact
):  # fmt: skip
    type_ = "OrganizationRegistered" if version == 1 else "OrganizationReclassified"
    return OrganizationFact(
        ORGANIZATION, version, UUID(int=version), type_, effective, at(1, version), "company", state, positions
    )


def test_an_organisation_had_its_first_state_before_it_was_registered() -> None:
    periods = domain.periods(
        [organization(1, date(2026, 1, 1), "MX-JAL"), organization(2, date(2026, 6, 1), "MX-NLE")],
        domain.after_classification,
    )
    states = [believed(periods, day, None)[0][1] for day in (date(2019, 1, 1), date(2026, 5, 31), date(2026, 6, 1))]
    assert states == ["MX-JAL", "MX-JAL", "MX-NLE"]


def test_positions_carry_their_own_days_and_hold_several_at_once() -> None:
    first, second = ("tier1", date(2020, 1, 1), None), ("tier2", date(2022, 1, 1), date(2024, 1, 1))
    periods = domain.periods([organization(1, date(2026, 1, 1), "MX-JAL", first, second)], domain.after_positions)
    days = [date(year, 6, 1) for year in (2019, 2021, 2023, 2025)]
    assert [[v[0] for v in believed(periods, day, None)] for day in days] == [
        [],
        ["tier1"],
        ["tier1", "tier2"],
        ["tier1"],
    ]


def test_a_position_that_is_listed_twice_counts_once_a_day() -> None:
    twice = (("oem", date(2020, 1, 1), date(2024, 1, 1)), ("oem", date(2022, 1, 1), None), ("oem", date(2021, 1, 1),
             date(2021, 1, 1)))  # fmt: skip
    periods = domain.periods([organization(1, None, "MX-JAL", *twice)], domain.after_positions)
    assert [(p.since, p.until) for p in periods] == [(date(2020, 1, 1), None)]


def test_a_cluster_that_left_is_out_of_the_network_from_that_day_on() -> None:
    facts = [
        ClusterFact(CLUSTER, 1, UUID(int=1), "ClusterFounded", date(2019, 1, 1), at(1, 1)),
        ClusterFact(CLUSTER, 2, UUID(int=2), "ClusterJoinedNetwork", date(2020, 9, 1), at(1, 1)),
        ClusterFact(CLUSTER, 3, UUID(int=3), "ClusterLeftNetwork", date(2025, 1, 1), at(1, 2)),
    ]
    periods = domain.periods(facts, domain.after_cluster)
    days = (date(2020, 8, 31), date(2020, 9, 1), date(2024, 12, 31), date(2025, 1, 1))
    assert [bool(believed(periods, day, None)) for day in days] == [False, True, True, False]


@st.composite
def histories(draw: st.DrawFn) -> list[MembershipFact]:
    """Facts of one membership with effective days and recorded instants in any order, many of them alike."""
    count = draw(st.integers(0, 6))
    return [
        fact(
            version, draw(st.sampled_from(TYPES)), date(2026, 1, 1) + timedelta(days=draw(st.integers(0, 6))),
            datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=draw(st.integers(0, 6))),
            draw(st.sampled_from(["associate", "affiliate"])),
        )
        for version in range(1, count + 1)
    ]  # fmt: skip


@given(histories(), st.data())
def test_every_order_of_arrival_folds_to_the_same_rows(facts: list[MembershipFact], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(facts))
    assert domain.membership_periods(shuffled) == domain.membership_periods(facts)


def test_all_orders_of_four_facts_fold_to_the_same_rows() -> None:
    facts = [
        fact(1, "Activated", date(2026, 1, 3), at(1, 3)),
        fact(2, "CategoryChanged", date(2026, 1, 5), at(1, 2), "honorary"),
        fact(3, "Resigned", date(2026, 1, 4), at(1, 5)),
        fact(4, "Activated", date(2026, 1, 2), at(1, 5)),
    ]
    assert len({tuple(domain.membership_periods(list(order))) for order in permutations(facts)}) == 1


@settings(max_examples=300)
@given(histories())
def test_rows_say_what_a_naive_reading_of_the_facts_says(facts: list[MembershipFact]) -> None:
    periods = domain.membership_periods(facts)
    instants = [None, *(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(-1, 8))]
    for day in (date(2026, 1, 1) + timedelta(days=n) for n in range(-1, 8)):
        for instant in instants:
            assert category(periods, day, instant) == naive_category(facts, day, instant)


@given(histories())
def test_no_row_is_empty_and_none_could_be_joined_to_another(facts: list[MembershipFact]) -> None:
    periods = domain.membership_periods(facts)
    for p in periods:
        assert p.since is None or p.until is None or p.since < p.until
        assert p.known_until is None or p.known_since < p.known_until
    alike = sorted(periods, key=lambda p: (p.since or date.min, p.until or date.max, p.value, p.known_since))
    for a, b in pairwise(alike):
        assert (a.since, a.until, a.value, a.known_until) != (b.since, b.until, b.value, b.known_since)


OTHER = UUID(int=9)


def test_an_activation_withdrawn_counts_on_no_day_and_what_was_before_it_stays() -> None:
    facts = [
        fact(1, "Activated", date(2020, 1, 1), at(1, 1)), fact(2, "Resigned", date(2022, 1, 1), at(1, 2)),
        fact(3, "Activated", date(2026, 1, 1), at(1, 3)),
    ]  # fmt: skip
    for order in permutations([*facts, fact(4, "ActivationWithdrawn", date(2026, 1, 1), at(1, 4))]):
        periods = domain.membership_periods(list(order))
        assert category(periods, date(2021, 1, 1)) == "associate"
        assert category(periods, date(2026, 3, 1)) is None
        assert category(periods, date(2026, 3, 1), at(1, 3)) == "associate", "so it was believed then"


def test_a_membership_transferred_has_all_its_days_with_the_other_organisation() -> None:
    facts = [
        fact(1, "Activated", date(2020, 1, 1), at(1, 1)), fact(2, "Resigned", date(2022, 1, 1), at(1, 2)),
        fact(3, "Transferred", date(2026, 2, 1), at(2, 1))._replace(organization_id=OTHER),
    ]  # fmt: skip
    periods = domain.membership_periods(facts)
    assert believed(periods, date(2021, 1, 1), None) == [(OTHER, CLUSTER, "associate")]
    assert believed(periods, date(2021, 1, 1), at(1, 5)) == [(ORGANIZATION, CLUSTER, "associate")]


def test_a_membership_merged_ends_and_its_days_before_are_the_other_organisations() -> None:
    facts = [
        fact(1, "Activated", date(2020, 1, 1), at(1, 1)),
        fact(2, "Merged", date(2026, 2, 1), at(2, 1))._replace(organization_id=OTHER),
    ]
    periods = domain.membership_periods(facts)
    assert believed(periods, date(2026, 1, 31), None) == [(OTHER, CLUSTER, "associate")]
    assert believed(periods, date(2026, 2, 1), None) == []
