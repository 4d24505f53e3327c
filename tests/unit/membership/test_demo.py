"""The invented network of the demo: as many as it says, the same for everybody, and nobody real."""

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from stdnum.mx import rfc

from services.membership.demo import CLUSTERS, COMPANIES
from services.membership.demo_invented import (
    ENDING_SOON,
    LEFT,
    MEMBERSHIPS,
    TWICE,
    WITHOUT_MAIL,
)
from services.membership.demo_register import ORGANIZATIONS, invented

DAY = date(2026, 3, 31)


@given(st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_on_every_day_the_memberships_of_each_cluster_are_as_many_as_it_says(day: date) -> None:
    found = invented(day)
    held = [one for organization in found for one in organization.belongs]
    assert all(one.since < (one.until or day) <= day for one in held)
    now = Counter(one.cluster for one in held if one.until is None)
    now.update(company.cluster for company in COMPANIES)
    assert now == MEMBERSHIPS and now.total() == 640
    begun = {cluster.slug: cluster.since for cluster in CLUSTERS}
    assert all(one.since >= begun[one.cluster] for one in held)


def test_it_has_612_organisations_of_the_kinds_that_a_network_has() -> None:
    found = invented(DAY)
    members = [one for one in found if one.belongs[0].until is None]
    assert len(members) + len(COMPANIES) == ORGANIZATIONS == 612
    assert sum(len(one.belongs) == 2 for one in members) == TWICE
    assert len(found) - len(members) == LEFT
    described = [(one.positions, one.type) for one in members] + [(one.positions, one.type) for one in COMPANIES]
    first = Counter((positions or (type_,))[0] for positions, type_ in described)
    assert first == {"oem": 9, "tier1": 148, "tier2": 231, "tier3": 74, "service": 86, "university": 31,
                     "research_centre": 9, "government": 24}  # fmt: skip


def test_a_year_ago_costa_y_agave_had_fifteen() -> None:
    held = [one for organization in invented(DAY) for one in organization.belongs if one.cluster == "costa-y-agave"]
    own = sum(company.cluster == "costa-y-agave" for company in COMPANIES)
    assert own + sum(one.since <= DAY - timedelta(days=365) for one in held) == 15


def test_it_is_the_same_each_time_and_moves_with_the_day() -> None:
    assert invented(DAY) == invented(DAY)
    later = invented(DAY + timedelta(days=10))
    assert [one.legal_name for one in later] == [one.legal_name for one in invented(DAY)]


def test_nobody_in_it_is_real_and_its_flaws_are_as_many_as_it_says() -> None:
    found = invented(DAY)
    assert len({one.tax_number for one in found}) == len({one.trade_name for one in found}) == len(found)
    assert all(one.tax_number.startswith("ZZ") and rfc.is_valid(one.tax_number, validate_check_digits=True)
               for one in found)  # fmt: skip
    assert all(one.mail.endswith(".example") for one in found if one.mail)
    assert sum(one.mail is None for one in found) == WITHOUT_MAIL
    days = [days for one in found for _, days in one.ends_in]
    days += [days for one in COMPANIES if one.does for _, days in one.does.certificates]
    assert sum(0 <= day <= 60 for day in days) == ENDING_SOON
