"""What states do to the names by which counted organisations and gatherings are listed; one that is erased has none."""

from collections.abc import Mapping, Sequence

from services.reporting.names import store
from services.reporting.names.store import Kind
from shared.contracts.base import Published
from shared.contracts.events import GatheringState
from shared.contracts.membership import OrganizationState
from shared.messaging.events import Event, Handler
from shared.postgres.pool import Unit


async def take_organizations(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of the organisations' states."""
    await _take(unit, events, "organization", "trade_name")


async def take_gatherings(unit: Unit, events: Sequence[Event]) -> None:
    """Handler of the gatherings' states."""
    await _take(unit, events, "gathering", "title")


async def _take(unit: Unit, events: Sequence[Event], kind: Kind, title: str) -> None:
    kept = {event.key_id: event for event in events}
    await store.put(unit.connection, kind, [
        (key, event.data.slug, getattr(event.data, title), event.version)
        for key, event in sorted(kept.items()) if event.data is not None
    ])  # fmt: skip
    await store.drop(unit.connection, [key for key, event in kept.items() if event.data is None])


TAKEN: Mapping[type[Published], Handler] = {OrganizationState: take_organizations, GatheringState: take_gatherings}
