"""Figures as time goes on: a loop publishes soon what may have moved, a job marks all of them when a day begins."""

from pydantic import JsonValue

from services.reporting.alerts import commands as alerts
from services.reporting.indicators import commands, store
from shared.postgres.pool import Unit
from shared.runtime.jobs import Job, Turn
from shared.runtime.service import Service

EVERY_SECONDS = 0.2


async def publish(service: Service) -> None:
    """Runs in every replica; an advisory lock lets one at a time publish."""
    zone = service.settings.network_zone
    actor = f"service:{service.name}"
    async with service.unit(actor=actor, cause="start") as unit:
        await commands.mark_everything(unit)
    while not service.stopping.is_set():
        async with service.database.connection() as connection:
            due = await store.something_due(connection)
        if due:
            async with service.unit(actor=actor, cause="figures") as unit:
                if await commands.publish_figures(unit, zone):
                    await alerts.judge(unit, zone)
        await service.pause(EVERY_SECONDS)


async def begin_day(unit: Unit, turn: Turn) -> JsonValue:
    """With a day figures may move that no fact moved: a membership ends, another begins. The loop compares them.

    Alerts are looked at here too: a figure that is not published moves with the days as well.
    """
    await commands.mark_everything(unit)
    turn.count("mark for all figures")
    turn.count("alerts raised or cleared", await alerts.judge(unit, turn.service.settings.network_zone))
    return None


JOBS = (Job("figures", chunk=begin_day, each_day=False),)
"""Figures speak of the present: of days that were missed only the newest counts."""
