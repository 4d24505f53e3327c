"""To whom an announcement goes, counted and by example, and what became of it. Nobody is named."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.postgres.pool import Connection

_REACHED = """
SELECT DISTINCT ON (address_key(p.mail)) p.person_id, o.id AS organization_id, p.language, address_key(p.mail) AS key,
       sha256(convert_to(lower(btrim(p.mail)), 'UTF8')) AS hash
FROM (SELECT DISTINCT present_organization(given) AS id FROM unnest($1::uuid[]) AS g (given)) o
JOIN person_organization r ON r.organization_id = o.id
JOIN person p ON p.person_id = r.person_id
ORDER BY address_key(p.mail), p.organization_id = o.id DESC, p.person_id, o.id
"""
"""One message for each address, however many organisations and entries it has."""
REACHED = f"SELECT person_id, organization_id FROM ({_REACHED}) AS a"
AUDIENCE = f"""
WITH reached AS ({_REACHED})
SELECT (SELECT count(*) FROM reached) AS people,
       (SELECT count(*) FROM reached WHERE language = 'en') AS english,
       (SELECT count(DISTINCT present_organization(given)) FROM unnest($1::uuid[]) AS g (given)) AS organizations,
       (SELECT count(DISTINCT present_organization(given)) FROM unnest($1::uuid[]) AS g (given)
        WHERE NOT EXISTS (SELECT FROM person_organization r WHERE r.organization_id = present_organization(given)))
           AS without,
       (SELECT count(*) FROM reached JOIN preference f ON f.address = reached.key
        WHERE f.topic = 'announcements' AND NOT f.mail) AS muted,
       (SELECT count(*) FROM reached JOIN suppressed_address s ON s.hash = reached.hash) AS refusing
"""
SAMPLE = """
SELECT o.trade_name AS organization, count(r.person_id) AS people
FROM (SELECT DISTINCT present_organization(given) AS id FROM unnest($1::uuid[]) AS g (given)) g
JOIN organization o ON o.organization_id = g.id
LEFT JOIN person_organization r ON r.organization_id = g.id
GROUP BY o.organization_id, o.trade_name ORDER BY md5(o.organization_id::text) LIMIT $2
"""
TALLY = """
SELECT m.notice_id, m.state, count(*) AS count, count(a.message_id) AS answered,
       count(a.message_id) FILTER (WHERE a.how = 'acknowledged') AS acknowledged
FROM message m LEFT JOIN answer a ON a.message_id = m.id
WHERE m.notice_id = ANY ($1::uuid[]) GROUP BY m.notice_id, m.state
"""
RECEIPTS = """
SELECT m.id, coalesce(o.trade_name, '') AS organization, m.state, m.settled_at, a.how, a.at AS answered_at, m.attempts
FROM message m
LEFT JOIN organization o ON o.organization_id = present_organization(m.organization_id)
LEFT JOIN answer a ON a.message_id = m.id
WHERE m.notice_id = $1 AND ($2::text IS NULL OR m.state = $2) AND ($3::uuid IS NULL OR m.id > $3)
ORDER BY m.id LIMIT $4
"""
BY_KEY = """
SELECT n.announcement_id, m.id AS message_id, coalesce(p.language, 'es') AS language
FROM message m JOIN notice n ON n.id = m.notice_id LEFT JOIN person p ON p.person_id = m.person_id
WHERE m.leave_key = $1 AND n.announcement_id IS NOT NULL AND m.state <> 'erased'
"""


class Audience(NamedTuple):
    """Whom a list of organisations reaches: addresses, those who read English, organisations and those without one.

    `muted` turned such mails off, `refusing` are addresses that refused for good.
    """

    people: int
    english: int
    organizations: int
    without: int
    muted: int
    refusing: int


class Tally(NamedTuple):
    """What became of the messages, by state; how many readers answered, and how many of them took note."""

    states: dict[str, int]
    answered: int
    acknowledged: int

    @property
    def people(self) -> int:
        """How many messages there are."""
        return sum(self.states.values())

    @property
    def settled(self) -> int:
        """How many are not to be sent any more, or were."""
        return self.people - self.states.get("due", 0)


class Receipt(NamedTuple):
    """What became of one message, for which organisation."""

    id: UUID
    organization: str
    state: str
    settled_at: datetime | None
    how: str | None
    answered_at: datetime | None
    attempts: int


class Sampled(NamedTuple):
    """An organisation of the audience, and how many speak for it."""

    organization: str
    people: int


class Keyed(NamedTuple):
    """Whose key it is."""

    announcement_id: UUID
    message_id: UUID
    language: str


async def reached(connection: Connection, organizations: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(person, organisation) for each address that these organisations reach."""
    return [(row["person_id"], row["organization_id"]) for row in await connection.fetch(REACHED, organizations)]


async def audience(connection: Connection, organizations: Sequence[UUID]) -> Audience:
    """Whom these organisations reach."""
    row = await connection.fetchrow(AUDIENCE, organizations)
    assert row is not None
    return Audience(*row)


async def sample(connection: Connection, organizations: Sequence[UUID], count: int = 8) -> list[Sampled]:
    """Some of them, always the same."""
    return [Sampled(*row) for row in await connection.fetch(SAMPLE, organizations, count)]


async def tallies(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Tally]:
    """What became of the messages of each announcement."""
    found = {id_: Tally({}, 0, 0) for id_ in ids}
    for row in await connection.fetch(TALLY, ids):
        before = found[row["notice_id"]]
        found[row["notice_id"]] = Tally({**before.states, row["state"]: row["count"]},
                                        before.answered + row["answered"],
                                        before.acknowledged + row["acknowledged"])  # fmt: skip
    return found


async def receipts(
    connection: Connection, id_: UUID, state: str | None, after: UUID | None, limit: int
) -> list[Receipt]:
    """What became of each message, behind one."""
    return [Receipt(*row) for row in await connection.fetch(RECEIPTS, id_, state, after, limit)]


async def by_key(connection: Connection, key: UUID) -> Keyed | None:
    """The announcement and message of a mail's key."""
    row = await connection.fetchrow(BY_KEY, key)
    return Keyed(*row) if row else None
