"""The sender loop: what is due goes out, attempt by attempt, each written down.

Any number of replicas run it: messages are claimed in a short transaction, each claim is renewed before its
attempt, sent outside any transaction, settled in another. A kill between sending and settling sends again under
the same Message-ID: SMTP cannot do better.
"""

import traceback
from typing import Any
from uuid import UUID

import structlog

from services.notifications import letters
from services.notifications.messages import commands
from shared.mail.attempt import Attempt
from shared.mail.transport import Outlet, SenderUnusable, outlet
from shared.postgres.pool import TRANSIENT
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
        attempt = None if row["suppressed"] or row["muted"] else await _attempt(service, out, row)
        async with service.unit(actor=actor, cause=row["cause"]) as unit:
            verdict = await commands.settle_message(unit, id_, row["attempts"], row["mail"], attempt,
                                                    muted=row["muted"])  # fmt: skip
        service.metrics.mails.labels(verdict.outcome).inc()
        code = attempt.code if attempt else None
        service.log.info(f"mail.{verdict.outcome}", message=str(id_), subject=row["subject"], code=code)


async def _attempt(service: Service, out: Outlet, row: dict[str, Any]) -> Attempt:
    try:
        mail = letters.mail(service.settings, row)
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
