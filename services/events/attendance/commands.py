"""Use cases of attendance: by code or by hand, one or many that were scanned without a network.

A second scan is the same attendance; a scan that comes late keeps its own time.
"""

from collections.abc import Sequence
from uuid import UUID

from services.events.attendance.domain import Scan, Seen, plain
from services.events.places import commands as places
from services.events.places import store
from services.events.places.domain import NoSuchRegistration, Registration
from shared.postgres.pool import Connection, Unit


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
