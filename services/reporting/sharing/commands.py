"""Use cases of links: make one, take it back, open it. The key is told once, when it is made."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.reporting.catalogue.domain import indicator_named, period_of
from services.reporting.sharing import domain, store
from services.reporting.sharing.domain import Link, NoSuchLink
from shared.postgres.pool import Unit


async def share(
    unit: Unit, *, label: str, indicator: str, dimension: str, until: date, today: date, as_of: date | None = None,
    since: date | None = None,
) -> tuple[Link, str]:  # fmt: skip
    """A new link and its key. Raises `UnknownIndicator`, `UnknownDimension`, `EndNotAhead`, `NotAPeriod`."""
    chosen = indicator_named(indicator)
    period_of(chosen, as_of or today, since)
    by = domain.checked(chosen, dimension, until, today)
    key = domain.new_key()
    made = Link(uuid_utils.uuid7(), label, chosen.code, by, as_of, since, unit.actor, unit.now, until, None, 0)
    await store.insert(unit.connection, made, domain.hashed(key))
    return made, key


async def revoke(unit: Unit, id_: UUID, *, everybody: bool) -> Link:
    """It opens nothing any more; twice is once. Only one's own, unless `everybody`. Raises `NoSuchLink`."""
    one = await store.lock(unit.connection, id_)
    if one is None or (not everybody and one.made_by != unit.actor):
        raise NoSuchLink("there is no link {id}", id=id_, field="link_id")
    if one.revoked_at is not None:
        return one
    await store.revoke(unit.connection, id_, unit.now)
    return replace(one, revoked_at=unit.now)


async def opened(unit: Unit, key: str, today: date) -> Link:
    """The link of a key, which counts that it was opened. Raises `NoSuchLink`, `LinkEnded`."""
    one = await store.by_key(unit.connection, domain.hashed(key[:100]))
    if one is None:
        raise NoSuchLink("this link belongs to nothing; ask for a new one", field="key")
    one.require_open(today)
    await store.count_opening(unit.connection, one.id)
    return one
