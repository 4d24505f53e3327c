"""A message written out: the mail as it goes out, and the same words for the reader's page.

Built of a row of `messages.views.to_send` and the settings; names and addresses are as they are at this moment.
"""

from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from services.notifications.invitations import domain as invitations
from services.notifications.preferences.domain import topic_of
from services.notifications.subjects.views import Announcement, Certificate, Contact, Gathering, Known, blocks, render
from shared.mail.attempt import Rendered
from shared.mail.transport import compose
from shared.postgres.values import day_in
from shared.runtime.settings import Settings

STANDS = ("registered", "changed", "reminder_week", "reminder_day")
"""Subjects whose mail brings the entry for a calendar, of who has a place."""
GONE = ("unregistered", "cancelled", "postponed")


def mail(settings: Settings, row: dict[str, Any]) -> EmailMessage | None:
    """The mail, None when its address cannot be written. Raises `SenderUnusable`."""
    known = told(settings, row)
    leave = leaves(settings, row)
    return compose(
        row["id"], render(row["subject"], row["language"], known, leave=leave), name=row["person"],
        address=row["mail"], sender=settings.mail_sender, reply_to=row.get("reply_to") or settings.mail_reply_to,
        at=row["created_at"], language=row["language"], leave=leave,
        calendar=None if known.gathering is None else _entry(settings, row, known.gathering),
    )  # fmt: skip


def words(settings: Settings, row: dict[str, Any]) -> Rendered:
    """The same as its reader sees it on the page."""
    return render(row["subject"], row["language"], told(settings, row))


def leaves(settings: Settings, row: dict[str, Any]) -> str | None:
    """Where the reader leaves the topic; None for what everybody hears of, and where there is no public address."""
    door = settings.public_url
    return f"{door}/unsubscribe/{row['leave_key']}" if door and topic_of(row["subject"]) else None


def told(settings: Settings, row: dict[str, Any]) -> Known:
    """What the templates may say."""
    if "announcement_id" in row:
        return Known(row["person"], row["organization"], row["cluster"], row["category"], row["effective"],
                     announcement=_announcement(settings, row))  # fmt: skip
    if "gathering_id" in row:
        return Known(row["person"], row["organization"], row["cluster"], row["category"], row["effective"],
                     answered=settings.mail_reply_to is not None, gathering=_gathering(settings, row))  # fmt: skip
    return Known(
        row["person"], row["organization"], row["cluster"], row["category"], row["effective"],
        begins_later=row["effective"] > day_in(row["zone"], row["created_at"]),
        answered=settings.mail_reply_to is not None,
        contact=None if row["message"] is None else Contact(
            row["sender_name"], row["sender_organization"], row["message"]),
        certificate=None if row["standard"] is None else Certificate(
            row["standard"].replace("_", " ").upper(), row["body"],  # "iatf_16949" is "IATF 16949"
            f"{settings.public_url}/organizations/{row['organization_id']}/capabilities" if settings.public_url
            else None),
    )  # fmt: skip


def _announcement(settings: Settings, row: dict[str, Any]) -> Announcement:
    language, door = row["language"], settings.public_url
    page = f"{door}/announcement/{row['leave_key']}" if door else None
    return Announcement(row[f"title_{language}"], blocks(row[f"body_{language}"]), page, asks=row["acknowledge"])


def _gathering(settings: Settings, row: dict[str, Any]) -> Gathering:
    door, code = settings.public_url, row["check_in_code"]
    return Gathering(
        row["title"], row["starts"], row["ends"], row["zone"], row["place"],
        join=row["join_url"] if row["status"] == "confirmed" else None,
        page=f"{door}/agenda/{row['slug']}" if door else None,
        ticket=f"{door}/ticket/{code}" if door and code else None,
        price=None if float(row["amount"]) == 0 else f"{row['amount']} {row['currency']}",
        until=row["offer_until"], subject=row["subject"],
    )  # fmt: skip


def _entry(settings: Settings, row: dict[str, Any], told: Gathering) -> tuple[str, bytes] | None:
    """The method and the entry for a calendar; None where nothing is to be entered or taken out."""
    if row["starts"] is None or row["ends"] is None:
        return None
    stands = row["subject"] in STANDS and row["status"] == "confirmed" and row["gathering_status"] != "cancelled"
    moved = row["subject"] == "postponed" and row["status"] == "confirmed"
    gone = row["subject"] in GONE and not moved
    if not stands and not moved and not gone:
        return None
    method: invitations.Method = "CANCEL" if gone else "REQUEST"
    sender = parseaddr(settings.mail_sender)[1]
    entry = invitations.Invitation(
        str(row["gathering_id"]), row["sequence"], row["title"], row["summary"], row["starts"], row["ends"],
        row["zone"], row["place"], told.join, told.page or "", row["person"], row["mail"], sender,
    )  # fmt: skip
    return method, invitations.calendar(entry, method, row["created_at"])
