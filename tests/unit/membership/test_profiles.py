"""Rules of profiles: codes of published lists, certificates that end, who sees which part, what is missing."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.membership.profiles import domain
from services.membership.profiles.domain import LEVELS, MOST, PARTS, Certificate, Profile, Site, codes
from shared.contracts.membership import CapabilitiesDescribed, CertificateRecorded, VisibilityChanged
from shared.refusal import Refusal

ID = UUID("019c6781-7ba8-7e9f-a4fc-f3f162b8a158")
DAY = date(2026, 3, 31)
IATF = Certificate(UUID(int=1), "iatf_16949", "TÜV", "0457", None, date(2024, 5, 2), date(2027, 5, 2))
PLANT = Site(UUID(int=2), "Planta 1", None, None, "Tlajomulco", "JAL", "MX", "America/Mexico_City")


def described(profile: Profile, **values: Any) -> Profile:
    return domain.described(profile, values, DAY)[0]


def test_what_is_said_is_one_fact_that_holds_it_whole_and_the_same_again_is_none() -> None:
    profile, facts, differences = domain.described(
        Profile(ID), {"processes": ["tooling", "stamping", "stamping"], "size": "medium"}, DAY
    )
    assert [type(one.fact) for one in facts] == [CapabilitiesDescribed]
    assert profile.processes == ("stamping", "tooling")
    assert (profile.version, differences["size"]) == (1, (None, "medium"))
    assert domain.described(profile, {"processes": ["tooling", "stamping"]}, DAY) == (profile, [], {})


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"processes": ["black_magic"]}, "processes", "'black_magic' is not in the list"),
        ({"products": ["8708299"]}, "products", "is not in the list"),
        ({"activities": ["scian:000000"]}, "activities", "is not in the list"),
        ({"activities": ["336370"]}, "activities", "is no NAICS or SCIAN code"),
        ({"visibility": {"tax_number": "public"}}, "visibility", "tax_number cannot be public"),
        ({"visibility": {"sites": "nobody"}}, "visibility", "sites cannot be nobody"),
        ({"processes": [f"p{n}" for n in range(MOST + 1)]}, "processes", f"at most {MOST}"),
    ],
)
def test_what_is_in_no_list_is_refused_by_name(values: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        domain.described(Profile(ID), values, DAY)
    assert (refused.value.field, said in refused.value.reason) == (field, True), refused.value.reason


def test_a_certificate_counts_from_its_first_day_to_the_day_before_its_end() -> None:
    holds = [IATF.holds(day) for day in (date(2024, 5, 1), date(2024, 5, 2), date(2027, 5, 1), date(2027, 5, 2))]
    assert holds == [False, True, True, False]
    profile, facts, _ = domain.certified(Profile(ID), IATF, DAY)
    assert isinstance(facts[0].fact, CertificateRecorded)
    assert domain.certified(profile, IATF, DAY)[1] == []
    renewed = replace(IATF, until=date(2030, 5, 2))
    assert domain.certified(profile, renewed, DAY)[0].certificates == (renewed,)
    with pytest.raises(domain.EndsBeforeItBegins):
        domain.certified(profile, replace(IATF, until=IATF.since), DAY)
    with pytest.raises(domain.UnknownCode):
        domain.certified(profile, replace(IATF, standard="iso_1"), DAY)
    assert domain.uncertified(profile, IATF.id, DAY)[0].certificates == ()
    with pytest.raises(domain.NoSuchCertificate):
        domain.uncertified(profile, UUID(int=9), DAY)


@given(st.fixed_dictionaries({part: st.sampled_from(LEVELS) for part in PARTS}), st.sampled_from(LEVELS))
def test_nobody_sees_a_part_that_is_kept_nearer_than_they_stand(visibility: dict[str, Any], level: Any) -> None:
    whole = described(Profile(ID), size="small", processes=["stamping"], sectors=["mining"], products=["870829"],
                      activities=["scian:336370"])  # fmt: skip
    whole = domain.settled(domain.certified(whole, IATF, DAY)[0], PLANT, DAY)[0]
    profile = described(whole, visibility=visibility)
    seen = profile.seen(level)
    for part in PARTS:
        hidden = LEVELS.index(visibility[part]) > LEVELS.index(level)
        assert bool(getattr(seen, part)) is not hidden
    published = profile.published()
    assert (published.size is None) == (visibility["size"] in ("cluster", "own"))
    assert ("troquelado" in profile.words("public")) == (visibility["processes"] == "public")
    assert ("troquelado" in profile.words("network")) == (visibility["processes"] in ("public", "network"))


def test_another_level_is_a_fact_that_names_the_part_and_no_value() -> None:
    profile, facts, _ = domain.described(Profile(ID), {"visibility": {"sites": "own", "size": "network"}}, DAY)
    [fact] = facts
    assert isinstance(fact.fact, VisibilityChanged)
    assert fact.fact.fields == ["sites"]
    assert profile.level("sites") == "own"


def test_completeness_says_what_is_missing_and_asks_a_university_for_less() -> None:
    company = {"state": "JAL", "city": "Tala", "tax_number": None, "positions": ["tier2"]}
    share, missing = domain.completeness(described(Profile(ID), size="small"), "company", company)
    assert (share, missing[0], len(missing)) == (30, "tax_number", 7)
    share, missing = domain.completeness(Profile(ID), "university", company | {"positions": []})
    assert (share, missing) == (33, ["sectors", "sites"])


@pytest.mark.parametrize(
    ("line", "code"),
    [("8708.29 defensas", "870829"), ("870829", "870829"), ("8708.29.99 molduras", "870829"), ("8708", "8708"),
     ("defensas", None), ("0000", None), ("87", None), ("", None), ("870", None)],
)  # fmt: skip
def test_a_product_is_read_from_the_code_at_the_beginning_of_its_line(line: str, code: str | None) -> None:
    assert codes.product(line) == code


def test_codes_are_found_by_spanish_and_english_words_and_by_digits() -> None:
    for text in ("troquelado", "STAMPING", "presses steel", "embutido"):
        assert "stamping" in [one.code for one in codes.search("processes", text, 20)], text
    assert "870829" in [one.code for one in codes.search("products", "8708.2", 9)]
    assert {one.code[:5] for one in codes.search("products", "8708.2", 9)} <= {"87082", "8708"}
    assert codes.search("scian", "asientos vehículos", 5)[0].code == "336360"
    assert codes.called("processes", "gone", "es") == "gone"
    assert all(len(code) in (4, 6) for code in codes.known("products"))
