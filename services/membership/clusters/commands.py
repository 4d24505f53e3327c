"""Use cases of clusters: found one, let it join or leave the network. Never opens, commits or reads a clock."""

from datetime import date
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.clusters import domain, store
from services.membership.clusters.domain import Cluster, Language, NoSuchCluster, SlugTaken
from services.membership.decisions import Decided, still_at
from services.membership.recording import Logged, log_changes, records
from shared.messaging.outbox import record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in

DEFAULT_NETWORK = "red"


async def found_cluster(
    unit: Unit,
    *,
    name: str,
    slug: str,
    country: str,
    state: str,
    zone: str,
    language: Language = "es",
    since: date | None = None,
    network: str = DEFAULT_NETWORK,
) -> Cluster:
    """A new cluster, in the network from `since` on (default: today in its zone). The network is made on first use.

    Raises `SlugTaken`, `UnknownState`, `UnknownZone`.
    """
    effective = since or day_in(domain.checked_zone(zone), unit.now)
    network_id = await store.network(unit.connection, network, name=network, new_id=uuid_utils.uuid7())
    cluster, facts = domain.found(
        uuid_utils.uuid7(), network_id, slug=slug, name=name, country=country, state=state, zone=zone,
        language=language, since=effective,
    )  # fmt: skip
    if not await store.insert(unit.connection, cluster):
        raise SlugTaken("slug: another cluster is called {slug!r}", slug=slug, field="slug")
    await record(unit, records(cluster.id, cluster.version, facts, cluster.published()))
    return cluster


async def join_network(
    unit: Unit, cluster_id: UUID, *, effective: date | None = None, note: str | None = None, expected: int | None = None
) -> Cluster:
    """The cluster is in the network again. Raises `NoSuchCluster`, `ClusterAlreadyInNetwork`, `ChangedMeanwhile`."""
    cluster = await _locked(unit, cluster_id, expected)
    return await _save(unit, domain.join_network(cluster, effective or day_in(cluster.zone, unit.now)), note)


async def leave_network(
    unit: Unit, cluster_id: UUID, *, effective: date | None = None, note: str | None = None, expected: int | None = None
) -> Cluster:
    """The cluster leaves the network. Raises `NoSuchCluster`, `ClusterNotInNetwork`, `ChangedMeanwhile`."""
    cluster = await _locked(unit, cluster_id, expected)
    return await _save(unit, domain.leave_network(cluster, effective or day_in(cluster.zone, unit.now)), note)


async def _locked(unit: Unit, cluster_id: UUID, expected: int | None) -> Cluster:
    found = await store.lock(unit.connection, [cluster_id])
    if not found:
        raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
    still_at(found[0].version, expected)
    return found[0]


async def _save(unit: Unit, decision: tuple[Cluster, list[Decided]], note: str | None) -> Cluster:
    cluster, facts = decision
    await store.update(unit.connection, cluster)
    await log_changes(unit, [Logged("cluster", cluster.id, cluster.version, note)])
    await record(unit, records(cluster.id, cluster.version, facts, cluster.published()))
    return cluster
