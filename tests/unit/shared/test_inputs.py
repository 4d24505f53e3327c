"""What comes in is what it says: no mark that turns text around, no instant for a day, no country that is none."""

from datetime import date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.http.inputs import Country, Day, Line, Mail, Text


def said(kind: Any, value: object) -> str:
    """Why a value is refused."""
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    return str(refused.value)


@pytest.mark.parametrize("kind", [Line, Text, Mail])
@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f"])
def test_a_mark_that_turns_text_around_is_refused_and_letters_of_any_script_are_not(kind: Any, mark: str) -> None:
    assert "turns text around" in said(kind, f"ana{mark}@empresa.example")
    assert TypeAdapter(Line).validate_python("क्‍ष סטיל Ñandú") == "क्‍ष סטיל Ñandú"


@pytest.mark.parametrize(
    "value", ["2026-03-31T00:00:00Z", "2026-03-31T00:00", datetime(2026, 3, 31), "1774915200", "x"]
)
def test_an_instant_is_no_day(value: object) -> None:
    assert "is not a day" in said(Day, value)


def test_a_day_is_taken_as_it_is_written() -> None:
    assert TypeAdapter(Day).validate_python(" 2026-03-31 ") == date(2026, 3, 31)
    assert TypeAdapter(Day).validate_json('"2026-03-31"') == date(2026, 3, 31)
    assert "not between 1900" in said(Day, "0026-03-31")


@pytest.mark.parametrize(
    ("value", "why"), [("mx", "capital letters"), ("MEX", "capital letters"), ("ZZ", "no country")]
)
def test_a_country_says_what_is_wrong_without_a_pattern(value: str, why: str) -> None:
    message = said(Country, value)
    assert why in message and "^[A-Z]" not in message
