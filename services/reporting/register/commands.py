"""What received facts do to the read model: kept, folded with all others of their aggregate, written as dated rows.

Set-based: a batch of any size is a few statements per generation. Applying a fact twice, or in another
order, leaves the same rows.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from services.reporting.catalogue.domain import Family
from services.reporting.indicators import commands as indicators
from services.reporting.register import domain, store
from services.reporting.register.domain import AnyFact, ClusterFact, MembershipFact, OrganizationFact, Period
from shared.contracts import membership as contracts
from shared.contracts.base import Published
from shared.messaging.events import Event, EventRefused, Handler
from shared.postgres.pool import Connection, Row, Unit

Apply = Callable[[Connection, int, Sequence[Event]], Awaitable[set[UUID]]]

CONSUMER = "reporting.members"
NO_DAY = "effective: this fact needs the day from which it counts"


@lru_cache(maxsize=256)
def short(type_: str) -> str:
    """`org.cumulo.membership.MembershipActivated.v1` is "MembershipActivated" here."""
    return type_.split(".")[-2]


def check(event: Event) -> None:
    """Raises `EventRefused` for a fact that cannot be placed in time."""
    if event.effective is None and short(event.type) in domain.NEEDS_DAY:
        raise EventRefused(NO_DAY)


async def apply_memberships(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Membership facts into one generation. Returns the clusters whose memberships in force may differ now."""
    facts: list[MembershipFact] = []
    for id_, type_, _, _, version, recorded, effective, _, _, _, data in events:
        name = short(type_)
        if effective is None and name in domain.NEEDS_DAY:
            raise EventRefused(NO_DAY)
        facts.append(
            MembershipFact(
                data.membership_id, version, id_, name, effective, recorded,
                data.organization_id, data.cluster_id, data.category,
            )
        )  # fmt: skip
    return await fold_memberships(connection, generation, facts)


async def fold_memberships(connection: Connection, generation: int, facts: Sequence[MembershipFact]) -> set[UUID]:
    """Keeps the facts that are new and folds the memberships that they concern."""
    rows = await store.known_facts(connection, store.MEMBERSHIP_FACTS, generation, [fact[0] for fact in facts])
    grown, new, had = new_among([MembershipFact(*row) for row in rows], facts)
    folded = {key: domain.membership_periods(some) for key, some in grown.items()}
    whole = [len(grown[fact[0]]) == 1 and folded[fact[0]] == [_only_row(fact)] for fact in new]
    for fact, alone in zip(new, whole, strict=True):
        if alone:
            del folded[fact[0]]
    await store.add_membership_facts(connection, generation, new, whole)
    await store.replace_periods(connection, store.MEMBERSHIPS, generation, folded, had)
    return {fact.cluster_id for fact in new if fact.type in domain.NEEDS_DAY}


async def apply_organizations(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Organisation facts into one generation: type, state and positions."""
    facts = [
        OrganizationFact(
            e.data.organization_id, e.version, e.id, short(e.type), e.effective, e.time, e.data.type,
            f"{e.data.country}-{e.data.state}" if e.data.state else None,
            tuple((p.position, p.since, p.until) for p in e.data.positions),
        )
        for e in events
    ]  # fmt: skip
    return await fold_organizations(connection, generation, facts)


async def fold_organizations(connection: Connection, generation: int, facts: Sequence[OrganizationFact]) -> set[UUID]:
    """The same for organisations; their figures by cluster and in all do not move by it."""
    rows = await store.known_facts(connection, store.ORGANIZATION_FACTS, generation, [fact[0] for fact in facts])
    grown, new, had = new_among([read_organization(row) for row in rows], facts)
    written = [(*fact[:-1], orjson.dumps(fact.positions).decode()) for fact in new]
    await store.add_facts(connection, store.ORGANIZATION_FACTS, generation, written)
    for table, after in (
        (store.ORGANIZATIONS, domain.after_classification),
        (store.POSITIONS, domain.after_positions),
    ):
        folded = {key: domain.periods(some, after) for key, some in grown.items()}
        await store.replace_periods(connection, table, generation, folded, had)
    return set()


async def apply_clusters(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Cluster facts into one generation: when each belongs to the network."""
    for event in events:
        check(event)
    facts = [ClusterFact(e.data.cluster_id, e.version, e.id, short(e.type), e.effective, e.time) for e in events]
    return await fold_clusters(connection, generation, facts)


async def fold_clusters(connection: Connection, generation: int, facts: Sequence[ClusterFact]) -> set[UUID]:
    """The same for clusters."""
    rows = await store.known_facts(connection, store.CLUSTER_FACTS, generation, [fact[0] for fact in facts])
    grown, new, had = new_among([ClusterFact(*row) for row in rows], facts)
    await store.add_facts(connection, store.CLUSTER_FACTS, generation, new)
    folded = {key: domain.periods(some, domain.after_cluster) for key, some in grown.items()}
    await store.replace_periods(connection, store.CLUSTERS, generation, folded, had)
    return set()


def _only_row(fact: MembershipFact) -> Period:
    """The row of a membership that began with this fact, and of which nothing else is known."""
    value = (fact.organization_id, fact.cluster_id, fact.category)
    return Period(fact.effective, None, value, fact.recorded, None)


def new_among(
    known: Sequence[AnyFact], received: Sequence[AnyFact]
) -> tuple[dict[UUID, list[AnyFact]], list[AnyFact], list[UUID]]:
    """All facts of the aggregates that have new ones, the new ones, and the aggregates that had some before.

    A fact is known by its aggregate and version; nothing else adds facts while the apply lock is held.
    """
    by_key: dict[UUID, list[AnyFact]] = {}
    for fact in known:
        by_key.setdefault(fact[0], []).append(fact)
    seen = {(fact[0], fact.version) for fact in known}
    new: list[AnyFact] = []
    grown: dict[UUID, list[AnyFact]] = {}
    had: list[UUID] = []
    for fact in received:
        key = fact[0]
        place = (key, fact.version)
        if place in seen:
            continue
        seen.add(place)
        new.append(fact)
        some = grown.get(key)
        if some is None:
            some = grown[key] = by_key.get(key, [])
            if some:
                had.append(key)
        some.append(fact)
    return grown, new, had


def read_organization(row: Row | Sequence[Any]) -> OrganizationFact:
    """A row of `organization_fact`, whose positions are JSON."""
    positions = tuple(
        (name, date.fromisoformat(since), date.fromisoformat(until) if until else None)
        for name, since, until in orjson.loads(row[8])
    )
    return OrganizationFact(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], positions)


# --- handlers ------------------------------------------------------------------------------------


async def on_the_bus(unit: Unit, events: Sequence[Event], apply: Apply, family: Family = "members") -> None:
    """Into the generation in use, and into the one being built, if any; figures of the family may have moved."""
    generations = await store.locked_generations(unit.connection)
    for generation in generations.written:
        touched = await apply(unit.connection, generation, events)
        if generation == generations.current:
            await indicators.mark_dirty(unit, touched, family)


async def take_memberships(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all membership facts. Raises `EventRefused` for one without its effective day."""
    await on_the_bus(unit, events, apply_memberships)


async def take_organizations(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of the facts that classify an organisation."""
    await on_the_bus(unit, events, apply_organizations)


async def take_clusters(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all cluster facts. Raises `EventRefused` for one without its effective day."""
    await on_the_bus(unit, events, apply_clusters)


async def take_labels(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of the clusters' states: their names as they are now. An erased cluster has none."""
    kept = {event.data.cluster_id: event for event in events if event.data is not None}
    gone = [event.key_id for event in events if event.data is None]
    labels = [(key, kept[key].data.slug, kept[key].data.name, kept[key].version) for key in sorted(kept)]
    await store.put_labels(unit.connection, labels)
    await store.drop_labels(unit.connection, gone)


APPLIED: Mapping[type[Published], Apply] = {
    contracts.MembershipApplied: apply_memberships,
    contracts.MembershipApproved: apply_memberships,
    contracts.MembershipActivated: apply_memberships,
    contracts.MembershipCategoryChanged: apply_memberships,
    contracts.MembershipResigned: apply_memberships,
    contracts.MembershipRefused: apply_memberships,
    contracts.MembershipExpelled: apply_memberships,
    contracts.MembershipReinstated: apply_memberships,
    contracts.MembershipActivationWithdrawn: apply_memberships,
    contracts.MembershipTransferred: apply_memberships,
    contracts.MembershipMerged: apply_memberships,
    contracts.OrganizationRegistered: apply_organizations,
    contracts.OrganizationReclassified: apply_organizations,
    contracts.ClusterFounded: apply_clusters,
    contracts.ClusterJoinedNetwork: apply_clusters,
    contracts.ClusterLeftNetwork: apply_clusters,
}
"""What each fact does to one generation; a rebuild reads them from the feed."""


async def carry_over(connection: Connection, generation: int, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Takes rows of a table of facts, as another generation has them, into this one."""
    if table == store.MEMBERSHIP_FACTS.name:
        await fold_memberships(connection, generation, [MembershipFact(*row) for row in rows])
    elif table == store.ORGANIZATION_FACTS.name:
        await fold_organizations(connection, generation, [read_organization(row) for row in rows])
    else:
        await fold_clusters(connection, generation, [ClusterFact(*row) for row in rows])


_HANDLERS: Mapping[Apply, Handler] = {
    apply_memberships: take_memberships,
    apply_organizations: take_organizations,
    apply_clusters: take_clusters,
}

TAKEN: Mapping[type[Published], Handler] = {
    **{model: _HANDLERS[apply] for model, apply in APPLIED.items()},
    contracts.ClusterState: take_labels,
}
"""The routing: facts of one kind of aggregate go to one function, so that they keep their order."""
