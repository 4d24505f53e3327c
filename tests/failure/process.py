"""One process of the failure tests: `python -m tests.failure.process PLAN.json`.

The plan names its role (membership, reporting, writer, reconcile, rebuild), its settings, how much it
writes, and what is broken in it. SIGTERM stops it as a service is stopped.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson

from shared.messaging import consumer, inbox, relay  # noqa: F401 - loaded ahead of the forks of nursery.py
from shared.messaging.apply import Applier
from shared.messaging.cloudevents import Received
from shared.messaging.feed import as_received, facts_after, states_after
from shared.messaging.reconcile import reconcile
from shared.postgres.pool import Unit, open_database
from shared.runtime import logging
from shared.runtime.service import Service, running
from shared.runtime.settings import Settings
from tests.failure import faults, membership, reporting
from tests.failure.writers import Journal, Writer


@dataclass(slots=True)
class Plan:
    """What a process is to do. `at` is a step, `does` what happens at its nth passing."""

    role: Literal["membership", "reporting", "writer", "reconcile", "rebuild"]
    folder: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    writers: int = 0
    commands: int = 10**9
    seconds: float = 60.0
    pace: float = 0.01
    people: bool = True
    seed: int = 0
    hot: list[str] = field(default_factory=list)
    fault: str | None = None
    at: str | None = None
    does: Literal["die", "freeze", "fail", "note"] = "die"
    nth: int = 1
    gate: int | None = None

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """The plan in a file."""
        return cls(**orjson.loads(path.read_bytes()))

    def write(self) -> Path:
        """Into its folder; returns the file."""
        path = Path(self.folder) / f"{self.name}.plan.json"
        path.write_bytes(orjson.dumps(asdict(self)))
        return path

    def file(self, kind: str) -> Path:
        """A file of this process: journal, mark, held, mended."""
        return Path(self.folder) / f"{self.name}.{kind}"


def _break(plan: Plan, moment: faults.Moment) -> None:
    if plan.at is not None and plan.at.startswith("relay."):
        faults.at_relay(plan.at.removeprefix("relay."), moment)
    elif plan.at == "consumer.applied":
        faults.before_the_offset(moment)
    with_moment = {
        "acknowledge first": faults.acknowledge_first,
        "acknowledge always": faults.acknowledge_always,
        "inbox outside": faults.inbox_outside,
        "delete before send": faults.delete_before_send,
    }
    if plan.fault in with_moment:
        with_moment[plan.fault](moment)
    elif plan.fault == "no inbox":
        faults.no_inbox()
    elif plan.fault == "relay unlocked":
        faults.relay_unlocked(plan.file("held"))
    elif plan.fault not in (None, "aggregate unlocked"):
        raise ValueError(f"no such fault: {plan.fault}")


def _through_the_gate(settings: Settings, gate: int) -> None:
    """Connections to Kafka go to the gate's port instead; addresses in Kafka's own answers stay as they are."""
    host, port = settings.kafka.rsplit(":", 1)
    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def create_connection(factory: Any, to: Any = None, at: Any = None, **more: Any) -> Any:
        if str(at) == port and to in (host, "localhost", "127.0.0.1"):
            to, at = "127.0.0.1", gate
        return await connect(factory, to, at, **more)

    loop.create_connection = create_connection  # type: ignore[assignment]


async def _write(service: Service, plan: Plan) -> None:
    with Journal(plan.file("journal")) as journal:
        writers = [
            Writer(
                service.database, journal, seed=plan.seed * 100 + n, hot=[UUID(key) for key in plan.hot],
                locked=plan.fault != "aggregate unlocked", people=plan.people,
            )
            for n in range(plan.writers)
        ]  # fmt: skip
        tasks = [
            asyncio.create_task(w.run(commands=plan.commands, seconds=plan.seconds, pace=plan.pace)) for w in writers
        ]
        stopping = asyncio.create_task(service.stopping.wait())
        while not all(task.done() for task in tasks) and not stopping.done():
            await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        stopping.cancel()
        plan.file("written").touch()


async def _rebuild(settings: Settings, mended: Path) -> None:
    """Folds membership's feed, page by page, under another generation."""
    applier = Applier(reporting.consumer("reporting.rebuilt", "rebuilt", mended=mended))
    async with (
        open_database(settings.postgres("membership"), schema="membership", size=2) as source,
        open_database(settings.postgres("reporting"), schema="reporting", size=2) as target,
        source.connection() as feed,
    ):

        @asynccontextmanager
        async def unit(_: Sequence[Received]) -> AsyncIterator[Unit]:
            async with target.unit(actor="rebuild", cause="rebuild") as opened:
                yield opened

        for state in membership.DEFINITION.states.values():
            after: str | None = None
            while events := await states_after(feed, state, after, 300, now="2026-01-01T00:00:00Z"):
                await applier.settle(unit, [as_received(event) for event in events])
                after = events[-1]["partitionkey"]
        last = 0
        while events := await facts_after(feed, last, 300):
            # the payload is a fragment of JSON text: read it as a client would
            await applier.settle(unit, [as_received(event) for event in events])
            last = int(events[-1]["sequence"])


async def run(plan: Plan) -> None:
    """Does what the plan says, until it is done or SIGTERM comes."""
    settings = Settings(**plan.settings)
    logging.configure(format="json", level="info")
    moment = faults.Moment(plan.does, plan.nth, plan.file("mark"))
    _break(plan, moment)
    if plan.gate is not None:
        _through_the_gate(settings, plan.gate)
    if plan.role == "rebuild":
        await _rebuild(settings, Path(plan.folder) / "mended")
        return
    definition = membership.DEFINITION
    if plan.role in ("writer", "reconcile"):
        settings = settings.model_copy(update={"relay_enabled": False})
    elif plan.role == "reporting":
        listener = reporting.consumer(
            mended=Path(plan.folder) / "mended",
            before=moment.pass_by if plan.at == "consumer.effect" else lambda: None,
        )
        definition = replaced(definition, name="reporting", states={}, consumers=(listener,))
    async with running(definition, settings) as service:
        loop = asyncio.get_running_loop()
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_, service.stopping.set)
        if plan.role == "reconcile":
            found = {topic: asdict(done) for topic, done in (await reconcile(service)).items()}
            plan.file("found").write_bytes(orjson.dumps(found))
            return
        if plan.writers:
            await _write(service, plan)
        if plan.role != "writer":
            await service.stopping.wait()


def main(arguments: list[str]) -> int:
    """Runs the plan whose file is named. Returns the exit code."""
    asyncio.run(run(Plan.read(Path(arguments[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
