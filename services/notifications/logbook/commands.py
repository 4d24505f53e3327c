"""Use cases of the log: a line for every fact, by the rule of its type; old ones that concerned nobody go."""

from collections.abc import Sequence
from datetime import timedelta

from services.notifications.logbook import store
from services.notifications.logbook.store import Line
from services.notifications.subjects.domain import NEWS_FOR, RULES, ConcernsNobody
from shared.contracts.base import contract_of
from shared.messaging.events import Event
from shared.postgres.pool import Unit

KEPT = timedelta(days=90)
"""How long it is told of a fact that it concerned nobody."""
AT_ONCE = 5000
TOO_OLD = "it happened too long ago to be news"
NOT_ASKED = "this one asks nothing of anybody"
_FACTS = {contract_of(fact).type: fact for fact in RULES}


async def hear(unit: Unit, events: Sequence[Event]) -> None:
    """Notes of each fact whom it concerned by its rule."""
    await store.hear(unit.connection, [_line(unit, event) for event in events])


def _line(unit: Unit, event: Event) -> Line:
    fact = _FACTS[event.type]
    rule = RULES[fact]
    subject: str | None = None
    if isinstance(rule, ConcernsNobody):
        reason = rule.reason
    elif unit.now - event.time > NEWS_FOR:
        reason = TOO_OLD
    else:
        asked = rule(event)
        subject, reason = (asked.subject, "") if asked else (None, NOT_ASKED)
    return Line(event.id, f"{fact.SERVICE}.{fact.__name__}", subject, None if subject else reason,
                getattr(event.data, "organization_id", None), getattr(event.data, "cluster_id", None),
                event.time)  # fmt: skip


async def forget_old(unit: Unit) -> int:
    """Some lines that are no longer kept; how many."""
    return await store.forget(unit.connection, unit.now - KEPT, AT_ONCE)
