"""Money that adds up to the cent, days of a place, names that compare and sort."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.postgres.values import Money, NotMoney, day_in, normalised_name, sort_key

DECIMALS = {"MXN": 2, "USD": 2, "COP": 2, "INR": 2, "EUR": 2, "JPY": 0, "CLP": 0, "KRW": 0, "KWD": 3, "CLF": 4}
CURRENCIES = st.sampled_from(sorted(DECIMALS))


@st.composite
def amounts(draw: st.DrawFn) -> Money:
    currency = draw(CURRENCIES)
    units = draw(st.integers(-(10**15) + 1, 10**15 - 1))
    return Money(Decimal(units).scaleb(-DECIMALS[currency]), currency)


# --- money ---------------------------------------------------------------------------------------


@given(amounts(), st.integers(1, 400))
def test_parts_add_up_to_the_cent_and_differ_by_one_unit_at_most(money: Money, parts: int) -> None:
    split = money.split(parts)
    assert len(split) == parts
    assert sum(part.amount for part in split) == money.amount
    assert max(part.amount for part in split) - min(part.amount for part in split) <= money.unit
    # the first ones carry what does not divide
    assert [abs(part.amount) for part in split] == sorted((abs(part.amount) for part in split), reverse=True)


@given(amounts(), st.integers(1, 60))
def test_a_refund_splits_as_its_charge_did(money: Money, parts: int) -> None:
    refund = Money(-money.amount, money.currency).split(parts)
    assert [-part.amount for part in refund] == [part.amount for part in money.split(parts)]


def test_a_hundred_pesos_in_three_parts() -> None:
    assert [str(part.amount) for part in Money(Decimal(100), "MXN").split(3)] == ["33.34", "33.33", "33.33"]
    assert [part.amount for part in Money(Decimal(100), "JPY").split(3)] == [34, 33, 33]
    assert [part.amount for part in Money(Decimal("0.02"), "MXN").split(3)] == [Decimal("0.01"), Decimal("0.01"), 0]


def test_money_splits_into_at_least_one_part() -> None:
    with pytest.raises(NotMoney, match="at least one part"):
        Money(Decimal(1), "MXN").split(0)


@pytest.mark.parametrize(("currency", "decimals"), DECIMALS.items())
def test_an_amount_has_at_most_the_decimals_of_its_currency(currency: str, decimals: int) -> None:
    unit = Decimal(1).scaleb(-decimals)
    assert Money(unit, currency).unit == unit
    with pytest.raises(NotMoney, match=f"{currency} has {decimals} decimals"):
        Money(unit / 10, currency)
    assert Money(Decimal("5.00000"), currency) == Money(Decimal(5), currency)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_finite_number_is_not_money(text: str) -> None:
    with pytest.raises(NotMoney, match="not a finite number"):
        Money(Decimal(text), "MXN")


@pytest.mark.parametrize("text", ["1e15", "-1e15", "1e400"])
def test_an_amount_has_a_limit(text: str) -> None:
    with pytest.raises(NotMoney, match="too large"):
        Money(Decimal(text), "MXN")


@pytest.mark.parametrize("amount", [0.1, 1, "1.00", None])
def test_money_is_a_decimal_and_never_a_float(amount: Any) -> None:
    with pytest.raises(NotMoney, match="an amount is a Decimal"):
        Money(amount, "MXN")


@pytest.mark.parametrize("currency", ["", "mxn", "ZZZ", "PESOS", "MX"])
def test_a_currency_that_does_not_exist_is_refused(currency: str) -> None:
    with pytest.raises(NotMoney, match="no such currency"):
        Money(Decimal(1), currency)


def test_two_currencies_do_not_mix() -> None:
    pesos, dollars = Money(Decimal(20), "MXN"), Money(Decimal(1), "USD")
    for mixed in (lambda: pesos + dollars, lambda: pesos - dollars, lambda: pesos < dollars):
        with pytest.raises(NotMoney, match="do not mix"):
            mixed()


@given(st.integers(-(10**14), 10**14), st.integers(-(10**14), 10**14), CURRENCIES)
def test_what_was_added_and_taken_away_again_leaves_the_same(one: int, other: int, currency: str) -> None:
    a, b = (Money(Decimal(n).scaleb(-DECIMALS[currency]), currency) for n in (one, other))
    assert a + b - b == a
    assert (a < b) == (one < other)


# --- days of a place -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        # Mexico City: no daylight saving since 30 October 2022; before, midnight in summer was 05:00 UTC
        ("America/Mexico_City", "2026-07-01T05:59:59Z", "2026-06-30"),
        ("America/Mexico_City", "2026-07-01T06:00:00Z", "2026-07-01"),
        ("America/Mexico_City", "2022-07-01T05:00:00Z", "2022-07-01"),
        ("America/Mexico_City", "2022-07-01T04:59:59Z", "2022-06-30"),
        # the border towns keep the daylight saving of their neighbours
        ("America/Tijuana", "2026-07-01T06:59:59Z", "2026-06-30"),
        ("America/Tijuana", "2026-07-01T07:00:00Z", "2026-07-01"),
        ("America/Tijuana", "2026-01-01T07:59:59Z", "2025-12-31"),
        ("America/Tijuana", "2026-01-01T08:00:00Z", "2026-01-01"),
        # the day has 23 hours when the clock goes forward in Ojinaga, 25 when it goes back
        ("America/Ojinaga", "2026-03-09T04:59:59Z", "2026-03-08"),
        ("America/Ojinaga", "2026-03-09T05:00:00Z", "2026-03-09"),
        ("America/Ojinaga", "2026-11-02T05:59:59Z", "2026-11-01"),
        ("America/Bogota", "2026-03-01T04:59:59Z", "2026-02-28"),
        ("Asia/Kolkata", "2026-02-28T18:30:00Z", "2026-03-01"),
        ("Europe/Madrid", "2026-03-28T23:00:00Z", "2026-03-29"),
        ("Europe/Madrid", "2026-03-29T22:00:00Z", "2026-03-30"),
        ("Pacific/Kiritimati", "2026-01-01T10:00:00Z", "2026-01-02"),
        ("UTC", "2024-02-29T23:59:59.999999Z", "2024-02-29"),
    ],
)
def test_the_day_is_the_day_of_the_place(zone: str, instant: str, day: str) -> None:
    assert day_in(zone, datetime.fromisoformat(instant)) == date.fromisoformat(day)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(-14, 14), st.integers(-14, 14))
def test_the_day_does_not_depend_on_how_the_instant_was_written(moment: datetime, one: int, other: int) -> None:
    instant = moment.replace(tzinfo=UTC)
    written = (instant.astimezone(timezone(timedelta(hours=hours))) for hours in (one, other))
    assert len({day_in("America/Hermosillo", each) for each in written}) == 1


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.sampled_from(["America/Mexico_City", "America/Tijuana", "Asia/Kolkata"]),
)
def test_noon_of_a_day_is_that_day(day: date, zone: str) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
    assert day_in(zone, noon.astimezone(UTC)) == day


def test_an_instant_without_an_offset_has_no_day() -> None:
    with pytest.raises(ValueError, match="carries its offset"):
        day_in("UTC", datetime(2026, 1, 1))


# --- names ---------------------------------------------------------------------------------------

SAME = {
    "arneses nandu": ["Arneses Ñandú, S.A. de C.V.", "ARNESES ÑANDÚ SA DE CV", "Arneses Nandu S.A. de CV",
                      "arneses  ñandú s. a. de c. v.", "Arneses Ñandú SA DE C.V.", "Arneses Ñandú"],
    "inyectora tres cerros": ["Inyectora Tres Cerros, S. de R.L. de C.V.", "Inyectora Tres Cerros S DE RL DE CV",
                              "INYECTORA TRES CERROS S de R. L. de C. V.", "Inyectora Tres Cerros, S. de R.L.",
                              "Inyectora Tres Cerros S. de R.L. MI",
                              "Inyectora Tres Cerros, Sociedad de Responsabilidad Limitada de Capital Variable"],
    "fundicion cantera rosa": ["Fundición Cantera Rosa, S.A.P.I. de C.V.", "Fundición Cantera Rosa SAPI DE CV",
                               "Fundición Cantera Rosa, S.A.B. de C.V.", "Fundición Cantera Rosa S.A.S. de C.V.",
                               "Fundición Cantera Rosa, Sociedad Anónima de Capital Variable",
                               "Fundición Cantera Rosa, Sociedad Anónima Promotora de Inversión de Capital Variable"],
    "instituto del semidesierto": ["Instituto del Semidesierto, A.C.", "Instituto del Semidesierto AC",
                                   "Instituto del Semidesierto, Asociación Civil", "Instituto del Semidesierto, S.C.",
                                   "Instituto del Semidesierto, I.A.P."],
    "credito ocotillo": ["Crédito Ocotillo, S.A. de C.V., SOFOM, E.N.R.", "Crédito Ocotillo"],
    "autopartes del valle": ["Autopartes del Valle S.A.S.", "Autopartes del Valle Ltda.",
                             "Autopartes del Valle SAS BIC",
                             "Autopartes del Valle S. en C.", "Autopartes del Valle S.A. E.S.P."],
    "troqueles levante": ["Troqueles Levante, S.L.", "Troqueles Levante S.L.U.", "Troqueles Levante, S. Coop.",
                          "Troqueles Levante, S.A.U."],
    "bharat forgings": ["Bharat Forgings Pvt. Ltd.", "Bharat Forgings Private Limited", "BHARAT FORGINGS (P) LTD",
                        "Bharat Forgings Limited", "Bharat Forgings LLP", "Bharat Forgings Pvt Limited"],
    "three bridges logistics": ["Three Bridges Logistics, LLC", "Three Bridges Logistics L.L.C.",
                                "Three Bridges Logistics Inc.", "Three Bridges Logistics, Incorporated",
                                "Three Bridges Logistics Corp.", "Three Bridges Logistics Corporation",
                                "Three Bridges Logistics Co., Ltd.", "Three Bridges Logistics Company", ],
    "usinagem serra": ["Usinagem Serra Ltda", "Usinagem Serra S/A", "Usinagem Serra EIRELI"],
    "werkzeugbau muller": ["Werkzeugbau Müller GmbH", "Werkzeugbau Müller GmbH & Co. KG", "Werkzeugbau Müller AG"],
}  # fmt: skip


@pytest.mark.parametrize(("expected", "name"), [(key, name) for key, names in SAME.items() for name in names])
def test_spellings_of_one_name_compare_equal(expected: str, name: str) -> None:
    assert normalised_name(name) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Aceros del Norte", "Aceros del Sur"),
        ("Casa", "Ca"),  # a legal form is a word of its own
        ("Partes A, S.A. de C.V.", "Partes, S.A. de C.V."),
        ("Maquinados 1", "Maquinados 2"),
        ("株式会社デンソー", "株式会社アイシン"),
        ("ООО Ромашка", "ООО Лютик"),
    ],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert normalised_name(one) != normalised_name(other)


@pytest.mark.parametrize("name", ["S.A. de C.V.", "SA", "Inc.", "Co", "Sociedad Anónima", "株式会社", "Ltd. Co."])
def test_a_name_that_is_only_a_legal_form_is_not_lost(name: str) -> None:
    assert normalised_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Ｔｏｒｎｏｓ Ｒｕｉｚ",
        "Tornos® Ruiz™",
        "  TORNOS   RUÍZ ",
        "Tornos-Ruiz",
        "Tornos_Ruiz",
        "Tornos\u00a0Ruiz",
        "Tornos Rui\u0301z",
    ],
)
def test_width_signs_and_spaces_do_not_matter(name: str) -> None:
    assert normalised_name(name) == "tornos ruiz"


@given(st.text())
def test_normalising_twice_changes_nothing_more(name: str) -> None:
    once = normalised_name(name)
    assert normalised_name(once) == once
    assert bool(once) or not any(c.isalnum() and c.isascii() for c in name)


@given(st.text("abcñÁ. 1", min_size=1), st.sampled_from(["S.A. de C.V.", "s de rl de cv", "Ltd", "SAS"]))
def test_a_legal_form_behind_a_name_makes_no_difference(name: str, form: str) -> None:
    if normalised_name(name):
        assert normalised_name(f"{name} {form}") == normalised_name(name)


def test_names_sort_as_spanish_readers_expect() -> None:
    ordered = [
        "", "20 de Noviembre", "3 Cumbres", "Aceros Zeta", "Ácidos", "alambres", "Álamo", "Ándale", "Candado",
        "Cantera", "Caña", "Caño", "Cao", "Chapa", "Cima", "Llantas", "Luz", "Naranjo", "Ñandú", "ñoño", "Oaxaca",
        "Peña Alta", "Peo", "Pingüino", "Pino", "Zorro",
    ]  # fmt: skip
    assert sorted(sorted(ordered), key=sort_key) == ordered


@pytest.mark.parametrize(
    ("one", "other"), [("Ñandú", "N\u0303andu\u0301"), ("ÁRBOL", "arbol"), ("La-Luz, S.A.", "la luz s a")]
)
def test_spellings_that_sort_together_have_one_key(one: str, other: str) -> None:
    assert sort_key(one) == sort_key(other)


def test_a_key_sorts_other_scripts_behind_and_loses_none() -> None:
    assert sort_key("株式会社デンソー") > sort_key("Zorro")
    assert sort_key("Ромашка")
