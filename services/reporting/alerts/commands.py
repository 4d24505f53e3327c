"""Use cases of alerts: watch a figure, look at what was raised, stop watching; and the look at all figures."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.reporting.alerts import domain, store
from services.reporting.alerts.domain import Alert, NoSuchAlert, Side
from services.reporting.catalogue.domain import CATALOGUE, indicator_named, period_of
from services.reporting.catalogue.views import Asked, figure_of
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in


async def watch(
    unit: Unit, *, label: str, indicator: str, cluster_id: UUID | None, side: Side, threshold: Decimal, zone: str
) -> Alert:
    """A new alert, whose figure is looked at once. Raises `UnknownIndicator`."""
    made = Alert(uuid_utils.uuid7(), label, indicator_named(indicator).code, cluster_id, side, threshold, unit.actor,
                 unit.now)  # fmt: skip
    await store.insert(unit.connection, made)
    return await _look(unit, made, day_in(zone, unit.now))


async def judge(unit: Unit, zone: str) -> int:
    """Looks at the figures of all alerts as of today. Returns how many were raised or cleared.

    To be called by whoever publishes figures, who is one at a time.
    """
    today = day_in(zone, unit.now)
    before = await store.lock_all(unit.connection)
    return sum([(await _look(unit, one, today)).version != one.version for one in before])


async def see(unit: Unit, id_: UUID) -> Alert:
    """Somebody has looked at it: it waits for nobody any more. Raises `NoSuchAlert`."""
    one = await found(unit, id_)
    if one.raised_at is None or one.seen_at is not None:
        return one
    after = replace(one, seen_at=unit.now)
    await store.save(unit.connection, [after])
    return after


async def unwatch(unit: Unit, id_: UUID) -> None:
    """Nobody watches for it any more. Raises `NoSuchAlert`."""
    one = await found(unit, id_)
    await store.remove(unit.connection, one.id, unit.now)


async def found(unit: Unit, id_: UUID) -> Alert:
    """An alert, locked. Raises `NoSuchAlert`."""
    one = await store.lock(unit.connection, id_)
    if one is None:
        raise NoSuchAlert("there is no alert {id}", id=id_, field="alert_id")
    return one


async def _look(unit: Unit, one: Alert, today: date) -> Alert:
    indicator = CATALOGUE.get(one.indicator)
    if indicator is None:
        return one
    asked = Asked(today, None, one.cluster_id, period_of(indicator, today, None))
    value = (await figure_of(unit.connection, indicator, asked, ())).value
    after, fact = domain.judged(one, None if value is None else Decimal(str(value)), today, unit.now)
    if after != one:
        await store.save(unit.connection, [after])
    if fact is not None:
        await record(unit, [Record(str(one.id), after.version, fact, today)])
    return after
