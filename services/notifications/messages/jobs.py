"""The sender loop: what is due goes out, attempt by attempt, each written down.

Any number of replicas run it: a message is claimed in a short transaction of its own, sent outside any,
and settled in another. A kill between sending and settling sends it again under the same Message-ID.
"""

from email.message import EmailMessage

import asyncpg
import structlog

from services.notifications.attempt import Attempt
from services.notifications.messages import commands
from services.notifications.subjects.views import Known, render
from services.notifications.transport import Outlet, compose, outlet
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
    actor = f"service:{service.name}"
    async with service.unit(actor=actor, cause="sender") as unit:
        ids = await commands.claim_messages(unit, AT_ONCE)
    if not ids:
        return 0
    async with service.unit(actor=actor, cause="sender") as unit:
        rows = await commands.claimed_messages(unit, ids)
        await commands.give_up_nameless(unit, set(ids) - {row["id"] for row in rows})
        suppressed = await commands.suppressed_among(unit, [row["mail"] for row in rows])
    async with outlet(service.settings.mail()) as out:
        for row in rows:
            await _send_one(service, out, row, suppressed=row["mail"] in suppressed)
    return len(ids)


async def _send_one(service: Service, out: Outlet, row: asyncpg.Record, *, suppressed: bool) -> None:
    cause = row["cause"]
    with (
        structlog.contextvars.bound_contextvars(service=service.name, cause=cause),
        service.tracing.span("mail send", traceparent=row["traceparent"], kind=SpanKind.CLIENT),
    ):
        attempt = None if suppressed else await _attempt(service, out, row)
        async with service.unit(actor=f"service:{service.name}", cause=cause) as unit:
            verdict = await commands.settle_message(unit, row["id"], row["attempts"], row["mail"], attempt)
        service.metrics.mails.labels(verdict.outcome).inc()
        code = attempt.code if attempt else None
        service.log.info(f"mail.{verdict.outcome}", message=str(row["id"]), subject=row["subject"], code=code)


async def _attempt(service: Service, out: Outlet, row: asyncpg.Record) -> Attempt:
    try:
        mail = _mail(service, row)
    except Exception:  # a fault in one message's words keeps no other from going out
        service.log.exception("mail.not_composed", message=str(row["id"]))
        return Attempt("retry")
    return Attempt("failed") if mail is None else await out.send(mail)


def _mail(service: Service, row: asyncpg.Record) -> EmailMessage | None:
    known = Known(row["person"], row["organization"], row["cluster"], row["category"], row["effective"])
    rendered = render(row["subject"], row["language"], known)
    return compose(
        row["id"], rendered, name=row["person"], address=row["mail"], sender=service.settings.mail_sender,
        at=row["created_at"], language=row["language"],
    )  # fmt: skip
