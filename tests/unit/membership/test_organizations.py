"""Rules of organisations: what is a fact, what is only a text; positions with dates; names."""

from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.membership.organizations import domain
from services.membership.organizations.domain import POSITIONS, NameWithoutLetters, Organization, Position
from shared.contracts.membership import ChainPosition, OrganizationProfileChanged, OrganizationReclassified

ID = UUID("019c6781-7ba8-7e9f-a4fc-f3f162b8a158")
DAY = date(2020, 5, 1)


def registered(**more: Any) -> Organization:
    values: dict[str, Any] = {
        "legal_name": "Inyectora Tres Cerros, S.A. de C.V.", "trade_name": None, "type_": "company", "country": "MX",
        "state": "JAL", "city": None, "tax_number": None, "positions": ["tier2"], "on": DAY,
    }  # fmt: skip
    return domain.registered(ID, **(values | more))[0]


def test_without_a_trade_name_it_goes_by_its_legal_name_without_the_legal_form() -> None:
    organization = registered()
    assert (organization.trade_name, organization.slug) == ("Inyectora Tres Cerros", "inyectora-tres-cerros")
    assert registered(trade_name="Tres Cerros").slug == "tres-cerros"


@pytest.mark.parametrize(
    ("legal", "people_say"),
    [
        ("Arneses del Nazas, S. de R.L. de C.V.", "Arneses del Nazas"),
        ("TROQUELADOS PEÑA ALTA SA DE CV", "TROQUELADOS PEÑA ALTA"),
        ("Logística Tres Puentes, S.C.", "Logística Tres Puentes"),
        ("Universidad Tecnológica del Semidesierto", "Universidad Tecnológica del Semidesierto"),
        ("S.A. de C.V.", "S.A. de C.V."),
        ("A.B.C. Moldes, S.A.", "A.B.C. Moldes"),
        ("Ocotillo Ltd.", "Ocotillo"),
    ],
)
def test_legal_forms_are_not_what_people_say(legal: str, people_say: str) -> None:
    assert domain.without_legal_form(legal) == people_say


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(NameWithoutLetters):
        registered(legal_name=" .-, ")


def test_what_is_the_same_makes_no_fact_and_no_version() -> None:
    organization = registered()
    after, facts, differences = domain.changed(organization, {"state": "JAL", "city": None}, ["tier2"], DAY)
    assert (after, facts, differences) == (organization, [], {})


def test_texts_are_named_and_place_is_told_whole() -> None:
    after, facts, differences = domain.changed(
        registered(),
        {"legal_name": "Inyectora Cuatro Cerros", "city": "Zapopan", "state": "NLE"},
        None,
        date(2026, 1, 1),
    )
    assert [type(d.fact) for d in facts] == [OrganizationReclassified, OrganizationProfileChanged]
    assert isinstance(facts[0].fact, OrganizationReclassified)
    assert isinstance(facts[1].fact, OrganizationProfileChanged)
    assert facts[0].fact.state == "NLE"
    assert facts[1].fact.fields == ["legal_name", "city"]
    assert after.version == 3
    assert differences["city"] == (None, "Zapopan")


def test_a_position_ends_on_the_day_on_which_another_begins() -> None:
    after, facts, differences = domain.changed(registered(), {}, ["tier1"], date(2026, 1, 1))
    assert after.positions == (
        Position("tier1", date(2026, 1, 1)),
        Position("tier2", DAY, date(2026, 1, 1)),
    )
    assert differences == {"positions": (["tier2"], ["tier1"])}
    assert len(facts) == 1


def test_a_position_that_ends_on_its_first_day_was_never_true() -> None:
    assert domain.changed(registered(), {}, ["oem"], DAY)[0].positions == (Position("oem", DAY),)


chosen = st.sets(st.sampled_from(POSITIONS))


@given(st.lists(st.tuples(chosen, st.integers(0, 3000)), max_size=8))
def test_periods_of_a_position_never_overlap(changes: list[tuple[set[ChainPosition], int]]) -> None:
    organization = registered()
    for wanted, days in changes:
        organization, _, _ = domain.changed(organization, {}, wanted, date.fromordinal(DAY.toordinal() + days))
        assert organization.open_positions == wanted
        for position in POSITIONS:
            periods = sorted((p.since, p.until) for p in organization.positions if p.position == position and p.until)
            assert all(since < until for since, until in periods)
            assert all(a[1] <= b[0] for a, b in pairwise(periods))
            for still in (p for p in organization.positions if p.position == position and p.until is None):
                assert all(until <= still.since for _, until in periods)


@given(st.text(min_size=1, max_size=80))
def test_any_name_gives_a_slug_of_an_address(name: str) -> None:
    slug = domain.slug_of(name)
    assert slug
    assert len(slug) <= 50
    assert " " not in slug
