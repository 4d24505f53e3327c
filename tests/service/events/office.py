"""A network of two clusters and their members in the copy of events, and gatherings made over HTTP, for tests."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import uuid_utils.compat as uuid_utils

from shared.postgres.pool import Database

NOW = datetime(2027, 3, 10, 15, 0, tzinfo=UTC)
ZONE = "America/Mexico_City"


@dataclass(frozen=True, slots=True)
class Town:
    """Two clusters and one organisation of each kind; `both` belongs to the two of them."""

    network: UUID
    host: UUID
    other: UUID
    slug: str
    own: UUID
    neighbour: UUID
    both: UUID
    affiliate: UUID
    lapsed: UUID
    stranger: UUID


async def town(database: Database) -> Town:
    """A new one; nothing of another test stands in it."""
    network, host, other, own, neighbour, both, affiliate, lapsed, stranger = (uuid_utils.uuid7() for _ in range(9))
    slug = f"bajio-{host.hex[-10:]}"
    made = Town(network, host, other, slug, own, neighbour, both, affiliate, lapsed, stranger)
    async with database.connection() as connection:
        for id_, name, called in ((made.host, slug, "Bajío"), (made.other, f"costa-{made.other.hex[-10:]}", "Costa")):
            await connection.execute(
                "WITH known AS (INSERT INTO cluster_network VALUES ($1, $5))"
                " INSERT INTO cluster (cluster_id, slug, name, zone, language) VALUES ($1, $2, $3, $4, 'es')",
                id_, name, called, ZONE, made.network,
            )  # fmt: skip
        for id_, name in (
            (made.own, "Moldes Propios"), (made.neighbour, "Arneses Vecinos"), (made.both, "Doble"),
            (made.affiliate, "Logística Afín"), (made.lapsed, "Ex Socia"), (made.stranger, "Ajena"),
        ):  # fmt: skip
            await connection.execute(
                "INSERT INTO organization (organization_id, slug, legal_name, trade_name, type, country)"
                " VALUES ($1, $2, $3, $3, 'company', 'MX')", id_, f"o-{id_.hex[-12:]}", name,
            )  # fmt: skip
        for of, in_, category, standing, until in (
            (made.own, made.host, "associate", "active", None),
            (made.neighbour, made.other, "associate", "active", None),
            (made.both, made.host, "affiliate", "active", None),
            (made.both, made.other, "associate", "grace", None),
            (made.affiliate, made.host, "affiliate", "active", None),
            (made.lapsed, made.host, "associate", "lapsed", date(2027, 1, 1)),
        ):
            await connection.execute(
                "INSERT INTO standing (membership_id, organization_id, cluster_id, category, standing, since, until)"
                " VALUES ($1, $2, $3, $4, $5, '2022-01-01', $6)",
                uuid_utils.uuid7(), of, in_, category, standing, until,
            )  # fmt: skip
    return made


THREE = [
    {"group": "own", "amount": "500.00"},
    {"group": "network", "amount": "850.00"},
    {"group": "public", "amount": "1400.00"},
]


def writing(**more: Any) -> dict[str, Any]:
    """The body of a gathering in May 2027; `more` goes before what stands here."""
    return {
        "kind": "supplier_fair", "title": "Encuentro de proveeduría", "mode": "in_place", "place": "Sala B",
        "starts": "2027-05-14T09:00:00-06:00", "ends": "2027-05-14T17:00:00-06:00", "zone": ZONE, **more,
    }  # fmt: skip


async def published(client: httpx.AsyncClient, *, effective: str | None = None, **more: Any) -> dict[str, Any]:
    """A gathering that was drafted and published."""
    made = await client.post("/events/gatherings", json=writing(**more))
    assert made.status_code == 201, made.text
    done = await client.post(f"/events/gatherings/{made.json()['id']}/publish", json={"effective": effective})
    assert done.status_code == 200, done.text
    found: dict[str, Any] = done.json()
    return found


def people(*names: str) -> list[dict[str, Any]]:
    """Colleagues as a request names them."""
    return [{"name": name.title(), "mail": f"{name}@empresa.example"} for name in names]


async def register(client: httpx.AsyncClient, id_: str, *names: str, **more: Any) -> list[dict[str, Any]]:
    """Registers them over HTTP."""
    answer = await client.post(f"/events/gatherings/{id_}/registrations", json={"people": people(*names), **more})
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **more: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**more)
