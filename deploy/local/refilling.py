"""`cumulo refill`: where the tables are and which Kafka gets what they hold.

The servers of the environment, or those of a data folder: of the stack that runs there, else its PostgreSQL
is started for as long as it takes, and the Kafka is the one that is named.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deploy.local import broker, folder, postgres
from deploy.local.migrate import migrate
from shared.messaging.refill import Progress, RefillRefused
from shared.messaging.refill import refill as run
from shared.messaging.topics import make_topics
from shared.runtime.local import (
    SUPERUSER,
    NothingRuns,
    administrator,
    data_folder,
    environment_names_servers,
    is_in_use,
    local_settings,
    named_folder,
    owner_connection,
    read_secrets,
    running_status,
    settings_for,
)
from shared.runtime.service import Definition
from shared.runtime.settings import Settings


def refill(
    definitions: Mapping[str, Definition],
    *,
    kafka: str | None,
    only: Sequence[str] | None,
    all_facts: bool,
    progress: Progress,
) -> dict[str, int]:
    """Refills and returns the records sent by service. Raises `RefillRefused`, `NothingRuns`, `NotStarted`."""

    async def fill(settings_of: Callable[[str], Settings], options: dict[str, Any] | None) -> dict[str, int]:
        async with owner_connection(options) as owner:
            return await run(definitions, settings_of, owner, only=only, all_facts=all_facts, progress=progress)

    if kafka is not None:
        broker.check_answers(kafka)
    if named_folder.get() is None and environment_names_servers():

        def named(service: str) -> Settings:
            return settings_for(service).model_copy(update={"kafka": kafka} if kafka else {})

        return asyncio.run(fill(named, None))
    with _stack(kafka) as (status, secrets):

        async def prepared() -> dict[str, int]:
            def local(service: str) -> Settings:
                return local_settings(service, status, secrets)

            await make_topics(local("membership"))
            return await fill(local, administrator(status, secrets))

        try:
            return asyncio.run(prepared())
        except RefillRefused as refused:
            if status["ready"]:
                raise RefillRefused(f"{refused} (the stack of {status['data']} runs; stop it with Ctrl-C)") from None
            raise


@contextlib.contextmanager
def _stack(kafka: str | None) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Status and secrets of the data folder's stack, or of its PostgreSQL alone, towards the Kafka that is named."""
    place = data_folder()
    stopped = (place / "postgres").exists() and not is_in_use(place)
    if kafka is None and stopped:
        raise NothingRuns(
            f"nothing runs in {place}; name the Kafka to fill with --kafka (the embedded one is filled at each start)"
        )
    if kafka is None or not stopped:
        status = running_status(place)
        named = {} if kafka is None else {"kafka": kafka, "kafka_embedded": False}
        yield status | named, read_secrets(place)
        return
    with (
        folder.opened(place) as secrets,
        postgres.running(place / "postgres", password=secrets[SUPERUSER], log=place / "logs/postgres.log") as server,
    ):
        status = folder.status_of(place, secrets, http=0, postgres=server.port, kafka=kafka, kafka_embedded=False)
        roles = {role: password for role, password in secrets.items() if role.startswith("cumulo_")}
        asyncio.run(migrate(administrator(status, secrets), roles))
        yield status, secrets
