"""Use cases of attendance: by code or by hand, one or many that were scanned without a network.

A second scan is the same attendance; a scan that comes late keeps its own time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import Method, NoSuchRegistration, Registration
from shared.postgres.pool import Connection, Unit


@dataclass(frozen=True, slots=True)
class Scan:
    """One sight of somebody: by the code of their ticket or by their registration; `at` None: now."""

    code: str | None = None
    registration_id: UUID | None = None
    at: datetime | None = None
    method: Method = "qr"


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a scan: who, when they were first seen, whether this scan brought it."""

    registration: Registration
    at: datetime
    is_new: bool


async def check_in(unit: Unit, gathering_id: UUID, scans: Sequence[Scan]) -> list[Seen]:
    """All of them or none. Raises `NoSuchRegistration`, `CalledOff`, `NotRegisteredAnyMore`, `NoPlaceYet`, …"""
    done = []
    for number, scan in enumerate(scans):
        one = await found(unit.connection, scan)
        if one is None or one.gathering_id != gathering_id:
            raise NoSuchRegistration("nobody of this event has this code ({number}. of the list)", number=number + 1,
                                     field="scans")  # fmt: skip
        registration, at, is_new = await places.attend(unit, one.id, scan.at or unit.now, scan.method)
        done.append(Seen(registration, at, is_new))
    return done


async def found(connection: Connection, scan: Scan) -> Registration | None:
    """Whoever was seen."""
    if scan.registration_id is not None:
        return await store.load(connection, scan.registration_id)
    return await store.by_code(connection, plain(scan.code or ""))


def plain(code: str) -> str:
    """A code as it was typed: small letters, O for 0, without hyphens; "8k2mq4tz71xd9rwe" -> "8K2M-Q4TZ-71XD-9RWE"."""
    text = "".join(char for char in code.upper() if char.isalnum())[:16]
    text = text.translate(str.maketrans("OILU", "011V"))
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
