"""Addresses as they are written into a mail: plain, in ASCII, one; whatever else is none."""

import email
import email.policy
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifications.messages.domain import message_id
from services.notifications.subjects.views import Known, render
from shared.mail.transport import compose, written

ID = UUID("01990000-0000-7000-8000-000000000001")
NOW = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
RENDERED = render("welcome", "es", Known("Ana", "Tres Puentes", "Costa y Agave", "associate", date(2026, 3, 1)))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ana@firma.example", "ana@firma.example"),
        (" ana.sol+ventas@firma.example ", "ana.sol+ventas@firma.example"),
        ("o'brien@firma.example", "o'brien@firma.example"),
        ("ana@ñandú.example", "ana@xn--and-6ma2c.example"),
        ("josé@firma.example", None),
        ("ana@firma.example,", None),
        ("ana@firma.example>,<b@firma.example", None),
        ("a@b@firma.example", None),
        ("a..b@firma.example", None),
        ("ana@firma..example", None),
        ("ana@[127.0.0.1]", None),
        ("ana@-firma.example", None),
        ("x" * 65 + "@firma.example", None),
        ("ana@" + "x" * 64 + ".example", None),
        ("ana@firma.example\nBcc: b@firma.example", None),
    ],
)
def test_an_address_is_written_plainly_or_not_at_all(address: str, expected: str | None) -> None:
    assert written(address) == expected


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_name_and_address_a_mail_goes_to_one_address_and_has_no_other_header(name: str, address: str) -> None:
    for given_address in (address, f"{address}@firma.example", f"ana@{address}.example"):
        mail = compose(ID, RENDERED, name=name, address=given_address, sender="Cúmulo <no-reply@cumulo.example>",
                       at=NOW, language="es")  # fmt: skip
        if mail is None:
            continue
        read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
        assert [each.addr_spec for each in read["To"].addresses] == [written(given_address)]
        assert sorted(read.keys()) == sorted(
            ["To", "From", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version",
             "Content-Type"]
        )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_whatever_names_a_mail_can_be_sent_and_says_them_as_text(person: str, organization: str, cluster: str) -> None:
    rendered = render("welcome", "en", Known(person, organization, cluster, "honorary", date(2026, 3, 1)))
    mail = compose(ID, rendered, name=person, address="ana@firma.example", sender="a@cumulo.example", at=NOW,
                   language="en")  # fmt: skip
    assert mail is not None
    content = mail.as_bytes()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1
    read = email.message_from_bytes(content, policy=email.policy.default)
    assert (read["Auto-Submitted"], read["Content-Language"]) == ("auto-generated", "en")
    body = read.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert html.count("<p") == RENDERED.html.count("<p")


def test_a_messages_id_is_the_one_that_was_given_out_first() -> None:
    assert str(message_id(ID, ID)) == "2d2cc0b3-71a9-5b2d-9577-d52c64c0e568"
