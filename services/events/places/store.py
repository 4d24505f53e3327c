"""The tables of places: the seating of a gathering under its lock, registrations, attendance. Take a connection.

Whoever changes anything of a gathering's places locks its seating first: that is the order in which people come.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.events.places.domain import Method, Registration, Seating
from shared.contracts.events import RegistrationState
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

SEATING = """
SELECT gathering_id, capacity, taken, waiting, next_number, is_open, waiting_list, accept_hours, closes, zone, join_url,
       called_off
FROM seating WHERE gathering_id = $1
"""
LOCK_SEATING = SEATING + " FOR UPDATE"
SEAT = """
INSERT INTO seating (gathering_id, capacity, is_open, waiting_list, accept_hours, closes, zone, join_url, called_off)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (gathering_id) DO UPDATE SET capacity = excluded.capacity, is_open = excluded.is_open,
    waiting_list = excluded.waiting_list, accept_hours = excluded.accept_hours, closes = excluded.closes,
    zone = excluded.zone, join_url = excluded.join_url, called_off = excluded.called_off
"""
MOVE_SEATING = "UPDATE seating SET next_number = $2, is_open = $3 WHERE gathering_id = $1"
COLUMNS = """
SELECT r.id, r.gathering_id, r.number, r.organization_id, r.status, r.name, r.mail, r.language, r.person_id,
       r.price_group, r.amount, r.currency, r.waited, r.offer_until, r.check_in_code, r.registered_at, r.registered_by,
       r.erased, r.version, r.revision
FROM registration r
"""
BY_ID = COLUMNS + "WHERE r.id = $1"
BY_CODE = COLUMNS + "WHERE r.check_in_code = $1 AND NOT r.erased"
BY_MAIL = COLUMNS + """
WHERE r.gathering_id = $1 AND r.mail_key = $2 AND r.status IN ('waiting', 'offered', 'confirmed')
"""  # fmt: skip
WAITING = COLUMNS + "WHERE r.gathering_id = $1 AND r.status = 'waiting' ORDER BY r.number LIMIT $2"
OVERDUE = COLUMNS + """
WHERE r.gathering_id = $1 AND r.status = 'offered' AND r.offer_until <= $2 ORDER BY r.number
"""  # fmt: skip
OFFERS_ENDED = """
SELECT DISTINCT r.gathering_id FROM registration r JOIN seating s USING (gathering_id)
WHERE r.status = 'offered' AND r.offer_until <= $1 AND NOT s.called_off ORDER BY r.gathering_id LIMIT $2
"""
SEATED = COLUMNS + """
WHERE r.gathering_id = $1 AND r.status = 'confirmed' AND NOT r.erased ORDER BY r.number
"""  # fmt: skip
OF_PERSON = COLUMNS + """
WHERE NOT r.erased AND (r.person_id::text = ANY ($1::text[]) OR r.mail_key = ANY ($2::text[])) ORDER BY r.id
"""  # fmt: skip
KNOWN_MAILS = """
SELECT mail_key FROM registration
WHERE gathering_id = $1 AND mail_key = ANY ($2::text[]) AND status IN ('waiting', 'offered', 'confirmed')
"""
INSERT = """
INSERT INTO registration (id, gathering_id, number, organization_id, status, name, mail, mail_key, language, person_id,
                          price_group, amount, currency, waited, check_in_code, registered_at, registered_by, version,
                          revision)
SELECT id, $2, number, organization_id, status, name, mail, lower(mail), language, person_id, price_group, amount,
       currency, waited, check_in_code, registered_at, registered_by, 1, 1
FROM unnest($1::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[],
            $10::text[], $11::numeric[], $12::text[], $13::boolean[], $14::text[], $15::timestamptz[], $16::text[])
     AS r (id, number, organization_id, status, name, mail, language, person_id, price_group, amount, currency, waited,
           check_in_code, registered_at, registered_by)
"""
UPDATE = """
UPDATE registration SET status = r.status, offer_until = r.offer_until, version = r.version, revision = r.revision
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[])
     AS r (id, status, offer_until, version, revision)
WHERE registration.id = r.id
"""
RENEW = "UPDATE registration SET revision = revision + 1 WHERE id = ANY ($1::uuid[])"
ERASE = """
UPDATE registration SET name = NULL, mail = NULL, mail_key = NULL, person_id = NULL, erased = true,
       revision = revision + 1
WHERE id = ANY ($1::uuid[])
"""
ATTENDANCE = "SELECT at FROM attendance WHERE registration_id = $1"
ATTEND = """
INSERT INTO attendance (registration_id, at, method, recorded_by, recorded_at) VALUES ($1, $2, $3, $4, $5)
"""
UNATTEND = "DELETE FROM attendance WHERE registration_id = $1 RETURNING true"
STATES = """
SELECT r.id, r.gathering_id, r.number, r.organization_id, r.status, r.name, r.mail, r.language, r.person_id,
       r.price_group, r.amount, r.currency, r.waited, r.offer_until, r.check_in_code, r.registered_at, r.registered_by,
       r.erased, r.version, r.revision, s.join_url
FROM registration r JOIN seating s USING (gathering_id)
"""
STATES_PAGE = STATES + "WHERE NOT r.erased AND ($1::uuid IS NULL OR r.id > $1) ORDER BY r.id LIMIT $2"
STATES_LOCK = STATES + "WHERE NOT r.erased AND r.id = ANY ($1::uuid[]) ORDER BY r.id FOR UPDATE OF r"


async def seating(connection: Connection, gathering_id: UUID) -> Seating | None:
    """The places of a gathering, as they are now."""
    row = await connection.fetchrow(SEATING, gathering_id)
    return Seating(**dict(row)) if row else None


async def lock(connection: Connection, gathering_id: UUID) -> Seating | None:
    """The places of a gathering, locked: whoever else wants one waits here."""
    row = await connection.fetchrow(LOCK_SEATING, gathering_id)
    return Seating(**dict(row)) if row else None


async def seat(connection: Connection, made: Seating) -> None:
    """Saves what the organiser decides on; the counts are the trigger's."""
    await connection.execute(
        SEAT, made.gathering_id, made.capacity, made.is_open, made.waiting_list, made.accept_hours, made.closes,
        made.zone, made.join_url, made.called_off,
    )  # fmt: skip


async def move(connection: Connection, made: Seating) -> None:
    """Saves the next number, and whether free places are still offered."""
    await connection.execute(MOVE_SEATING, made.gathering_id, made.next_number, made.is_open)


async def load(connection: Connection, id_: UUID) -> Registration | None:
    """One registration."""
    return _one(await connection.fetchrow(BY_ID, id_))


async def by_code(connection: Connection, code: str) -> Registration | None:
    """Whose ticket this is."""
    return _one(await connection.fetchrow(BY_CODE, code))


async def by_mail(connection: Connection, gathering_id: UUID, mail: str) -> Registration | None:
    """Whoever is registered, or waits, under this address."""
    return _one(await connection.fetchrow(BY_MAIL, gathering_id, mail.lower()))


async def first_waiting(connection: Connection, gathering_id: UUID, count: int) -> list[Registration]:
    """Those who wait longest."""
    return _all(await connection.fetch(WAITING, gathering_id, count))


async def overdue(connection: Connection, gathering_id: UUID, now: datetime) -> list[Registration]:
    """Whose offer has ended."""
    return _all(await connection.fetch(OVERDUE, gathering_id, now))


async def with_ended_offers(connection: Connection, now: datetime, limit: int) -> list[UUID]:
    """Gatherings in which an offer has ended."""
    return [row["gathering_id"] for row in await connection.fetch(OFFERS_ENDED, now, limit)]


async def seated(connection: Connection, gathering_id: UUID) -> list[Registration]:
    """Who has a place."""
    return _all(await connection.fetch(SEATED, gathering_id))


async def of_person(connection: Connection, ids: Sequence[str], mails: Sequence[str]) -> list[Registration]:
    """What there is of somebody, by their ids and addresses."""
    return _all(await connection.fetch(OF_PERSON, ids, mails))


async def known_mails(connection: Connection, gathering_id: UUID, mails: Sequence[str]) -> set[str]:
    """Addresses, in small letters, under which somebody is registered or waits."""
    return {row["mail_key"] for row in await connection.fetch(KNOWN_MAILS, gathering_id, mails)}


async def insert(connection: Connection, gathering_id: UUID, made: Sequence[Registration]) -> None:
    """Saves new registrations of a locked seating."""
    await connection.execute(
        INSERT, [r.id for r in made], gathering_id, [r.number for r in made], [r.organization_id for r in made],
        [r.status for r in made], [r.name for r in made], [r.mail for r in made], [r.language for r in made],
        [r.person_id for r in made], [r.price_group for r in made], [r.amount for r in made],
        [r.currency for r in made], [r.waited for r in made], [r.check_in_code for r in made],
        [r.registered_at for r in made], [r.registered_by for r in made],
    )  # fmt: skip


async def update(connection: Connection, changed: Sequence[Registration]) -> None:
    """Saves a step of registrations of a locked seating."""
    await connection.execute(
        UPDATE, [r.id for r in changed], [r.status for r in changed], [r.offer_until for r in changed],
        [r.version for r in changed], [r.revision for r in changed],
    )  # fmt: skip


async def renew(connection: Connection, ids: Sequence[UUID]) -> None:
    """Their states are to be told anew, though nothing of theirs changed."""
    await connection.execute(RENEW, ids)


async def erase(connection: Connection, ids: Sequence[UUID]) -> None:
    """Nothing says any more who they were."""
    await connection.execute(ERASE, ids)


async def attended_at(connection: Connection, id_: UUID) -> datetime | None:
    """When they were seen, None when nobody saw them."""
    found: datetime | None = await connection.fetchval(ATTENDANCE, id_)
    return found


async def attend(connection: Connection, id_: UUID, at: datetime, method: Method, by: str, now: datetime) -> None:
    """Saves that they were there."""
    await connection.execute(ATTEND, id_, at, method, by, now)


async def unattend(connection: Connection, id_: UUID) -> bool:
    """Takes it back; False when there was nothing."""
    return bool(await connection.fetchval(UNATTEND, id_))


async def states(connection: Connection, after: UUID | None, limit: int) -> list[Record]:
    """States behind an id, for the snapshot; who was erased has none."""
    return [_state(row) for row in await connection.fetch(STATES_PAGE, after, limit)]


async def locked_states(connection: Connection, ids: Sequence[UUID]) -> list[Record]:
    """The named states that exist, their rows locked."""
    return [_state(row) for row in await connection.fetch(STATES_LOCK, ids)]


def state_record(one: Registration, join_url: str | None) -> Record:
    """The record of a registration that was not erased."""
    assert one.name is not None
    assert one.mail is not None
    state = RegistrationState(
        registration_id=one.id, gathering_id=one.gathering_id, organization_id=one.organization_id, status=one.status,
        name=one.name, email=one.mail, language=one.language, person_id=one.person_id, price=one.price,
        offer_until=one.offer_until, join_url=join_url if one.status == "confirmed" else None,
        check_in_code=one.check_in_code if one.status in ("waiting", "offered", "confirmed") else None,
    )  # fmt: skip
    return Record(str(one.id), one.revision, state)


def _state(row: Row) -> Record:
    values = dict(row)
    join_url = values.pop("join_url")
    return state_record(Registration(**values), join_url)


def _one(row: Row | None) -> Registration | None:
    return Registration(**dict(row)) if row else None


def _all(rows: Sequence[Row]) -> list[Registration]:
    return [Registration(**dict(row)) for row in rows]
