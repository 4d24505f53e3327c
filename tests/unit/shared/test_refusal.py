"""Refusals: a name in code becomes the stable last part of a problem's type."""

import pytest

from shared.refusal import Conflict, NotFound, Refusal


class CompanyAlreadyMember(Conflict):
    """Two words and more."""


class NotADay(Refusal):
    """A word of one letter."""


class NoSuchRFC(NotFound):
    """An abbreviation."""


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (CompanyAlreadyMember, "company-already-member", 409),
        (NotADay, "not-a-day", 422),
        (NoSuchRFC, "no-such-rfc", 404),
    ],
)
def test_a_refusal_has_a_stable_name_in_kebab_case_and_its_status(kind: type[Refusal], code: str, status: int) -> None:
    refused = kind("because", field="day")
    assert (refused.code, refused.status, refused.reason, refused.field) == (code, status, "because", "day")
