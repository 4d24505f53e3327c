"""Keeps the copies of who can be written to. A change may let waiting notices find their recipients."""

from collections.abc import Sequence
from uuid import UUID

from services.notifications.messages import commands as messages
from services.notifications.recipients import store
from shared.contracts.membership import PersonState
from shared.messaging.events import Event
from shared.postgres.copies import erase, save
from shared.postgres.pool import Unit


def _erased(events: Sequence[Event]) -> list[UUID]:
    return [event.key_id for event in events if event.data is None]


async def keep_people(unit: Unit, events: Sequence[Event]) -> None:
    """Representatives. An erased one leaves nothing behind: what was due for them is given up."""
    await messages.take_turn(unit)
    people = [event.data for event in events if event.data is not None]
    rows = [(p.person_id, p.organization_id, p.name, p.mail, p.language) for p in people]
    speaks = [(p.person_id, id_) for p in people for id_ in _represented(p)]
    await save(unit.connection, store.SAVE_PEOPLE, rows)
    await erase(unit.connection, store.FORGET_REPRESENTED, [event.key_id for event in events])
    await save(unit.connection, store.SAVE_REPRESENTED, speaks)
    await erase(unit.connection, store.FORGET_CHOICES, _erased(events))
    await erase(unit.connection, store.ERASE_PEOPLE, _erased(events))
    await messages.give_up_for(unit, _erased(events))
    await messages.address(unit, organizations={id_ for _, id_ in speaks})


def _represented(person: PersonState) -> list[UUID]:
    """For whom somebody speaks; a record that is older than the list names one."""
    if person.represents is None:
        return [person.organization_id]
    return [one.organization_id for one in person.represents]


async def keep_organizations(unit: Unit, events: Sequence[Event]) -> None:
    """Organisations' names."""
    await messages.take_turn(unit)
    rows = [(e.data.organization_id, e.data.trade_name) for e in events if e.data is not None]
    await save(unit.connection, store.SAVE_ORGANIZATIONS, rows)
    await erase(unit.connection, store.ERASE_ORGANIZATIONS, _erased(events))
    await messages.address(unit, organizations={row[0] for row in rows})


async def keep_contacts(unit: Unit, events: Sequence[Event]) -> None:
    """What was written to companies; an erased text is not sent any more."""
    await messages.take_turn(unit)
    data = [event.data for event in events if event.data is not None]
    rows = [(c.contact_id, c.organization_id, c.sender_name, c.sender_organization, c.reply_to, c.message)
            for c in data]  # fmt: skip
    await save(unit.connection, store.SAVE_CONTACTS, rows)
    await erase(unit.connection, store.ERASE_CONTACTS, _erased(events))
    await messages.address(unit, contacts={row[0] for row in rows})


async def keep_merged(unit: Unit, events: Sequence[Event]) -> None:
    """Organisations that go on as another one: what was noticed about them is about that one."""
    await messages.take_turn(unit)
    rows = [(event.data.organization_id, event.data.into_id) for event in events]
    await save(unit.connection, store.KEEP_MERGED, rows)
    await unit.connection.execute(store.READDRESS, [old for old, _ in rows])
    await messages.address(unit, organizations={into for _, into in rows})


async def keep_clusters(unit: Unit, events: Sequence[Event]) -> None:
    """Clusters' names, language and zone."""
    await messages.take_turn(unit)
    data = [event.data for event in events if event.data is not None]
    rows = [(c.cluster_id, c.name, c.slug, c.language, c.zone) for c in data]
    await save(unit.connection, store.SAVE_CLUSTERS, rows)
    await erase(unit.connection, store.ERASE_CLUSTERS, _erased(events))
    await messages.address(unit, clusters={row[0] for row in rows})
