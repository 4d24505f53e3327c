"""Use cases of places: open them, register, offer, accept, cancel, let offers lapse, note who was there, erase.

Each locks the seating of the gathering first, so that one comes after the other; what a place becomes free by is
settled in the same transaction. Never opens, commits or reads a clock.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.events.places import domain, store
from services.events.places.domain import (
    AlreadyRegistered,
    Entrant,
    Method,
    NoSuchRegistration,
    Registration,
    Seating,
    Step,
)
from services.events.recording import Logged, log_changes
from shared.contracts.events import RegistrationState
from shared.messaging.outbox import Erased, Record, record
from shared.postgres.pool import Unit

By = Literal["registrant", "organizer"]
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: nothing that is read for something else."""


def new_code() -> str:
    """A code of 80 random bits, as it stands below a QR: "8K2M-Q4TZ-71XD-9RWE"."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


async def seat(unit: Unit, wanted: Seating) -> None:
    """What the organiser decides on: how many places, until when. Raises `FewerPlacesThanTaken`."""
    before = await store.lock(unit.connection, wanted.gathering_id)
    if before is not None:
        domain.resized(before, wanted.capacity)
    await store.seat(unit.connection, wanted)
    after = await store.lock(unit.connection, wanted.gathering_id)
    assert after is not None
    await _settle(unit, after)
    if before is not None and before.join_url != wanted.join_url:
        told = await store.seated(unit.connection, wanted.gathering_id)
        await store.renew(unit.connection, [one.id for one in told])
        await record(unit, await store.locked_states(unit.connection, [one.id for one in told]))


async def locked(unit: Unit, gathering_id: UUID) -> Seating | None:
    """The places of a gathering, locked, with ended offers passed on; None when there never were any."""
    found = await store.lock(unit.connection, gathering_id)
    return None if found is None else await _pass_on(unit, found)


async def enter(unit: Unit, seating: Seating, who: Sequence[Entrant]) -> list[Registration]:
    """All of them or none: some confirmed, the rest waiting in order. Raises `NoPlaceLeft`, `AlreadyRegistered`.

    `seating` is locked by the caller, who has judged whether registration is open.
    """
    keys = [one.mail.lower() for one in who]
    known = await store.known_mails(unit.connection, seating.gathering_id, keys)
    for number, key in enumerate(keys):
        if key in known or key in keys[:number]:
            raise AlreadyRegistered("{mail} is registered already", mail=who[number].mail, field="people")
    step = domain.entered(seating, who)
    made = [one for one, _ in step.changed]
    await store.insert(unit.connection, seating.gathering_id, made)
    await store.move(unit.connection, step.seating)
    await _record(unit, step)
    return made


async def accept(unit: Unit, registration_id: UUID) -> Registration:
    """An offered place is taken. Raises `NoSuchRegistration`, `NothingOffered`, `OfferEnded`."""
    seating, one = await _found(unit, registration_id)
    return await _take(unit, domain.accepted(seating, one, unit.now))


async def cancel(unit: Unit, registration_id: UUID, by: By, reason: str | None = None) -> Registration:
    """They do not come; the first who waits is offered the place.

    Raises `NoSuchRegistration`, `CalledOff`, `NotRegisteredAnyMore`.
    """
    seating, one = await _found(unit, registration_id)
    step = domain.cancelled(seating, one, by, unit.now)
    after = await _take(unit, step)
    moved = {"status": (one.status, "cancelled")}
    await log_changes(unit, [Logged("registration", one.id, after.revision, reason, moved)])
    await _settle(unit, step.seating)
    return after


async def lapse(unit: Unit, gathering_id: UUID) -> int:
    """Offers that ended pass on to the next. Returns how many ended."""
    found = await store.lock(unit.connection, gathering_id)
    if found is None:
        return 0
    count = len(await store.overdue(unit.connection, gathering_id, unit.now))
    await _pass_on(unit, found)
    return count


async def attend(
    unit: Unit, registration_id: UUID, at: datetime, method: Method
) -> tuple[Registration, datetime, bool]:
    """They were there: the registration, when they were seen, whether that is new.

    A second scan changes nothing; one that comes late keeps its own time. Who was offered a place takes it by coming.
    Raises `NoSuchRegistration`, `NotRegisteredAnyMore`, `NoPlaceYet`, `MomentAhead`.
    """
    seating, one = await _found(unit, registration_id)
    if (before := await store.attended_at(unit.connection, one.id)) is not None:
        return one, before, False
    if one.status == "offered":
        one = await _take(unit, domain.accepted(seating, one, unit.now))
    after = await _take(unit, domain.attended(seating, one, at, method, unit.now))
    await store.attend(unit.connection, one.id, at, method, unit.actor, unit.now)
    return after, at, True


async def unattend(unit: Unit, registration_id: UUID, reason: str | None = None) -> Registration:
    """It was a mistake: they were not there. Nothing happens when nobody had noted it."""
    seating, one = await _found(unit, registration_id)
    if not await store.unattend(unit.connection, one.id):
        return one
    after = await _take(unit, domain.unattended(seating, one, unit.now))
    await log_changes(unit, [Logged("registration", one.id, after.revision, reason, {"attended": (True, False)})])
    return after


async def erase_of(unit: Unit, ids: Sequence[str], mails: Sequence[str]) -> int:
    """Registrations of a person say no more who it was; they still count. Whoever has a copy is told by a record."""
    found = await store.of_person(unit.connection, ids, sorted({mail.lower() for mail in mails}))
    await store.erase(unit.connection, [one.id for one in found])
    await record(unit, [Erased(str(one.id), one.revision + 1, RegistrationState) for one in found])
    return len(found)


async def _found(unit: Unit, registration_id: UUID) -> tuple[Seating, Registration]:
    """A registration as it is once its seating is locked and ended offers have passed on."""
    one = await store.load(unit.connection, registration_id)
    if one is None or one.erased:
        raise NoSuchRegistration("there is no registration {id}", id=registration_id, field="registration_id")
    seating = await locked(unit, one.gathering_id)
    assert seating is not None
    seating.require_on()
    after = await store.load(unit.connection, registration_id)
    assert after is not None
    return seating, after


async def _pass_on(unit: Unit, seating: Seating) -> Seating:
    """Offers that ended lapse, and what is free is offered to the next; nothing moves once it is called off."""
    if seating.called_off:
        return seating
    for one in await store.overdue(unit.connection, seating.gathering_id, unit.now):
        step = domain.lapsed(seating, one, unit.now)
        await _take(unit, step)
        seating = step.seating
    return await _settle(unit, seating)


async def _settle(unit: Unit, seating: Seating) -> Seating:
    """What is free is offered to the first who wait."""
    count = domain.to_offer(seating, unit.now)
    first = await store.first_waiting(unit.connection, seating.gathering_id, count) if count else []
    step = domain.filled(seating, first, unit.now)
    if step.changed:
        await store.update(unit.connection, [one for one, _ in step.changed])
        await _record(unit, step)
    if step.seating.is_open != seating.is_open:
        await store.move(unit.connection, step.seating)
    return step.seating


async def _take(unit: Unit, step: Step) -> Registration:
    """Saves and records the one registration of a step."""
    [(after, _)] = step.changed
    await store.update(unit.connection, [after])
    await _record(unit, step)
    return after


async def _record(unit: Unit, step: Step) -> None:
    made: list[Record] = []
    for one, decided in step.changed:
        made.append(Record(str(one.id), one.version, decided.fact, decided.effective))
        if not one.erased:
            made.append(store.state_record(one, step.seating.join_url))
    await record(unit, made)
