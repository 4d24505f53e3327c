"""Use cases of preferences: choose where one hears of what; leave a topic by the link of a mail, or come back."""

from collections.abc import Sequence
from uuid import UUID

from services.notifications.preferences import store
from services.notifications.preferences.domain import Choice, NoAddress, NoSuchLink, Topic, topic_of
from services.notifications.preferences.store import Linked
from shared.http.identity import Viewer, mail_hash_of
from shared.postgres.pool import Connection, Unit


async def choose(unit: Unit, address: str, choices: Sequence[Choice]) -> None:
    """Keeps what somebody chose; topics that are not among them stay as they are."""
    await store.choose(unit.connection, address, choices, unit.now)


async def link(connection: Connection, key: UUID) -> tuple[Linked, Topic]:
    """Whose link it is and what it leaves. Raises `NoSuchLink`."""
    found = await store.by_link(connection, key)
    topic = topic_of(found.subject) if found else None
    if found is None or found.address is None or topic is None:
        raise NoSuchLink("this link belongs to nobody: nothing is kept any more of whom it was sent to", field="key")
    return found, topic


async def leave(unit: Unit, key: UUID, *, mail: bool) -> tuple[Linked, Topic]:
    """No more mails of that topic (or again); however often it is asked for. Raises `NoSuchLink`."""
    found, topic = await link(unit.connection, key)
    assert found.address is not None
    await store.leave(unit.connection, found.address, topic, unit.now, mail=mail)
    return found, topic


async def address_of(connection: Connection, viewer: Viewer) -> str:
    """The hash of the caller's address. Raises `NoAddress`."""
    found = await mail_hash_of(connection, viewer)
    if found is None:
        raise NoAddress("no mail address is known of you: notices go to addresses", field="mail")
    return found
