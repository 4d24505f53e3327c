"""The tables of representatives: load, lock, save, erase. Functions take a connection."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from services.membership.people.domain import Consent, Person, Representation, mail_key
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection, Row

COLUMNS = """
SELECT p.id, p.organization_id, p.name, p.mail, p.language, p.version, r.organizations, r.roles, r.mains, r.phones,
       r.starts, r.ends
FROM person p LEFT JOIN LATERAL (
    SELECT array_agg(x.organization_id ORDER BY x.period, x.organization_id) AS organizations,
           array_agg(x.role ORDER BY x.period, x.organization_id) AS roles,
           array_agg(x.main ORDER BY x.period, x.organization_id) AS mains,
           array_agg(x.phone ORDER BY x.period, x.organization_id) AS phones,
           array_agg(lower(x.period) ORDER BY x.period, x.organization_id) AS starts,
           array_agg(upper(x.period) ORDER BY x.period, x.organization_id) AS ends
    FROM person_organization x WHERE x.person_id = p.id
) r ON true
"""
BY_IDS = COLUMNS + "WHERE p.id = ANY ($1::uuid[]) ORDER BY p.id"
PAGE = COLUMNS + "WHERE $1::uuid IS NULL OR p.id > $1 ORDER BY p.id LIMIT $2"
LOCK = "SELECT id FROM person WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"
BY_MAIL = "SELECT id FROM person WHERE mail_key = ANY ($1::text[])"
OF_ORGANIZATIONS = """
SELECT DISTINCT person_id FROM person_organization WHERE organization_id = ANY ($1::uuid[]) AND upper_inf(period)
"""
INSERTED = ("id", "organization_id", "name", "mail", "mail_key", "language", "version")
REPRESENTED = ("person_id", "organization_id", "role", "main", "phone", "period")
UPDATE = """
UPDATE person p SET organization_id = r.organization_id, name = r.name, mail = r.mail, mail_key = r.mail_key,
       language = r.language, version = r.version
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
    AS r (id, organization_id, name, mail, mail_key, language, version)
WHERE p.id = r.id
"""
DELETE_REPRESENTED = "DELETE FROM person_organization WHERE person_id = ANY ($1::uuid[])"
INSERT_REPRESENTED = """
INSERT INTO person_organization (person_id, organization_id, role, main, phone, period)
SELECT person_id, organization_id, role, main, phone, daterange(since, until)
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[], $5::text[], $6::date[], $7::date[])
    AS r (person_id, organization_id, role, main, phone, since, until)
"""
DELETE = "DELETE FROM person WHERE id = ANY ($1::uuid[])"
CONSENTS = "SELECT id, purpose, given, at, note, actor FROM consent WHERE person_id = $1 ORDER BY id"
ADD_CONSENT = """
INSERT INTO consent (id, person_id, purpose, given, at, note, actor) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
FORGET_ORGANIZATION = "DELETE FROM person_organization WHERE organization_id = $1"
EVER_OF = "SELECT DISTINCT person_id FROM person_organization WHERE organization_id = $1"
FORGET_CHANGES = "UPDATE change_log SET note = NULL, fields = NULL WHERE aggregate = 'person' AND id = $1"
CAP = "SELECT most FROM representative_cap WHERE cluster_id = $1 AND period @> $2::date"
END_CAPS = """
UPDATE representative_cap SET period = daterange(lower(period), $2)
WHERE cluster_id = $1 AND upper_inf(period) AND lower(period) < $2
"""
DROP_CAPS = "DELETE FROM representative_cap WHERE cluster_id = $1 AND lower(period) >= $2"
ADD_CAP = "INSERT INTO representative_cap (cluster_id, period, most) VALUES ($1, daterange($2, NULL), $3)"


async def load(connection: Connection, ids: Sequence[UUID]) -> list[Person]:
    """The named people that exist, by id."""
    return [_person(row) for row in await connection.fetch(BY_IDS, ids)]


async def lock(connection: Connection, ids: Sequence[UUID]) -> list[Person]:
    """The named people that exist, locked. Two statements: for whom they speak is read after the lock is held."""
    await connection.execute(LOCK, ids)
    return await load(connection, ids)


async def lock_of(connection: Connection, organization_ids: Sequence[UUID]) -> list[Person]:
    """Who speaks for these organisations now, locked."""
    return await lock(
        connection, [row["person_id"] for row in await connection.fetch(OF_ORGANIZATIONS, organization_ids)]
    )


async def of(connection: Connection, organization_id: UUID) -> list[Person]:
    """Who speaks for an organisation now, by id."""
    rows = await connection.fetch(OF_ORGANIZATIONS, [organization_id])
    return await load(connection, [row["person_id"] for row in rows])


async def lock_by_mail(connection: Connection, mails: Iterable[str]) -> dict[str, Person]:
    """Who is known by these addresses, locked, by what addresses compare by."""
    ids = [row["id"] for row in await connection.fetch(BY_MAIL, [mail_key(mail) for mail in mails])]
    return {mail_key(person.mail): person for person in (await lock(connection, ids) if ids else ())}


async def page(connection: Connection, after: UUID | None, limit: int) -> list[Person]:
    """At most `limit` people behind an id, by id."""
    return [_person(row) for row in await connection.fetch(PAGE, after, limit)]


async def insert(connection: Connection, new: Sequence[Person]) -> None:
    """Saves new people. A mail that is known already raises `asyncpg.UniqueViolationError`."""
    rows = [(p.id, p.organization_id, p.name, p.mail, mail_key(p.mail), p.language, p.version) for p in new]
    await connection.copy_records_to_table("person", records=rows, columns=INSERTED)
    await _represent(connection, new)


async def update(connection: Connection, changed: Sequence[Person]) -> None:
    """Saves locked people. Another's mail raises `asyncpg.UniqueViolationError`."""
    await connection.execute(
        UPDATE,
        [p.id for p in changed],
        [p.organization_id for p in changed],
        [p.name for p in changed],
        [p.mail for p in changed],
        [mail_key(p.mail) for p in changed],
        [p.language for p in changed],
        [p.version for p in changed],
    )
    await connection.execute(DELETE_REPRESENTED, [p.id for p in changed])
    await _represent(connection, changed)


async def _represent(connection: Connection, people: Sequence[Person]) -> None:
    rows = [(p.id, one) for p in people for one in p.represents]
    await connection.execute(
        INSERT_REPRESENTED,
        [id_ for id_, _ in rows],
        [one.organization_id for _, one in rows],
        [one.role for _, one in rows],
        [one.main for _, one in rows],
        [one.phone for _, one in rows],
        [one.since for _, one in rows],
        [one.until for _, one in rows],
    )


async def delete(connection: Connection, ids: Sequence[UUID]) -> None:
    """Removes people with all that hangs on them, for good."""
    await connection.execute(DELETE, ids)


async def forget_organization(connection: Connection, organization_id: UUID) -> None:
    """Nobody speaks for an organisation that never was."""
    await connection.execute(FORGET_ORGANIZATION, organization_id)


async def ever_of(connection: Connection, organization_id: UUID) -> list[Person]:
    """Who speaks or ever spoke for an organisation, locked."""
    return await lock(connection, [row["person_id"] for row in await connection.fetch(EVER_OF, organization_id)])


async def forget_changes(connection: Connection, id_: UUID) -> None:
    """Of an erased person the log keeps that and when something was changed, not what."""
    await connection.execute(FORGET_CHANGES, id_)


async def consents(connection: Connection, id_: UUID) -> list[Consent]:
    """What somebody agreed to and withdrew, the oldest first."""
    return [Consent(*row) for row in await connection.fetch(CONSENTS, id_)]


async def add_consent(connection: Connection, person_id: UUID, line: Consent) -> None:
    """Adds one line to the history of consent."""
    await connection.execute(ADD_CONSENT, line.id, person_id, line.purpose, line.given, line.at, line.note, line.actor)


async def cap(connection: Connection, cluster_id: UUID, on: date) -> int | None:
    """What a cluster decided of how many may speak for a member; None when it has not."""
    found: int | None = await connection.fetchval(CAP, cluster_id, on)
    return found


async def set_cap(connection: Connection, cluster_id: UUID, since: date, most: int) -> None:
    """From a day on a cluster allows so many; what it had decided for later days is gone."""
    await connection.execute(DROP_CAPS, cluster_id, since)
    await connection.execute(END_CAPS, cluster_id, since)
    await connection.execute(ADD_CAP, cluster_id, since, most)


def _person(row: Row) -> Person:
    represents = zip(
        row["organizations"] or (), row["roles"] or (), row["mains"] or (), row["phones"] or (), row["starts"] or (),
        row["ends"] or (), strict=True,
    )  # fmt: skip
    return Person(
        row["id"], row["organization_id"], row["name"], row["mail"], row["language"], row["version"],
        tuple(Representation(*one) for one in represents),
    )  # fmt: skip


def state_record(person: Person) -> Record:
    """The row as its state topic carries it."""
    return Record(str(person.id), person.version, person.published())
