"""From facts to messages, and what becomes of them: note, address, claim, settle, give up, retry.

A notice waits for the names and people that it needs and that may come later; each person hears of it in
one message, made once however often it is asked for.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.notifications.attempt import Attempt
from services.notifications.messages import domain, store
from services.notifications.subjects.domain import GREETED_WITHIN, RULES, asked_by
from shared.contracts.base import contract_of
from shared.messaging.events import Event
from shared.postgres.pool import Unit

CLAIMED_FOR = timedelta(seconds=60)
_FACTS = {contract_of(fact).type: fact for fact in RULES}


async def notice(unit: Unit, events: Sequence[Event]) -> None:
    """Turns facts into notices by the rule of their type, and into messages for those who are known."""
    rows, organizations = [], set()
    for event in events:
        asked = asked_by(event, _FACTS[event.type])
        if asked is None:
            continue
        organizations.add(asked.organization_id)
        rows.append(
            (event.id, asked.subject, asked.organization_id, asked.cluster_id, asked.category, asked.effective,
             unit.now, unit.now + GREETED_WITHIN, event.cause, event.traceparent)
        )  # fmt: skip
    if rows:
        await store.add_notices(unit.connection, rows)
        await address(unit, organizations=organizations)


async def address(unit: Unit, *, organizations: Collection[UUID] = (), clusters: Collection[UUID] = ()) -> None:
    """Makes the messages that open notices of these organisations or clusters can have by now."""
    if not organizations and not clusters:
        return
    found = await store.unaddressed(unit.connection, unit.now, organizations, clusters)
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


async def claim_messages(unit: Unit, limit: int) -> list[UUID]:
    """Takes due messages for one sender, for a minute; one that dies meanwhile leaves them to the next."""
    rows = await unit.connection.fetch(store.CLAIM, unit.now, limit, CLAIMED_FOR)
    return [row["id"] for row in rows]


async def claimed_messages(unit: Unit, ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """What a sender needs of the messages it claimed; those whose person is gone are left out."""
    return await unit.connection.fetch(store.TO_SEND, ids)


async def give_up_nameless(unit: Unit, ids: Collection[UUID]) -> None:
    """Ends messages whose organisation or cluster was erased since: there is nothing to say any more."""
    if ids:
        await unit.connection.execute(store.NAMELESS, sorted(ids), unit.now)


async def suppressed_among(unit: Unit, mails: Sequence[str]) -> set[str]:
    """Which of these addresses have refused for good."""
    by_hash = {domain.address_hash(mail): mail for mail in mails}
    rows = await unit.connection.fetch(store.SUPPRESSED, list(by_hash))
    return {by_hash[bytes(row["hash"])] for row in rows}


async def settle_message(unit: Unit, id_: UUID, attempts: int, mail: str, attempt: Attempt | None) -> domain.Verdict:
    """Writes down how an attempt went; None stands for an address that is suppressed."""
    if attempt is None:
        verdict = domain.Verdict("suppressed", "suppressed", None)
    else:
        verdict = domain.judged(attempt, attempts, unit.now)
        if attempt.address_refused and attempt.code is not None:
            await unit.connection.execute(store.SUPPRESS, domain.address_hash(mail), unit.now, attempt.code)
    await unit.connection.execute(store.SETTLE, id_, verdict.state, verdict.due_at, unit.now)
    code = attempt.code if attempt else None
    await unit.connection.execute(store.LOG, id_, attempts, unit.now, verdict.outcome, code)
    return verdict


async def retry_message(unit: Unit, id_: UUID) -> None:
    """Makes a failed or waiting message due at once. Raises `NoSuchMessage`, `MessageNotRetryable`."""
    row = await unit.connection.fetchrow(store.LOCK, id_)
    if row is None:
        raise domain.NoSuchMessage(f"there is no message {id_}", field="message_id")
    if row["state"] in ("sent", "erased"):
        raise domain.MessageNotRetryable(f"this message is {row['state']}; it is not sent again", field="message_id")
    await unit.connection.execute(store.RETRY, id_, unit.now)
