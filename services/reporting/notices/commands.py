"""What facts about messages do to the read model: kept, folded, written as dated rows."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.reporting.notices import domain, store
from services.reporting.notices.domain import MessageFact
from services.reporting.register import domain as register
from services.reporting.register import store as tables
from services.reporting.register.commands import NO_DAY, Apply, new_among, on_the_bus, short
from shared.contracts import notifications as contracts
from shared.contracts.base import Published
from shared.messaging.events import Event, EventRefused, Handler
from shared.postgres.pool import Connection, Unit

CONSUMER = "reporting.notices"


async def apply_messages(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Facts about messages into one generation. Raises `EventRefused` for one without its day."""
    facts = []
    for event in events:
        if event.effective is None:
            raise EventRefused(NO_DAY)
        data: contracts.MessageSent = event.data
        facts.append(MessageFact(data.message_id, event.version, event.id, short(event.type), event.effective,
                                 event.time, data.organization_id, data.cluster_id, data.subject))  # fmt: skip
    return await fold_messages(connection, generation, facts)


async def fold_messages(connection: Connection, generation: int, facts: Sequence[MessageFact]) -> set[UUID]:
    """Keeps the facts that are new and folds the messages that they concern."""
    table = store.MESSAGE_FACTS
    rows = await tables.known_facts(connection, table, generation, [fact.message_id for fact in facts])
    grown, new, had = new_among([MessageFact(*row) for row in rows], facts)
    await tables.add_facts(connection, table, generation, new)
    folded = {key: register.periods(some, domain.after_message) for key, some in grown.items()}
    await tables.replace_periods(connection, store.MESSAGES, generation, folded, had)
    return set()


async def take_messages(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all facts about messages."""
    await on_the_bus(unit, events, apply_messages, family="notices")


APPLIED: Mapping[type[Published], Apply] = {
    contracts.MessageSent: apply_messages,
    contracts.MessageNotSent: apply_messages,
    contracts.MessageAnswered: apply_messages,
}
TAKEN: Mapping[type[Published], Handler] = dict.fromkeys(APPLIED, take_messages)


async def carry_over(connection: Connection, generation: int, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Takes rows of facts, as another generation has them, into this one."""
    if table == store.MESSAGE_FACTS.name:
        await fold_messages(connection, generation, [MessageFact(*row) for row in rows])
