"""What received facts do to the read model: kept, folded with all others of their aggregate, written as dated rows.

Set-based: a batch of any size is a few statements per generation. Applying a fact twice, or in another
order, leaves the same rows.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from services.reporting.indicators import commands as indicators
from services.reporting.register import domain, store
from services.reporting.register.domain import ClusterFact, MembershipFact, OrganizationFact, Period
from shared.contracts import membership as contracts
from shared.contracts.base import Published
from shared.messaging.events import Event, EventRefused, Handler
from shared.postgres.pool import Connection, Unit

Apply = Callable[[Connection, int, Sequence[Event]], Awaitable[set[UUID]]]

_SHORT: dict[str, str] = {}


def _short(type_: str) -> str:
    """`org.cumulo.membership.MembershipActivated.v1` is "MembershipActivated" here."""
    name = _SHORT.get(type_)
    if name is None:
        name = _SHORT[type_] = type_.split(".")[-2]
    return name


def check(event: Event) -> None:
    """Raises `EventRefused` for a fact that cannot be placed in time or whose value belongs to another key."""
    if event.effective is None and _short(event.type) in domain.NEEDS_DAY:
        raise EventRefused("effective: this fact needs the day from which it counts")


async def apply_memberships(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Membership facts into one generation. Returns the clusters whose memberships in force may differ now."""
    for event in events:
        check(event)
    rows = [
        (e.data.membership_id, e.version, e.id, _short(e.type), e.effective, e.time,
         e.data.organization_id, e.data.cluster_id, e.data.category)
        for e in events
    ]  # fmt: skip
    return await fold_memberships(connection, generation, rows)


async def fold_memberships(connection: Connection, generation: int, added: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """Adds rows of `membership_fact` (without generation) and folds the memberships that they concern."""
    rows = await store.add_membership_facts(connection, generation, added)
    facts: defaultdict[UUID, list[MembershipFact]] = defaultdict(list)
    touched: set[UUID] = set()
    for membership_id, version, type_, effective, recorded, organization_id, cluster_id, category, new in rows:
        facts[membership_id].append(
            MembershipFact(version, type_, effective, recorded, organization_id, cluster_id, category)
        )
        if new and type_ in domain.NEEDS_DAY:
            touched.add(cluster_id)
    folded = {key: domain.membership_periods(some) for key, some in facts.items()}
    await store.replace_periods(connection, store.MEMBERSHIPS, generation, folded)
    return touched


async def apply_organizations(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Organisation facts into one generation: type, state and positions."""
    rows = [
        (e.data.organization_id, e.version, e.id, _short(e.type), e.effective, e.time, e.data.type,
         f"{e.data.country}-{e.data.state}" if e.data.state else None, _written(e.data.positions))
        for e in events
    ]  # fmt: skip
    return await fold_organizations(connection, generation, rows)


async def fold_organizations(connection: Connection, generation: int, added: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """The same with rows of `organization_fact`."""
    rows = await store.add_organization_facts(connection, generation, added)
    facts: defaultdict[UUID, list[OrganizationFact]] = defaultdict(list)
    for key, version, type_, effective, recorded, kind, state, positions in rows:
        facts[key].append(OrganizationFact(version, type_, effective, recorded, kind, state, _read(positions)))
    classified: dict[UUID, list[Period]] = {}
    placed: dict[UUID, list[Period]] = {}
    for key, some in facts.items():
        classified[key] = domain.periods(some, domain.after_classification)
        placed[key] = domain.periods(some, domain.after_positions)
    await store.replace_periods(connection, store.ORGANIZATIONS, generation, classified)
    await store.replace_periods(connection, store.POSITIONS, generation, placed)
    return set()


async def apply_clusters(connection: Connection, generation: int, events: Sequence[Event]) -> set[UUID]:
    """Cluster facts into one generation: when each belongs to the network."""
    for event in events:
        check(event)
    rows = [(e.data.cluster_id, e.version, e.id, _short(e.type), e.effective, e.time) for e in events]
    return await fold_clusters(connection, generation, rows)


async def fold_clusters(connection: Connection, generation: int, added: Sequence[tuple[Any, ...]]) -> set[UUID]:
    """The same with rows of `cluster_fact`."""
    rows = await store.add_cluster_facts(connection, generation, added)
    facts: defaultdict[UUID, list[ClusterFact]] = defaultdict(list)
    for key, version, type_, effective, recorded in rows:
        facts[key].append(ClusterFact(version, type_, effective, recorded))
    folded = {key: domain.periods(some, domain.after_cluster) for key, some in facts.items()}
    await store.replace_periods(connection, store.CLUSTERS, generation, folded)
    return set()


def _written(positions: Sequence[contracts.DatedPosition]) -> str:
    return orjson.dumps([[p.position, p.since, p.until] for p in positions]).decode()


def _read(positions: str) -> tuple[tuple[str, date, date | None], ...]:
    return tuple(
        (name, date.fromisoformat(since), date.fromisoformat(until) if until else None)
        for name, since, until in orjson.loads(positions)
    )


# --- handlers ------------------------------------------------------------------------------------


async def _on_the_bus(unit: Unit, events: Sequence[Event], apply: Apply) -> None:
    """Into the generation in use, and into the one being built, if any."""
    generations = await store.locked_generations(unit.connection)
    for generation in generations.written:
        touched = await apply(unit.connection, generation, events)
        if generation == generations.current:
            await indicators.mark_dirty(unit, touched)


async def take_memberships(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all membership facts. Raises `EventRefused` for one without its effective day."""
    await _on_the_bus(unit, events, apply_memberships)


async def take_organizations(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of the facts that classify an organisation."""
    await _on_the_bus(unit, events, apply_organizations)


async def take_clusters(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of all cluster facts. Raises `EventRefused` for one without its effective day."""
    await _on_the_bus(unit, events, apply_clusters)


async def take_labels(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of the clusters' states: their names as they are now. An erased cluster has none."""
    kept = {event.data.cluster_id: event for event in events if event.data is not None}
    gone = [_cluster_of(event) for event in events if event.data is None]
    labels = [(key, kept[key].data.slug, kept[key].data.name, kept[key].version) for key in sorted(kept)]
    await store.put_labels(unit.connection, labels)
    await store.drop_labels(unit.connection, gone)


def _cluster_of(event: Event) -> UUID:
    try:
        return UUID(event.key)
    except ValueError:
        raise EventRefused("key: a cluster's state is addressed by the cluster's id") from None


APPLIED: Mapping[type[Published], Apply] = {
    contracts.MembershipApplied: apply_memberships,
    contracts.MembershipApproved: apply_memberships,
    contracts.MembershipActivated: apply_memberships,
    contracts.MembershipCategoryChanged: apply_memberships,
    contracts.MembershipResigned: apply_memberships,
    contracts.OrganizationRegistered: apply_organizations,
    contracts.OrganizationReclassified: apply_organizations,
    contracts.ClusterFounded: apply_clusters,
    contracts.ClusterJoinedNetwork: apply_clusters,
    contracts.ClusterLeftNetwork: apply_clusters,
}
"""What each fact does to one generation; a rebuild reads them from the feed."""

FOLDS = {
    "membership_fact": fold_memberships,
    "organization_fact": fold_organizations,
    "cluster_fact": fold_clusters,
}
"""What rows of each table of facts do to a generation."""

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
