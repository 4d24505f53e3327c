"""The service that listens: effects counted one by one, a fold, a tally of differences, copies of states.

Nothing in its tables hides a second or a missing effect: effects have no unique key, the tally only adds.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.contracts.membership import (
    MembershipActivated,
    MembershipCategoryChanged,
    MembershipResigned,
    PersonState,
    StandingState,
)
from shared.messaging.events import Consumer, Event, EventRefused
from shared.postgres.pool import Unit
from tests.failure.membership import REFUSED_CLUSTER

CONSUMER = "reporting.checked"

EFFECTS = """
INSERT INTO failure_effect (generation, id, key, version, type)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[])
"""
FOLD = """
INSERT INTO failure_fold AS fold (generation, key, version, category, in_force)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::boolean[])
ON CONFLICT (generation, key) DO UPDATE SET version = excluded.version, category = excluded.category,
    in_force = excluded.in_force
"""
TALLY = """
INSERT INTO failure_tally AS tally (generation, category, members)
SELECT $1, category, more FROM unnest($2::text[], $3::bigint[]) AS r (category, more) ORDER BY category
ON CONFLICT (generation, category) DO UPDATE SET members = tally.members + excluded.members
"""
COPY = """
INSERT INTO failure_copy (generation, topic, key, version, text)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[])
ON CONFLICT (generation, topic, key) DO UPDATE SET version = excluded.version, text = excluded.text
"""
ERASE = """
DELETE FROM failure_copy WHERE generation = $1 AND (topic, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))
"""


def consumer(
    name: str = CONSUMER,
    generation: str = "live",
    *,
    mended: Path | None = None,
    before: Callable[[], None] = lambda: None,
) -> Consumer:
    """The listener. It refuses facts of `REFUSED_CLUSTER` until the file `mended` exists.

    `before` is called in the batch's transaction, once something was written in it.
    """

    async def fold_facts(unit: Unit, events: Sequence[Event]) -> None:
        for event in events:
            if event.data.cluster_id == REFUSED_CLUSTER and not (mended and mended.exists()):
                raise EventRefused("this cluster is not known here")
        await unit.connection.execute(
            EFFECTS, generation, [e.id for e in events], [e.key for e in events], [e.version for e in events],
            [type(e.data).__name__ for e in events],
        )  # fmt: skip
        before()
        folded: dict[str, tuple[int, str, bool]] = {}
        tally: Counter[str] = Counter()
        for event in events:
            fact = event.data
            folded[event.key] = (event.version, fact.category, not isinstance(fact, MembershipResigned))
            if isinstance(fact, MembershipCategoryChanged):
                tally[fact.previous] -= 1
            tally[fact.category] += -1 if isinstance(fact, MembershipResigned) else 1
        keys = sorted(folded)
        await unit.connection.execute(FOLD, generation, keys, *map(list, zip(*(folded[k] for k in keys), strict=True)))
        categories = sorted(tally)
        await unit.connection.execute(TALLY, generation, categories, [tally[c] for c in categories])

    async def copy_states(unit: Unit, events: Sequence[Event]) -> None:
        gone = [e for e in events if e.data is None]
        await unit.connection.execute(ERASE, generation, [e.topic for e in gone], [e.key for e in gone])
        kept = sorted((e for e in events if e.data is not None), key=lambda e: (e.topic, e.key))
        texts = [
            e.data.name if isinstance(e.data, PersonState) else f"{e.data.category} {e.data.standing}" for e in kept
        ]
        await unit.connection.execute(
            COPY, generation, [e.topic for e in kept], [e.key for e in kept], [e.version for e in kept], texts
        )

    return Consumer(
        name,
        {
            MembershipActivated: fold_facts,
            MembershipCategoryChanged: fold_facts,
            MembershipResigned: fold_facts,
            StandingState: copy_states,
            PersonState: copy_states,
        },
    )
