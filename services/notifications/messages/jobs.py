"""The sender loop: what is due goes out, attempt by attempt, each written down.

Any number of replicas run it: messages are claimed in a short transaction, each claim is renewed before its
attempt, sent outside any transaction, settled in another. A kill between sending and settling sends again under
the same Message-ID: SMTP cannot do better.
"""

import traceback
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from uuid import UUID

import structlog

from services.notifications.invitations import domain as invitations
from services.notifications.messages import commands
from services.notifications.subjects.views import Contact, Gathering, Known, render
from shared.mail.attempt import Attempt
from shared.mail.transport import Outlet, SenderUnusable, compose, outlet
from shared.postgres.pool import TRANSIENT
from shared.postgres.values import day_in
from shared.runtime.service import Service
from shared.runtime.tracing import SpanKind

AT_ONCE = 20
LOOKS_EVERY_SECONDS = 0.1


async def send(service: Service) -> None:
    """Runs until the service stops, after the mails it has claimed."""
    while not service.stopping.is_set():
        if not await send_due(service):
            await service.pause(LOOKS_EVERY_SECONDS)


async def send_due(service: Service) -> int:
    """Sends at most one claim's worth of due messages. Returns how many were claimed."""
    async with service.unit(actor=f"service:{service.name}", cause="sender") as unit:
        claim = await commands.claim_messages(unit, AT_ONCE)
    if claim.ids:
        await send_claimed(service, claim)
    return len(claim.ids)


async def send_claimed(service: Service, claim: commands.Claim) -> None:
    """Sends what is still this claim's, over one connection; when the service stops, gives the rest back.

    A fault of the program with one message leaves it to the next claim and keeps no other from going out.
    """
    actor = f"service:{service.name}"
    async with outlet(service.settings.mail()) as out:
        for number, id_ in enumerate(claim.ids):
            if service.stopping.is_set():
                async with service.unit(actor=actor, cause="sender") as unit:
                    await commands.return_messages(unit, claim, claim.ids[number:])
                return
            try:
                await _send_one(service, out, claim, id_)
            except TRANSIENT:
                raise  # the database is away for all of them
            except Exception as error:
                _log_fault(service, "mail.interrupted", id_, error)


async def _send_one(service: Service, out: Outlet, claim: commands.Claim, id_: UUID) -> None:
    actor = f"service:{service.name}"
    async with service.unit(actor=actor, cause="sender") as unit:
        row = await commands.begin_attempt(unit, claim, id_)
    if row is None:
        return
    with (
        structlog.contextvars.bound_contextvars(service=service.name, cause=row["cause"]),
        service.tracing.span("mail send", traceparent=row["traceparent"], kind=SpanKind.CLIENT),
    ):
        attempt = None if row["suppressed"] else await _attempt(service, out, row)
        async with service.unit(actor=actor, cause=row["cause"]) as unit:
            verdict = await commands.settle_message(unit, id_, row["attempts"], row["mail"], attempt)
        service.metrics.mails.labels(verdict.outcome).inc()
        code = attempt.code if attempt else None
        service.log.info(f"mail.{verdict.outcome}", message=str(id_), subject=row["subject"], code=code)


async def _attempt(service: Service, out: Outlet, row: dict[str, Any]) -> Attempt:
    try:
        mail = _mail(service, row)
        return Attempt("failed") if mail is None else await out.send(mail)
    except SenderUnusable as error:
        service.log.error("mail.no_sender", message=str(row["id"]), reason=str(error))
    except Exception as error:
        _log_fault(service, "mail.not_sent", row["id"], error)
    return Attempt("retry")


def _log_fault(service: Service, event: str, id_: UUID, error: Exception) -> None:
    # kind and place only: the words of such an error often hold the name or address that it stumbled over
    where = traceback.format_list(traceback.extract_tb(error.__traceback__))
    service.log.error(event, message=str(id_), error=type(error).__name__, where="".join(where))


def _mail(service: Service, row: dict[str, Any]) -> EmailMessage | None:
    settings = service.settings
    if "gathering_id" in row:
        return _about_a_gathering(service, row)
    known = Known(
        row["person"], row["organization"], row["cluster"], row["category"], row["effective"],
        begins_later=row["effective"] > day_in(row["zone"], row["created_at"]),
        answered=settings.mail_reply_to is not None,
        contact=None if row["message"] is None else Contact(
            row["sender_name"], row["sender_organization"], row["message"]),
    )  # fmt: skip
    rendered = render(row["subject"], row["language"], known)
    return compose(
        row["id"], rendered, name=row["person"], address=row["mail"], sender=settings.mail_sender,
        reply_to=row["reply_to"] or settings.mail_reply_to, at=row["created_at"], language=row["language"],
    )  # fmt: skip


STANDS = ("registered", "changed", "reminder_week", "reminder_day")
"""Subjects whose mail brings the entry for a calendar, of who has a place."""
GONE = ("unregistered", "cancelled", "postponed")


def _about_a_gathering(service: Service, row: dict[str, Any]) -> EmailMessage | None:
    settings = service.settings
    door = settings.public_url
    subject, code = row["subject"], row["check_in_code"]
    gathering = Gathering(
        row["title"], row["starts"], row["ends"], row["zone"], row["place"],
        join=row["join_url"] if row["status"] == "confirmed" else None,
        page=f"{door}/agenda/{row['slug']}" if door else None,
        ticket=f"{door}/ticket/{code}" if door and code else None,
        price=None if float(row["amount"]) == 0 else f"{row['amount']} {row['currency']}",
        until=row["offer_until"], subject=subject,
    )  # fmt: skip
    known = Known(row["person"], row["organization"], row["cluster"], row["category"], row["effective"],
                  answered=settings.mail_reply_to is not None, gathering=gathering)  # fmt: skip
    rendered = render(subject, row["language"], known)
    return compose(
        row["id"], rendered, name=row["person"], address=row["mail"], sender=settings.mail_sender,
        reply_to=settings.mail_reply_to, at=row["created_at"], language=row["language"],
        calendar=_entry(service, row, gathering),
    )  # fmt: skip


def _entry(service: Service, row: dict[str, Any], told: Gathering) -> tuple[str, bytes] | None:
    """The method and the entry for a calendar; None where nothing is to be entered or taken out."""
    if row["starts"] is None or row["ends"] is None:
        return None
    stands = row["subject"] in STANDS and row["status"] == "confirmed" and row["gathering_status"] != "cancelled"
    moved = row["subject"] == "postponed" and row["status"] == "confirmed"
    gone = row["subject"] in GONE and not moved
    if not stands and not moved and not gone:
        return None
    method: invitations.Method = "CANCEL" if gone else "REQUEST"
    sender = parseaddr(service.settings.mail_sender)[1]
    entry = invitations.Invitation(
        str(row["gathering_id"]), row["sequence"], row["title"], row["summary"], row["starts"], row["ends"],
        row["zone"], row["place"], told.join, told.page or "", row["person"], row["mail"], sender,
    )  # fmt: skip
    return method, invitations.calendar(entry, method, row["created_at"])
