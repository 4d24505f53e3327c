"""What can be asked of an indicator, how times are read, and which figures count as moved."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.catalogue import domain as catalogue
from services.reporting.catalogue.domain import NotAPeriod, UnknownDimension, UnknownIndicator
from services.reporting.indicators import domain
from services.reporting.indicators.domain import Figure, NotADay

ZONE = "America/Mexico_City"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = date(2026, 3, 1)


def test_a_day_means_its_last_instant_in_the_zone() -> None:
    assert domain.instant_named("2026-03-10", "known_on", ZONE) == datetime(2026, 3, 11, 6, tzinfo=UTC) - timedelta(
        microseconds=1
    )


@pytest.mark.parametrize("text", ["2026-03-10T12:00:00Z", "2026-03-10T06:00:00-06:00", "2026-03-10T14:00:00 02:00"])
def test_an_instant_is_read_with_its_offset(text: str) -> None:
    assert domain.instant_named(text, "known_on", ZONE) == datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "0", "yesterday", "2026-02-30", "20260310", "1899-12-31", "2200-01-01", "2026-03-10T12:00:00",
             "1800-01-01T00:00:00Z", "2026-W10-2", "9999-12-31"]
)  # fmt: skip
def test_what_is_no_time_is_refused_at_its_field(text: str) -> None:
    with pytest.raises(NotADay) as refused:
        domain.instant_named(text, "known_on", ZONE)
    assert refused.value.field == "known_on"


def test_an_unknown_dimension_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownDimension, match="cluster, category, type, position, state"):
        catalogue.checked_dimensions(catalogue.CATALOGUE["members"], ["size"])
    for names in (["cluster", "cluster"], ["cluster", "type", "state"]):
        with pytest.raises(UnknownDimension):
            catalogue.checked_dimensions(catalogue.CATALOGUE["members"], names)
    with pytest.raises(UnknownIndicator):
        catalogue.indicator_named("turnover")


def figure(scope: str, value: int, *, version: int = 1, changed: datetime = NOW - timedelta(hours=1)) -> Figure:
    return Figure("members", scope, version, value, TODAY, changed)


def test_a_figure_moves_when_its_value_does_and_versions_are_dense() -> None:
    known = [figure("network", 5, version=7), figure("cluster:a", 2)]
    moved = domain.moves(
        known, {("members", "network"): 6, ("members", "cluster:a"): 2}, {"network", "cluster:a"}, TODAY, NOW
    )
    assert [(m.figure.scope, m.figure.version, m.figure.value, m.previous) for m in moved] == [("network", 8, 6, 5)]


def test_a_figure_that_falls_to_nothing_is_published_and_one_that_never_was_is_not() -> None:
    moved = domain.moves([figure("network", 5)], {}, {"network", "cluster:new"}, TODAY, NOW)
    assert [(m.figure.scope, m.figure.value) for m in moved] == [("network", 0)]


def test_a_figure_waits_for_a_second_after_its_publication() -> None:
    fresh = figure("network", 1, changed=NOW - timedelta(milliseconds=900))
    assert domain.too_early([fresh, figure("cluster:a", 1)], NOW) == {"network"}


@given(st.lists(st.integers(0, 40), max_size=12))
def test_what_is_hidden_is_never_the_difference_of_what_is_shown(sizes: list[int]) -> None:
    places = catalogue.hidden(sizes)
    assert {place for place, size in enumerate(sizes) if size < catalogue.FEWEST} <= places
    together = sum(sizes[place] for place in places)
    assert not places or together >= catalogue.FEWEST or len(places) == len(sizes)


def test_a_period_begins_with_its_year_and_is_refused_where_a_day_is_counted() -> None:
    joined, members = catalogue.CATALOGUE["joined"], catalogue.CATALOGUE["members"]
    assert catalogue.period_of(joined, TODAY, None) == date(2026, 1, 1)
    assert catalogue.period_of(members, TODAY, None) == TODAY
    for indicator, since in ((members, TODAY), (joined, TODAY + timedelta(days=1))):
        with pytest.raises(NotAPeriod):
            catalogue.period_of(indicator, TODAY, since)
