"""The rules of clusters: founded in a place, in the network for dated periods that never overlap.

Pure: no I/O, no clock, no driver. Each function takes the present state and gives the next one with its
facts, or raises a named refusal.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from services.membership.decisions import Decided
from services.membership.places import state_code
from shared.contracts.membership import ClusterFounded, ClusterJoinedNetwork, ClusterLeftNetwork, ClusterState, Zone
from shared.refusal import Conflict, NotFound, Refusal

Language = Literal["es", "en"]
_ZONE: TypeAdapter[str] = TypeAdapter(Zone)


class NoSuchCluster(NotFound):
    """No cluster has this slug or id."""


class SlugTaken(Conflict):
    """Another cluster has this slug."""


class UnknownZone(Refusal):
    """The time zone does not exist."""


class ClusterAlreadyInNetwork(Conflict):
    """The cluster is in the network, or will be, on that day."""


class ClusterNotInNetwork(Conflict):
    """The cluster is not in the network on that day."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A time in the network: `until` is the first day without it, None while it lasts."""

    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster of the network. `state` is ISO 3166-2 without the country, `stays` are in order."""

    id: UUID
    network_id: UUID
    slug: str
    name: str
    country: str
    state: str
    zone: str
    language: Language
    stays: tuple[Stay, ...]
    version: int

    def published(self) -> ClusterState:
        """The record for the state topic."""
        last = self.stays[-1] if self.stays else None
        return ClusterState(
            cluster_id=self.id,
            network_id=self.network_id,
            slug=self.slug,
            name=self.name,
            country=self.country,
            state=self.state,
            zone=self.zone,
            language=self.language,
            in_network_since=last.since if last else None,
            in_network_until=last.until if last else None,
        )


Decision = tuple[Cluster, list[Decided]]


def checked_zone(zone: str) -> str:
    """An IANA zone as it is. Raises `UnknownZone`."""
    try:
        ZoneInfo(_ZONE.validate_python(zone))
    except (ZoneInfoNotFoundError, ValidationError, ValueError, OSError):
        raise UnknownZone(
            "zone: {zone!r} is not an IANA time zone such as America/Mexico_City", zone=zone, field="zone"
        ) from None
    return zone


def found(
    id_: UUID, network_id: UUID, *, slug: str, name: str, country: str, state: str, zone: str, language: Language,
    since: date,
) -> Decision:  # fmt: skip
    """A cluster that is in the network from `since` on. `state` may be a name. Raises `UnknownState`, `UnknownZone`."""
    code = state_code(country, state)
    checked_zone(zone)
    founded = ClusterFounded(cluster_id=id_, network_id=network_id, country=country, state=code, zone=zone)
    alone = Cluster(id_, network_id, slug, name, country, code, zone, language, (), 1)
    cluster, joined = join_network(alone, since)
    return cluster, [Decided(founded, since), *joined]


def join_network(cluster: Cluster, effective: date) -> Decision:
    """From `effective` on it is in the network. Raises `ClusterAlreadyInNetwork`."""
    last = cluster.stays[-1] if cluster.stays else None
    if last is not None and (last.until is None or last.until > effective):
        named = {"name": cluster.name, "since": last.since, "effective": effective}
        if last.until is None:
            raise ClusterAlreadyInNetwork("{name} is in the network since {since}, so it cannot join on {effective}",
                                          **named, field="effective")  # fmt: skip
        raise ClusterAlreadyInNetwork(
            "{name} is in the network since {since} until {until}, so it cannot join on {effective}",
            **named, until=last.until, field="effective",
        )  # fmt: skip
    fact = ClusterJoinedNetwork(cluster_id=cluster.id, network_id=cluster.network_id)
    stays = (*cluster.stays, Stay(effective))
    return replace(cluster, stays=stays, version=cluster.version + 1), [Decided(fact, effective)]


def leave_network(cluster: Cluster, effective: date) -> Decision:
    """Its last day in the network is the day before `effective`. Raises `ClusterNotInNetwork`."""
    last = cluster.stays[-1] if cluster.stays else None
    if last is None or last.until is not None:
        raise ClusterNotInNetwork("{name} is not in the network", name=cluster.name, field="effective")
    if effective <= last.since:
        raise ClusterNotInNetwork(
            "{name} is in the network since {since}; it cannot leave on {effective}",
            name=cluster.name,
            since=last.since,
            effective=effective,
            field="effective",
        )
    fact = ClusterLeftNetwork(cluster_id=cluster.id, network_id=cluster.network_id)
    stays = (*cluster.stays[:-1], Stay(last.since, effective))
    return replace(cluster, stays=stays, version=cluster.version + 1), [Decided(fact, effective)]
