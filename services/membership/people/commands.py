"""Use cases of representatives: for now, to erase one. Never opens, commits or reads a clock."""

from uuid import UUID

from services.membership.people import store
from services.membership.people.domain import NoSuchPerson
from shared.contracts.membership import PersonState
from shared.messaging.outbox import Erased, record
from shared.postgres.pool import Unit


async def erase_person(unit: Unit, person_id: UUID) -> None:
    """Removes a person here and, by a record without a value, everywhere else. Raises `NoSuchPerson`."""
    found = await store.lock(unit.connection, [person_id])
    if not found:
        raise NoSuchPerson("there is no person {id}", id=person_id, field="person_id")
    await store.delete(unit.connection, [person_id])
    await record(unit, [Erased(str(person_id), found[0].version + 1, PersonState)])
