"""A network of one membership, a mail server that answers as a test says, and the way of records and mails."""

import email
import email.policy
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.notifications.consumers import CONSUMERS
from services.notifications.messages.jobs import send_due
from shared.contracts.membership import ClusterState, MembershipActivated, OrganizationState, PersonState
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.postgres.pool import Database, Unit
from shared.runtime.service import Service
from tests.service.bus.records import item

NOW = datetime(2026, 3, 12, 17, 0, tzinfo=UTC)
_NUMBERS = itertools.count()

SenderFor = Callable[..., AbstractAsyncContextManager[Service]]
"""`sender(**settings)`: a running service whose own loops are off."""


class Clock:
    """A present that tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Scene:
    """One membership with its names and a representative, all with ids of their own."""

    def __init__(self, mail: str | None = None) -> None:
        self.cluster, self.organization, self.person, self.membership = (uuid_utils.uuid7() for _ in range(4))
        self.mail = mail or f"ana{next(_NUMBERS)}@firma.example"

    def cluster_state(self) -> Received:
        data = ClusterState(
            cluster_id=self.cluster, network_id=self.cluster, slug="c", name="Costa y Agave", country="MX", state="JAL",
            zone="America/Mexico_City", language="es", in_network_since=None, in_network_until=None,
        )  # fmt: skip
        return item(data, self.cluster, 1)

    def organization_state(self) -> Received:
        data = OrganizationState(
            organization_id=self.organization, slug="t", legal_name="Tres Puentes SA", trade_name="Tres Puentes",
            type="company", country="MX", state=None, city=None, positions=[],
        )  # fmt: skip
        return item(data, self.organization, 1)

    def person_state(self, version: int = 1, person: UUID | None = None, mail: str | None = None) -> Received:
        key = person or self.person
        data = PersonState(
            person_id=key, organization_id=self.organization, name="Ana Sol Ruiz", mail=mail or self.mail, language="es"
        )
        return item(data, key, version)

    def activation(self) -> Received:
        data = MembershipActivated(
            membership_id=self.membership, organization_id=self.organization, cluster_id=self.cluster,
            category="associate", origin="application",
        )  # fmt: skip
        return item(data, self.membership, 1)

    def all(self) -> list[Received]:
        return [self.cluster_state(), self.organization_state(), self.person_state(), self.activation()]


async def take(
    database: Database, items: Sequence[Received], now: datetime = NOW, consumer: str = "notifications.messages"
) -> None:
    """Applies records as the loop of a consumer does."""
    [one] = [found for found in CONSUMERS if found.name == consumer]

    @asynccontextmanager
    async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
        async with database.unit(actor="test", cause="test", now=now) as opened:
            yield opened

    await Applier(one).settle(unit, items)


class Sink:
    """An SMTP server that answers as a test says: by recipient, a list of replies to RCPT or to DATA."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.rcpt: dict[str, list[str]] = {}
        self.data: dict[str, list[str]] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if replies := self.rcpt.get(address):
            return replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        [address] = envelope.rcpt_tos
        if replies := self.data.get(address):
            return replies.pop(0)
        self.mails.append((address, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for to, mail in self.mails if to == address]


async def send_all(service: Service) -> None:
    while await send_due(service):
        pass


async def state_of(service: Service, scene: Scene) -> list[tuple[str, int]]:
    rows = await service.database.pool.fetch(
        "SELECT state, attempts FROM message WHERE person_id = $1 ORDER BY created_at", scene.person
    )
    return [(row["state"], row["attempts"]) for row in rows]
