"""A network that tests fill: facts as the bus brings them, a feed in memory, and the same read naively in Python."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson
import uuid_utils.compat as uuid_utils

from shared.contracts import events as happenings
from shared.contracts import membership as contracts
from shared.contracts import notifications as messages
from shared.contracts.base import Published, contract_of
from shared.messaging.cloudevents import Received, structured
from shared.messaging.events import Event
from shared.messaging.feed import as_event, as_received

NETWORK = UUID(int=1)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def received(key: UUID, version: int, data: Published, effective: date | None, recorded: datetime) -> Received:
    """A fact or state as a record of the feed or the bus."""
    contract = contract_of(type(data))
    attributes = {
        "id": str(uuid_utils.uuid7()), "type": contract.type, "source": f"/{contract.service}",
        "subject": f"{contract.aggregate}/{key}", "time": recorded.isoformat(), "dataschema": contract.dataschema,
        "partitionkey": str(key), "version": str(version), "effective": effective.isoformat() if effective else None,
        "actor": "test", "cause": "test",
    }  # fmt: skip
    return as_received(structured(attributes, orjson.loads(data.model_dump_json())))


def events(items: Iterable[Received]) -> list[Event]:
    """The same as handlers get them."""
    found = [as_event(item) for item in items]
    assert None not in found
    return [event for event in found if event is not None]


@dataclass
class World:
    """What was recorded, in order. Each method records one fact and gives its aggregate's id."""

    items: list[Received] = field(default_factory=list)
    states: list[Received] = field(default_factory=list)
    _versions: dict[UUID, int] = field(default_factory=dict)
    _of: dict[UUID, tuple[UUID, UUID]] = field(default_factory=dict)
    _profiles: dict[UUID, int] = field(default_factory=dict)
    happened: list[Received] = field(default_factory=list)
    mailed: list[Received] = field(default_factory=list)
    """What the service events recorded, in order."""

    def say(self, key: UUID, data: Published, effective: date | None, recorded: datetime) -> Received:
        """Records any fact."""
        self._versions[key] = self._versions.get(key, 0) + 1
        self.items.append(received(key, self._versions[key], data, effective, recorded))
        return self.items[-1]

    def cluster(self, name: str, *, joined: date | None = None, recorded: datetime = START) -> UUID:
        """A cluster, in the network since a day."""
        key = uuid_utils.uuid7()
        day = joined or date(2019, 1, 1)
        self.say(
            key,
            contracts.ClusterFounded(
                cluster_id=key, network_id=NETWORK, country="MX", state="JAL", zone="America/Mexico_City"
            ),
            day,
            recorded,
        )
        if joined:
            self.say(key, contracts.ClusterJoinedNetwork(cluster_id=key, network_id=NETWORK), joined, recorded)
        state = contracts.ClusterState(
            cluster_id=key, network_id=NETWORK, slug=name.lower().replace(" ", "-"), name=name, country="MX",
            state="JAL", zone="America/Mexico_City", language="es", in_network_since=joined, in_network_until=None,
        )  # fmt: skip
        self.states.append(received(key, self._versions[key], state, None, recorded))
        return key

    def organization(
        self, *positions: tuple[str, date, date | None], key: UUID | None = None, type_: str = "company",
        state: str | None = "JAL", effective: date | None = date(2026, 1, 1), recorded: datetime = START,
    ) -> UUID:  # fmt: skip
        """An organisation registered, or reclassified when `key` is given."""
        model: Any = contracts.OrganizationRegistered if key is None else contracts.OrganizationReclassified
        key = key or uuid_utils.uuid7()
        dated = [contracts.DatedPosition(position=p, since=s, until=u) for p, s, u in positions]  # type: ignore[arg-type]
        data = model(organization_id=key, type=type_, country="MX", state=state, positions=dated)
        self.say(key, data, effective, recorded)
        return key

    def member(
        self, organization: UUID, cluster: UUID, since: date, *, category: str = "associate", recorded: datetime = START
    ) -> UUID:
        """A membership in force since a day."""
        key = uuid_utils.uuid7()
        self._of[key] = (organization, cluster)
        self.activate(key, since, category=category, recorded=recorded)
        return key

    def activate(self, key: UUID, day: date, *, category: str = "associate", recorded: datetime = START) -> None:
        """In force from a day on."""
        organization, cluster = self._of[key]
        self.say(key, contracts.MembershipActivated(
            membership_id=key, organization_id=organization, cluster_id=cluster, category=category,  # type: ignore[arg-type]
            origin="import", announce=False), day, recorded)  # fmt: skip

    def recategorise(self, key: UUID, day: date, category: str, *, recorded: datetime = START) -> None:
        """Another category from a day on."""
        organization, cluster = self._of[key]
        self.say(key, contracts.MembershipCategoryChanged(
            membership_id=key, organization_id=organization, cluster_id=cluster, category=category,  # type: ignore[arg-type]
            previous="associate"), day, recorded)  # fmt: skip

    def resign(self, key: UUID, day: date, *, recorded: datetime = START) -> None:
        """Not in force from a day on."""
        organization, cluster = self._of[key]
        self.say(
            key,
            contracts.MembershipResigned(
                membership_id=key, organization_id=organization, cluster_id=cluster, category="associate"
            ),
            day,
            recorded,
        )

    def application(self, organization: UUID, cluster: UUID, applied: date, decided: date | None = None,
                    *, approved: bool = True) -> UUID:  # fmt: skip
        """An application, and what was decided about it."""
        key = uuid_utils.uuid7()
        ids: dict[str, Any] = {"membership_id": key, "organization_id": organization, "cluster_id": cluster,
                               "category": "associate"}  # fmt: skip
        self.say(key, contracts.MembershipApplied(**ids), applied, START)
        if decided is not None:
            model: Any = contracts.MembershipApproved if approved else contracts.MembershipRefused
            self.say(key, model(**ids), decided, START)
        return key

    def describe(self, organization: UUID, day: date, *sectors: str) -> None:
        """What a company supplies."""
        self._profile(organization, contracts.CapabilitiesDescribed(
            organization_id=organization, size=None, parent_id=None, processes=[], sectors=list(sectors), products=[],
            activities=[]), day)  # fmt: skip

    def certificate(self, organization: UUID, since: date, until: date, standard: str = "iso_9001") -> UUID:
        """A certificate."""
        key = uuid_utils.uuid7()
        self._profile(organization, contracts.CertificateRecorded(
            organization_id=organization, certificate_id=key, standard=standard, since=since, until=until),
            since)  # fmt: skip
        return key

    def _profile(self, organization: UUID, data: Published, day: date) -> None:
        at = self._profiles[organization] = self._profiles.get(organization, 0) + 1
        self.items.append(received(organization, at, data, day, START))

    def gathering(self, cluster: UUID | None, day: date, *, kind: str = "workshop", held: bool = True) -> UUID:
        """An event, by default one that was held."""
        key = uuid_utils.uuid7()
        starts = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
        self._event(key, happenings.GatheringPublished(
            gathering_id=key, network_id=NETWORK, cluster_id=cluster, kind=kind, mode="in_place", starts=starts,  # type: ignore[arg-type]
            ends=starts.replace(hour=18), zone="America/Mexico_City", capacity=None, country="MX", state="JAL"),
            min(day, date(2026, 1, 1)))  # fmt: skip
        if held:
            self._event(key, happenings.GatheringHeld(gathering_id=key), day)
        return key

    def comes(
        self, gathering: UUID, organization: UUID | None, day: date, *, attended: bool = True, group: str = "own"
    ) -> UUID:
        """Somebody with a place, who came on the day or did not."""
        key = uuid_utils.uuid7()
        ids: dict[str, Any] = {"registration_id": key, "gathering_id": gathering, "organization_id": organization}
        price = happenings.Price(group=group, amount="0.00", currency="MXN")  # type: ignore[arg-type]
        self._event(key, happenings.RegistrationConfirmed(**ids, price=price, waited=False), min(day, date(2026, 1, 2)))
        if attended:
            at = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
            self._event(key, happenings.AttendanceRecorded(**ids, at=at, method="qr"), day)
        return key

    def cancels(self, registration: UUID, gathering: UUID, organization: UUID | None, day: date) -> None:
        """Who had a place gives it up."""
        self._event(registration, happenings.RegistrationCancelled(
            registration_id=registration, gathering_id=gathering, organization_id=organization, by="registrant"),
            day)  # fmt: skip

    def _event(self, key: UUID, data: Published, day: date) -> None:
        self._versions[key] = self._versions.get(key, 0) + 1
        self.happened.append(received(key, self._versions[key], data, day, START))

    def message(self, organization: UUID | None, cluster: UUID | None, day: date, *facts: str) -> None:
        """A mail of that day: "sent", "answered", "refused", in this order."""
        key = uuid_utils.uuid7()
        ids: dict[str, Any] = {"message_id": key, "subject": "announcement", "organization_id": organization,
                               "cluster_id": cluster}  # fmt: skip
        made: dict[str, Published] = {
            "sent": messages.MessageSent(**ids, attempts=1),
            "refused": messages.MessageNotSent(**ids, reason="refused"),
            "answered": messages.MessageAnswered(**ids, how="read"),
        }  # fmt: skip
        for version, fact in enumerate(facts, start=1):
            self.mailed.append(received(key, version, made[fact], day, START))

    def feed(self) -> "MemoryFeed":
        """Membership's feed of everything recorded so far and from now on."""
        return MemoryFeed(self)

    def feed_of_events(self) -> "MemoryFeed":
        """The feed of the service events."""
        return MemoryFeed(World(self.happened))

    def feed_of_notifications(self) -> "MemoryFeed":
        """The feed of the service notifications."""
        return MemoryFeed(World(self.mailed))


@dataclass
class MemoryFeed:
    """Membership's feed without HTTP. `hidden` facts are published and not in the history yet."""

    world: World
    hidden: set[UUID] = field(default_factory=set)
    reads: int = 0

    async def barrier(self) -> int:
        """The last sequence."""
        self.reads += 1
        return len(self._shown())

    async def facts(
        self, after: int = 0, *, until: int | None = None, limit: int = 2000
    ) -> AsyncIterator[list[tuple[int, Received]]]:
        """Pages by sequence."""
        shown = list(enumerate(self._shown(), start=1))[after:until]
        for start in range(0, len(shown), limit):
            yield shown[start : start + limit]

    async def states(self, aggregate: str, *, limit: int = 2000) -> AsyncIterator[Sequence[Received]]:
        """Current rows of the clusters."""
        if aggregate == "cluster" and self.world.states:
            yield self.world.states

    def _shown(self) -> list[Received]:
        return [item for item in self.world.items if item.id not in self.hidden]
