"""What a Kafka has to be given before the services start, so that its topics tell all that the tables know.

The embedded broker is empty at each start. A real one may be new, may be as it was left, or may lack what
was done meanwhile on another one; what cannot be mended there is said.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shared.messaging.catch_up import catch_up, hold_nothing
from shared.messaging.reconcile import reconcile_and_tell
from shared.messaging.refill import RefillRefused, refill
from shared.runtime.local import administrator, local_settings, owner_connection
from shared.runtime.service import Definition, Service
from shared.runtime.settings import Settings

Say = Callable[[str, float], None]
"""Told each step that is done and the seconds it took."""

Warn = Callable[[str], None]
"""Told what needs a person's eye."""


async def fill(
    definitions: Mapping[str, Definition], status: dict[str, Any], secrets: dict[str, str], *, say: Say, warn: Warn
) -> None:
    """Fills empty topics with states and facts, and those of a Kafka that was left with the facts since then.

    Nothing may consume or publish yet. Raises `RefillRefused` for empty topics that a group has read.
    """

    def settings_of(service: str) -> Settings:
        return local_settings(service, status, secrets)

    began = time.monotonic()
    async with owner_connection(options=administrator(status, secrets)) as owner:
        if status["kafka_embedded"]:
            sent = await refill(definitions, settings_of, owner, all_facts=False)
            say(f"refill ({sum(sent.values()):,} records)", time.monotonic() - began)
            return
        facts = 0
        for service in definitions:
            facts += await owner.fetchval(f"SELECT count(*) FROM {service}.history")
        if not facts:
            return
        if await hold_nothing(settings_of("membership"), definitions):
            try:
                sent = await refill(definitions, settings_of, owner)
            except RefillRefused as refused:
                waiting = f"the topics of {status['kafka']} are empty and lack {facts:,} facts of history"
                raise RefillRefused(f"{waiting}, but {refused}") from None
            say(f"refill of empty topics ({sum(sent.values()):,} records)", time.monotonic() - began)
            return
        done = await catch_up(settings_of, owner, list(definitions))
    if sent_facts := sum(one.sent for one in done.values()):
        say(f"facts this Kafka did not have ({sent_facts:,} published)", time.monotonic() - began)
    mend = "stop, delete the topics or choose another CUMULO_TOPIC_PREFIX, and start again"
    if lacking := sum(one.lacking for one in done.values()):
        warn(
            f"{lacking:,} facts of history are not in the topics of {status['kafka']}, and newer ones are;"
            f" subscribers read them from the feed. To have all of them there in order: {mend}"
        )
    if strange := [topic for one in done.values() for topic in one.strange]:
        warn(
            f"{', '.join(strange)} of {status['kafka']} hold records, but none of this data folder's facts:"
            f" another installation's? Nothing was put there; {mend}"
        )


async def reconcile_states(services: Iterable[Service]) -> None:
    """The state topics of a Kafka that was left, put right in the background; the hourly pass would come late."""
    for service in services:
        if service.definition.states:
            try:
                await reconcile_and_tell(service)
            except Exception as error:  # the hourly pass does it again; until then nothing else is the worse for it
                if not service.stopping.is_set():
                    service.log.warning("reconcile.failed", error=repr(error))
