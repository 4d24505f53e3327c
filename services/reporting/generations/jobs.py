"""The loop that removes what a killed rebuild left behind, so that facts are not written twice for ever."""

from services.reporting.generations import commands
from shared.runtime.service import Service

EVERY_SECONDS = 60.0


async def tidy(service: Service) -> None:
    """Runs in every replica; a rebuild at work is left alone."""
    while not service.stopping.is_set():
        if await commands.tidy_up(service.database):
            service.log.info("generation.tidied")
        await service.pause(EVERY_SECONDS)
