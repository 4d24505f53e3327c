"""Rules, words and the life of a message."""

import email
import email.policy
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from services.notifications.messages.domain import RETRIES, address_hash, judged, message_id
from services.notifications.subjects.domain import NEWS_FOR, RULES, ConcernsNobody, asked_by
from services.notifications.subjects.views import Known, render
from shared.contracts import CONTRACTS
from shared.contracts.membership import MembershipActivated, MembershipResigned
from shared.mail.attempt import Attempt
from shared.mail.transport import SenderUnusable, compose
from shared.messaging.events import Event, EventRefused

NOW = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
ID = UUID("01990000-0000-7000-8000-000000000001")
OTHER = UUID("01990000-0000-7000-8000-000000000002")


def event(data: object, effective: date | None = date(2026, 3, 1)) -> Event:
    return Event(ID, "t", "membership.membership", str(ID), 1, NOW, effective, "a", "c", None, data)


def activated(*, announce: bool = True) -> MembershipActivated:
    return MembershipActivated(
        membership_id=ID, organization_id=ID, cluster_id=OTHER, category="associate", origin="import", announce=announce
    )


def test_every_fact_that_exists_has_a_rule_or_says_why_it_concerns_nobody() -> None:
    facts = {contract.model for contract in CONTRACTS.values() if contract.kind == "fact"}
    assert set(RULES) == facts
    assert all(rule.reason for rule in RULES.values() if isinstance(rule, ConcernsNobody))


def test_a_membership_in_force_asks_for_a_welcome_unless_it_is_not_announced() -> None:
    asked = asked_by(event(activated()), MembershipActivated, NOW)
    assert asked is not None
    assert (asked.subject, asked.organization_id, asked.cluster_id, asked.category) == (
        "welcome",
        ID,
        OTHER,
        "associate",
    )
    assert asked_by(event(activated(announce=False)), MembershipActivated, NOW) is None
    assert asked_by(event(object()), MembershipResigned, NOW) is None


def test_a_fact_recorded_longer_ago_than_any_outage_is_history() -> None:
    last = NOW + NEWS_FOR
    assert asked_by(event(activated()), MembershipActivated, last) is not None
    assert asked_by(event(activated()), MembershipActivated, last + timedelta(seconds=1)) is None


def test_a_membership_in_force_from_no_day_on_is_refused() -> None:
    with pytest.raises(EventRefused, match="effective"):
        asked_by(event(activated(), effective=None), MembershipActivated, NOW)


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [
        ("es", "Tres Puentes ya es parte de Costa y Agave", ["Hola, Ana", "afiliado", "1 de marzo de 2026"]),
        ("en", "Tres Puentes is now part of Costa y Agave", ["Hello Ana", "affiliate", "March 1, 2026"]),
    ],
)
def test_the_welcome_reads_in_both_languages(language: str, title: str, words: list[str]) -> None:
    rendered = render("welcome", language, Known("Ana", "Tres Puentes", "Costa y Agave", "affiliate", date(2026, 3, 1)))
    assert rendered.title == title
    for word in words:
        assert word in rendered.text
        assert word in rendered.html
    assert 'style="' in rendered.html
    assert "<style" not in rendered.html


@pytest.mark.parametrize(
    ("language", "title", "words"),
    [
        ("es", "A será parte de B", "A formará parte de B como asociado a partir del 1 de enero de 2199"),
        ("en", "A will be part of B", "A will belong to B as associate from January 1, 2199 on"),
    ],
)
def test_who_joins_on_a_day_ahead_is_not_told_that_they_belong(language: str, title: str, words: str) -> None:
    rendered = render("welcome", language, Known("Ana", "A", "B", "associate", date(2199, 1, 1), begins_later=True))
    assert rendered.title == title
    assert words in rendered.text


@pytest.mark.parametrize("language", ["es", "en"])
def test_only_a_mail_whose_answers_are_read_asks_for_one(language: str) -> None:
    asks = {"es": "Responde a este correo", "en": "Reply to this mail"}[language]
    for answered in (False, True):
        rendered = render("welcome", language, Known("Ana", "A", "B", "associate", date(2026, 3, 1), answered=answered))
        assert (asks in rendered.text, asks in rendered.html) == (answered, answered)
        reply_to = "Clúster <hola@firma.example>" if answered else None
        mail = compose(ID, rendered, name="Ana", address="a@b.example", sender="a@b.example", at=NOW,
                       language=language, reply_to=reply_to)  # fmt: skip
        assert mail is not None
        assert mail["Reply-To"] == reply_to
    with pytest.raises(SenderUnusable, match="mail_reply_to"):
        compose(ID, rendered, name="Ana", address="a@b.example", sender="a@b.example", at=NOW, language=language,
                reply_to="nowhere")  # fmt: skip


@pytest.mark.parametrize("host", ["c.example", "cumulo.camara-de-la-industria-metalmecanica.example"])
def test_where_a_topic_is_left_stands_whole_in_the_header_however_long_it_is(host: str) -> None:
    leave = f"https://{host}/unsubscribe/{OTHER}"
    rendered = render("welcome", "es", Known("Ana", "A", "B", "associate", date(2026, 3, 1)))
    for door, clicks in ((leave, True), (leave.replace("https", "http"), False)):
        mail = compose(ID, rendered, name="Ana", address="a@b.example", sender="a@b.example", at=NOW, language="es",
                       leave=door)  # fmt: skip
        assert mail is not None
        # as bytes: reading it again would decode what mail programs take as it stands
        written = mail.as_bytes().decode().split("\r\n")
        assert f"List-Unsubscribe: <{door}>" in written
        assert ("List-Unsubscribe-Post: List-Unsubscribe=One-Click" in written) == clicks


NASTY = [
    "Ana\r\nBcc: all@firma.example",
    '"quoted" <b>bold</b> & co',
    "<script>alert(1)</script>",
    "Ñandú 🚗 \u202egnirts",
    "x" * 300,
    "Coma, S.A. de C.V.",
]


@pytest.mark.parametrize("name", NASTY)
def test_no_name_breaks_a_mail(name: str) -> None:
    rendered = render("welcome", "es", Known(name, name, name, "associate", date(2026, 3, 1)))
    mail = compose(ID, rendered, name=name, address="ana@firma.example", sender="Cumulo <no-reply@cumulo.example>",
                   at=NOW, language="es")  # fmt: skip
    assert mail is not None
    read = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert read["Bcc"] is None
    assert [address.addr_spec for address in read["To"].addresses] == ["ana@firma.example"]
    assert "\n" not in read["Subject"]
    body = read.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert "<script" not in html
    assert "<b>bold" not in html


@pytest.mark.parametrize(
    "address", ["", "ana", "@firma.example", "ana@", "a b@firma.example", "ana@x\r\nTo: b@x", "a@\x00"]
)
def test_an_address_that_cannot_be_written_makes_no_mail(address: str) -> None:
    rendered = render("welcome", "es", Known("Ana", "A", "B", "associate", date(2026, 3, 1)))
    assert compose(ID, rendered, name="Ana", address=address, sender="a@b.example", at=NOW, language="es") is None


@pytest.mark.parametrize("sender", ["", "Cumulo", "Cumulo <>", "Cumulo <no-reply>", "a b@firma.example"])
def test_a_sender_that_is_no_address_is_our_fault_and_not_the_recipients(sender: str) -> None:
    rendered = render("welcome", "es", Known("Ana", "A", "B", "associate", date(2026, 3, 1)))
    for address in ("ana@firma.example", "no address"):
        with pytest.raises(SenderUnusable, match="mail_sender"):
            compose(ID, rendered, name="Ana", address=address, sender=sender, at=NOW, language="es")


def test_a_sender_at_a_domain_of_other_letters_is_written_in_ascii() -> None:
    rendered = render("welcome", "es", Known("Ana", "A", "B", "associate", date(2026, 3, 1)))
    mail = compose(ID, rendered, name="Ana", address="a@b.example", sender="Cúmulo <avisos@cúmulo.example>", at=NOW,
                   language="es")  # fmt: skip
    assert mail is not None
    assert (mail["From"], mail["Message-ID"]) == (
        "Cúmulo <avisos@xn--cmulo-7ua.example>", f"<{ID}@xn--cmulo-7ua.example>"
    )  # fmt: skip


def test_a_message_keeps_its_id_however_often_it_is_made() -> None:
    assert message_id(ID, OTHER) == message_id(ID, OTHER) != message_id(OTHER, ID)
    rendered = render("welcome", "en", Known("Ana", "A", "B", "associate", date(2026, 3, 1)))
    mails = [compose(message_id(ID, OTHER), rendered, name="Ana", address="a@b.example",
                     sender="Cumulo <no-reply@cumulo.example>", at=NOW, language="en") for _ in range(2)]  # fmt: skip
    assert len({mail["Message-ID"] for mail in mails if mail}) == 1
    assert all(mail["Message-ID"].endswith("@cumulo.example>") for mail in mails if mail)


def test_what_may_pass_is_tried_over_days_and_then_given_up() -> None:
    waited = timedelta()
    for attempts in range(1, len(RETRIES) + 1):
        verdict = judged(Attempt("retry", 451), attempts, NOW)
        assert verdict.state == "due"
        assert verdict.due_at is not None
        waited += verdict.due_at - NOW
    assert waited > timedelta(days=3)
    assert judged(Attempt("retry", 451), len(RETRIES) + 1, NOW).state == "failed"


def test_what_is_refused_for_good_is_not_tried_again() -> None:
    assert judged(Attempt("failed", 550), 1, NOW).state == "failed"
    assert judged(Attempt("sent", 250), 3, NOW).state == "sent"


def test_an_address_is_remembered_without_its_case() -> None:
    assert address_hash(" Ana@Firma.example") == address_hash("ana@firma.example")
