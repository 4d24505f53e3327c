"""Tax numbers of eight countries: taken, warned about, refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.mx import rfc

from services.membership.tax_numbers import GenericTaxNumber, MalformedTaxNumber, TaxNumber, tax_number
from shared.refusal import Refusal

RFC = "ZZI160511A1" + rfc.calc_check_digit("ZZI160511A1")


@pytest.mark.parametrize(
    ("country", "written", "number"),
    [
        ("MX", RFC, RFC),
        ("MX", f" {RFC[:3].lower()} {RFC[3:9]}-{RFC[9:]} ", RFC),
        ("MX", "GODE 561231 GR8", "GODE561231GR8"),
        ("CO", "213.123.432-1", "2131234321"),
        ("IN", "27AAPFU0939F1ZV", "27AAPFU0939F1ZV"),
        ("US", "91-1144442", "911144442"),
        ("ES", "J99216582", "J99216582"),
        ("BR", "16.727.230/0001-97", "16727230000197"),
        ("BY", "200988541", "200988541"),
        ("ZA", "0001339050", "0001339050"),
        ("DE", "DE 136695976", "DE136695976"),
    ],
)
def test_a_number_is_kept_in_its_compact_form(country: str, written: str, number: str) -> None:
    assert tax_number(country, written) == TaxNumber(number)


@pytest.mark.parametrize(
    ("country", "written"),
    [
        ("MX", RFC[:-1] + ("0" if RFC[-1] != "0" else "1")), ("CO", "2131234322"), ("IN", "27AAPFU0939F1ZX"),
        ("ES", "J99216583"), ("BR", "16727230000198"), ("BY", "200988542"), ("ZA", "0001339051"),
    ],
)  # fmt: skip
def test_a_check_digit_that_does_not_fit_is_a_warning(country: str, written: str) -> None:
    read = tax_number(country, written)
    assert read.number
    assert len(read.warnings) == 1
    assert "check digit" in read.warnings[0]


@pytest.mark.parametrize("generic", ["XAXX010101000", "XEXX010101000", "xaxx-010101-000"])
def test_the_generic_numbers_name_nobody(generic: str) -> None:
    with pytest.raises(GenericTaxNumber):
        tax_number("MX", generic)


@pytest.mark.parametrize(
    ("country", "written", "why"),
    [
        ("MX", "ZZI16051", "has 8 characters"), ("MX", "ZZI161511A11", "date"), ("MX", "ZZ1160511A11", "letters"),
        ("MX", "COMG-600703", "has 10 characters"), ("CO", "x", "NIT"), ("US", "07-1144442", "EIN"),
        ("ES", "J9", "CIF"),
        ("BR", "16", "CNPJ"), ("BY", "MA", "UNP"), ("ZA", "1", "TIN"), ("IN", "27", "GSTIN"), ("DE", "!", "4 to 20"),
    ],
)  # fmt: skip
def test_what_is_no_tax_number_is_refused_with_the_reason(country: str, written: str, why: str) -> None:
    with pytest.raises(MalformedTaxNumber, match=why) as refusal:
        tax_number(country, written)
    assert refusal.value.field == "tax_number"


@given(st.sampled_from(["MX", "CO", "IN", "US", "ES", "BR", "BY", "ZA", "FR"]), st.text(max_size=30))
def test_any_text_is_a_number_or_a_refusal(country: str, text: str) -> None:
    try:
        read = tax_number(country, text)
    except Refusal:
        return
    assert tax_number(country, read.number).number == read.number
