"""Use cases of contacts: write to a company, erase what was written. Never opens, commits or reads a clock."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.contacts import domain, store, views
from services.membership.contacts.domain import Contact, NoAddressOfYourOwn, NobodyToWriteTo
from services.membership.organizations import store as organizations
from services.membership.organizations.commands import ZONE
from services.membership.organizations.domain import NoSuchOrganization
from shared.contracts.membership import ContactRequested, ContactState
from shared.messaging.outbox import Erased, Record, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in


async def write_to(unit: Unit, organization_id: UUID, account_id: UUID, message: str) -> Contact:
    """Somebody writes to a company; its representatives get it by mail and answer to the writer.

    Raises `TooShort`, `NoSuchOrganization`, `NobodyToWriteTo`, `NoAddressOfYourOwn`.
    """
    text = domain.checked(message)
    on = day_in(ZONE, unit.now)
    organization_id = await organizations.successor(unit.connection, organization_id)
    if not await organizations.existing(unit.connection, [organization_id]):
        raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
    found = await views.cluster_of(unit.connection, organization_id)
    if found is None or not found[1]:
        raise NobodyToWriteTo("there is nobody there who could be written to; ask its cluster", field="organization_id")
    sender = await views.sender(unit.connection, account_id, on)
    if sender is None or sender.mail is None:
        raise NoAddressOfYourOwn("only a person with an account writes: the answer goes to its address")
    contact = Contact(
        uuid_utils.uuid7(), organization_id, found[0], account_id, sender.name, sender.organization, sender.mail, text,
        unit.now,
    )  # fmt: skip
    await store.insert(unit.connection, contact)
    fact = ContactRequested(contact_id=contact.id, organization_id=organization_id, cluster_id=found[0])
    await record(unit, [Record(str(contact.id), 1, fact, on), store.state_record(contact)])
    return contact


async def forget_old(unit: Unit, before: datetime, limit: int) -> int:
    """Erases what was written before an instant. Returns how many."""
    return await _erase(unit, await store.old(unit.connection, before, limit))


async def erase_of(unit: Unit, accounts: Sequence[UUID], values: Sequence[str]) -> int:
    """Erases what somebody wrote, and what names them. Returns how many."""
    return await _erase(unit, await store.of_person(unit.connection, accounts, values))


async def _erase(unit: Unit, found: Sequence[Contact]) -> int:
    if found:
        await store.delete(unit.connection, [one.id for one in found])
        await record(unit, [Erased(str(one.id), one.version + 1, ContactState) for one in found])
    return len(found)
