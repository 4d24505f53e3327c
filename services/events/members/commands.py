"""Keeps the copy of who is a member as the state topics of membership say.

The bus lets only newer versions through; here the row of a key is written, or erased.
"""

from collections.abc import Callable, Sequence
from typing import Any

from services.events.members import store
from shared.messaging.events import Event
from shared.postgres.copies import erase, save
from shared.postgres.pool import Unit


async def keep_organizations(unit: Unit, events: Sequence[Event]) -> None:
    """Organisations: names, type and place."""
    await _keep(
        unit, events, store.SAVE_ORGANIZATIONS, store.ERASE_ORGANIZATIONS,
        lambda o: (o.organization_id, o.slug, o.legal_name, o.trade_name, o.type, o.country, o.state, o.city),
    )  # fmt: skip


async def keep_clusters(unit: Unit, events: Sequence[Event]) -> None:
    """Clusters: name, zone and language, and the network to which each belongs."""
    await _keep(
        unit, events, store.SAVE_CLUSTERS, store.ERASE_CLUSTERS,
        lambda c: (c.cluster_id, c.slug, c.name, c.zone, c.language),
    )  # fmt: skip
    await _keep(unit, events, store.SAVE_NETWORKS, store.ERASE_NETWORKS, lambda c: (c.cluster_id, c.network_id))


async def keep_standings(unit: Unit, events: Sequence[Event]) -> None:
    """Standings: whether an organisation is in force in a cluster, as what, since and until when."""
    await _keep(
        unit, events, store.SAVE_STANDINGS, store.ERASE_STANDINGS,
        lambda s: (s.membership_id, s.organization_id, s.cluster_id, s.category, s.standing, s.since, s.until),
    )  # fmt: skip


async def keep_branches(unit: Unit, events: Sequence[Event]) -> None:
    """Which organisation is a branch of which; one that is none any more, or is erased, stands here no more."""
    of = {event.key_id: None if event.data is None else event.data.parent_id for event in events}
    await save(unit.connection, store.SAVE_BRANCHES, [pair for pair in of.items() if pair[1] is not None])
    await erase(unit.connection, store.ERASE_BRANCHES, [branch for branch, parent in of.items() if parent is None])


async def keep_merged(unit: Unit, events: Sequence[Event]) -> None:
    """Organisations that go on as another one: whoever asks by the old id is answered."""
    rows = [(event.data.organization_id, event.data.into_id) for event in events]
    await save(unit.connection, store.KEEP_MERGED, rows)


async def _keep(
    unit: Unit, events: Sequence[Event], saving: str, erasing: str, row: Callable[[Any], tuple[Any, ...]]
) -> None:
    await save(unit.connection, saving, [row(event.data) for event in events if event.data is not None])
    await erase(unit.connection, erasing, [event.key_id for event in events if event.data is None])
