"""From facts to messages, and what becomes of them: note, address, claim, settle, give up, retry.

A notice waits for the names and people that it needs and that may come later; each person hears of it in
one message, made once however often it is asked for.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.notifications.logbook import store as logbook
from services.notifications.logbook.store import Line
from services.notifications.messages import domain, store, views
from services.notifications.preferences import store as preferences
from services.notifications.preferences.domain import topic_of
from services.notifications.subjects.domain import GREETED_WITHIN, RULES, Asked, asked_by
from shared.contracts.base import contract_of
from shared.contracts.notifications import MessageAnswered, MessageNotSent, MessageSent
from shared.mail.attempt import Attempt
from shared.messaging.events import Event
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.refusal import Word

CLAIMED_FOR = timedelta(seconds=60)
"""How long a message is one sender's; longer than one attempt may take."""

_FACTS = {contract_of(fact).type: fact for fact in RULES}


@dataclass(frozen=True, slots=True)
class Claim:
    """Messages that are one sender's until `until`, which also tells this claim from a later one."""

    ids: list[UUID]
    until: datetime


async def take_turn(unit: Unit) -> None:
    """To be called by every handler before it writes: one replica at a time addresses notices, until its commit.

    A fact in one open transaction and its person in another do not see each other; without turns each would leave
    the message to the other.
    """
    await unit.connection.execute(store.TURN)


async def notice(unit: Unit, events: Sequence[Event]) -> None:
    """Turns facts into notices by the rule of their type, and into messages for those who are known."""
    rows = []
    for event in events:
        asked = asked_by(event, _FACTS[event.type], unit.now)
        if asked is not None:
            rows.append(_row(unit, event.id, asked, event.cause, event.traceparent))
    if rows:
        await take_turn(unit)
        await _add(unit, rows)


async def ask(unit: Unit, asked: Sequence[tuple[UUID, Asked]], *, cause: str) -> None:
    """Notices that no fact brought, by ids that are always the same; to be called in one's turn."""
    await logbook.hear(unit.connection, [
        Line(id_, None, one.subject, None, one.organization_id, one.cluster_id, unit.now) for id_, one in asked
    ])  # fmt: skip
    await _add(unit, [_row(unit, id_, one, cause, None) for id_, one in asked])


def _row(unit: Unit, id_: UUID, asked: Asked, cause: str, traceparent: str | None) -> tuple[Any, ...]:
    return (id_, asked.subject, asked.organization_id, asked.cluster_id, asked.category, asked.effective, unit.now,
            unit.now + GREETED_WITHIN, cause, traceparent, asked.about, asked.gathering_id,
            asked.certificate_id)  # fmt: skip


async def _add(unit: Unit, rows: Sequence[tuple[Any, ...]]) -> None:
    organizations, gatherings = await store.add_notices(unit.connection, rows)
    await address(unit, organizations=organizations)
    await address_registered(unit, gatherings)


async def address_registered(unit: Unit, gatherings: Collection[UUID]) -> None:
    """Makes the messages that open notices of these gatherings can have by now, to whoever is registered there."""
    if not gatherings:
        return
    await unit.connection.execute(store.HOSTED, list(gatherings))
    await _messages(unit, await views.unaddressed_registered(unit.connection, unit.now, gatherings))


async def address(
    unit: Unit, *, organizations: Collection[UUID] = (), clusters: Collection[UUID] = (),
    contacts: Collection[UUID] = (),
) -> None:  # fmt: skip
    """Makes the messages that open notices of these organisations, clusters or contacts can have by now."""
    if not organizations and not clusters and not contacts:
        return
    await _messages(unit, await views.unaddressed(unit.connection, unit.now, organizations, clusters, contacts))


async def _messages(unit: Unit, found: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (domain.message_id(row["notice_id"], row["person_id"]), row["notice_id"], row["person_id"], row["subject"])
        for row in found
    ]
    if rows:
        await store.add_messages(unit.connection, rows, unit.now)


async def give_up_for(unit: Unit, people: Sequence[UUID]) -> None:
    """Ends what was meant for people who were erased; what was sent keeps no trace of whom it went to."""
    if people:
        await unit.connection.execute(store.GIVE_UP, sorted(people), unit.now)


async def claim_messages(unit: Unit, limit: int) -> Claim:
    """Takes due messages for one sender, for a minute; one that dies meanwhile leaves them to the next."""
    rows = await unit.connection.fetch(store.CLAIM, unit.now, limit, CLAIMED_FOR)
    oldest_first = sorted((row["due_at"], row["id"]) for row in rows)
    return Claim([id_ for _, id_ in oldest_first], unit.now + CLAIMED_FOR)


async def begin_attempt(unit: Unit, claim: Claim, id_: UUID) -> dict[str, Any] | None:
    """Renews the claim for one attempt and reads what the mail says, as of now. None when there is nothing to send.

    So it is when the claim ran out and another sender may have it, when the person was erased since, or when the
    organisation or cluster was, or the person now speaks for another one: then there is nothing to say to them any
    more, and the message has failed.
    `suppressed` tells an address that has refused for good, `muted` a reader who turned this off.
    """
    attempts = await unit.connection.fetchval(store.BEGIN, id_, claim.until, unit.now, CLAIMED_FOR)
    if attempts is None:
        return None
    row = await views.to_send(unit.connection, id_)
    if row is None:
        if await unit.connection.fetchval(store.NAMELESS, id_, unit.now):
            await tell(unit, [id_], MessageNotSent, reason="gone")
        await unit.connection.execute(store.LOG, id_, attempts, unit.now, "failed", None)
        return None
    suppressed = await unit.connection.fetchval(store.SUPPRESSED, domain.address_hash(row["mail"]))
    topic = topic_of(row["subject"])
    choices = await preferences.chosen(unit.connection, domain.address_hash(row["mail"]).hex()) if topic else {}
    muted = topic in choices and not choices[topic].mail
    return {**row, "attempts": attempts, "suppressed": suppressed, "muted": muted, "may_leave": topic is not None}


async def return_messages(unit: Unit, claim: Claim, ids: Sequence[UUID]) -> None:
    """Gives back claimed messages that were not begun, so that another sender has them at once."""
    await unit.connection.execute(store.UNCLAIM, sorted(ids), claim.until)


async def settle_message(
    unit: Unit, id_: UUID, attempts: int, mail: str, attempt: Attempt | None, *, muted: bool = False
) -> domain.Verdict:
    """Writes down how an attempt went; None stands for an address that is suppressed, or muted."""
    if muted:
        verdict = domain.Verdict("muted", "muted", None)
    elif attempt is None:
        verdict = domain.Verdict("suppressed", "suppressed", None)
    else:
        verdict = domain.judged(attempt, attempts, unit.now)
        if attempt.address_refused and attempt.code is not None:
            await unit.connection.execute(store.SUPPRESS, domain.address_hash(mail), unit.now, attempt.code)
    settled = await unit.connection.fetchval(store.SETTLE, id_, verdict.state, verdict.due_at, unit.now)
    if settled is not None and verdict.state == "sent":
        await tell(unit, [id_], MessageSent, attempts=attempts)
    elif settled is not None and verdict.state != "due":
        await tell(unit, [id_], MessageNotSent, reason=domain.REASONS[verdict.state])
    code = attempt.code if attempt else None
    await unit.connection.execute(store.LOG, id_, attempts, unit.now, verdict.outcome, code)
    return verdict


async def tell(
    unit: Unit, ids: Collection[UUID], fact: "type[MessageSent | MessageNotSent | MessageAnswered]", **said: Any
) -> None:
    """Records one fact of each of these messages, as of today in the zone of whom it concerned."""
    rows = await unit.connection.fetch(store.TELL, sorted(ids))
    await record(unit, [
        Record(str(row["id"]), row["version"],
               fact(message_id=row["id"], subject=row["subject"], organization_id=row["organization_id"],
                    cluster_id=row["cluster_id"], **said), day_in(row["zone"], unit.now))
        for row in rows
    ])  # fmt: skip


async def retry_message(unit: Unit, id_: UUID) -> None:
    """Makes a message due at once, also to an address that refused before: who asks for it has looked into it.

    Raises `NoSuchMessage`; `MessageNotRetryable` for one that is sent, erased, or being sent right now.
    """
    row = await unit.connection.fetchrow(store.LOCK, id_)
    if row is None:
        raise domain.NoSuchMessage("there is no message {id}", id=id_, field="message_id")
    if row["state"] in ("sent", "erased"):
        raise domain.MessageNotRetryable(
            "this message is {state}; it is not sent again", state=Word(row["state"]), field="message_id"
        )
    if row["claimed_until"] is not None and row["claimed_until"] > unit.now:
        raise domain.MessageNotRetryable("this message is being sent right now", field="message_id")
    address = await views.address_of(unit.connection, id_)
    if address is not None:
        await unit.connection.execute(store.UNSUPPRESS, domain.address_hash(address))
    await unit.connection.execute(store.RETRY, id_, unit.now)
