"""The loop that publishes figures: soon after something may have moved, at a start, and when a day begins."""

from services.reporting.indicators import commands, store
from shared.postgres.values import day_in
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
            due = await store.something_due(connection, day_in(zone, service.clock()))
        if due:
            async with service.unit(actor=actor, cause="figures") as unit:
                await commands.publish_figures(unit, zone)
        await service.pause(EVERY_SECONDS)
