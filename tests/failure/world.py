"""The world of one failure test: a database and topics of its own, and processes that are started, hurt and awaited.

Every wait is for a condition with a deadline; what a process said stands in the message when it is missed.
"""

import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import asyncpg
import orjson
import uuid_utils.compat as uuid_utils
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.messaging.topics import Topic, make_topics
from shared.postgres.pool import Database, open_database
from shared.runtime.settings import Settings
from tests.failure.children import PATIENCE, Child, Nursery, until
from tests.failure.process import Plan
from tests.failure.reporting import CONSUMER
from tests.failure.writers import Journal
from tests.stack import database
from tests.stack.database import Cluster

TABLES = (Path(__file__).parent / "tables.sql").read_text("utf-8")
COMPACTED = {
    "cleanup.policy": "compact", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "500", "delete.retention.ms": "604800000",
}  # fmt: skip
TOPICS = [
    Topic("membership.membership", "fact", 3, {"retention.ms": "-1"}),
    Topic("membership.standing.state", "state", 3, {"cleanup.policy": "compact"}),
    Topic("membership.person.state", "state", 2, COMPACTED),
]


@dataclass(slots=True)
class World:
    """A database, topics with a prefix, processes. `name` is unique on both servers."""

    name: str
    cluster: Cluster
    bootstrap: str
    folder: Path
    nursery: Nursery
    checkers: Nursery
    children: dict[str, Child] = field(default_factory=dict)
    journals: list[Path] = field(default_factory=list)
    _admin: AIOKafkaAdminClient | None = None

    @property
    def prefix(self) -> str:
        """Of topics and groups."""
        return f"{self.name}."

    @property
    def injected(self) -> Path:
        """Where records put into topics by hand are noted."""
        return self.folder / "injected"

    def values(self, service: str, replica: str, **more: Any) -> dict[str, Any]:
        """Settings of one replica as a process takes them."""
        return {
            "environment": "test", "replica": replica, "postgres_host": self.cluster.host,
            "postgres_port": self.cluster.port, "postgres_database": self.name, "postgres_pool": 6,
            "postgres_password": self.cluster.role_password(f"cumulo_{service}"), "kafka": self.bootstrap,
            "topic_prefix": self.prefix, "relay_deadline_seconds": 1.5, "relay_batch": 200, "consumer_batch": 200,
            "parked_keys_per_minute": 1000, **more,
        }  # fmt: skip

    async def begin(self) -> None:
        """Makes the database and the topics."""
        await database.clone(self.cluster, self.name)
        async with self.cluster.connection(role="cumulo_owner", database=self.name) as owner:
            await owner.execute(TABLES)
        await make_topics(Settings(**self.values("membership", "test")), TOPICS)

    async def end(self) -> None:
        """Kills what still runs and removes database and topics."""
        for child in self.children.values():
            child.signal(signal.SIGKILL)
        with contextlib.suppress(Exception):  # a test may leave the servers down
            admin = await self._asked()
            await admin.delete_topics([self.prefix + topic.name for topic in TOPICS])
        if self._admin is not None:
            with contextlib.suppress(Exception):
                await self._admin.close()
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            await database.drop(self.cluster, self.name)

    # --- processes ---------------------------------------------------------------------------------

    def start(
        self, role: Literal["membership", "reporting", "writer", "reconcile", "rebuild"], name: str,
        settings: dict[str, Any] | None = None, **plan: Any,
    ) -> Child:  # fmt: skip
        """Starts a process, or starts it again under its name."""
        service = "membership" if role in ("membership", "writer", "reconcile") else "reporting"
        values = self.values(service, name, **(settings or {}))
        if role == "rebuild":  # it reads both schemas; the owner's rights are those of `cumulo rebuild`
            values |= {"postgres_user": "cumulo_owner", "postgres_password": self.cluster.role_password("cumulo_owner")}
        made = Plan(role=role, folder=str(self.folder), name=name, settings=values, **plan)
        path = made.write()
        made.file("written").unlink(missing_ok=True)
        if made.writers and made.file("journal") not in self.journals:
            made.file("journal").touch()
            self.journals.append(made.file("journal"))
        child = Child(made, self.nursery.start(self.folder, name, str(path)))
        self.children[name] = child
        return child

    def again(self, child: Child, **changed: Any) -> Child:
        """Starts a process that has ended once more, with what is `changed` in its plan."""
        plan = {
            name: getattr(child.plan, name)
            for name in ("writers", "commands", "seconds", "pace", "people", "seed", "hot", "gate")
        }
        plan["seed"] += 1000  # other keys and other chances than before
        return self.start(child.plan.role, child.plan.name, **(plan | changed))

    @contextlib.asynccontextmanager
    async def membership(self, name: str = "by-hand") -> AsyncIterator[tuple[Database, Journal]]:
        """The writing service's pool and a journal, for commands that the test gives itself."""
        settings = Settings(**self.values("membership", name))
        path = self.folder / f"{name}.journal"
        if path not in self.journals:
            self.journals.append(path)
        with Journal(path) as journal:
            async with open_database(settings.postgres("membership"), schema="membership", size=2) as pool:
                yield pool, journal

    @contextlib.asynccontextmanager
    async def reporting(self) -> AsyncIterator[Database]:
        """The listening service's pool."""
        settings = Settings(**self.values("reporting", "by-hand"))
        async with open_database(settings.postgres("reporting"), schema="reporting", size=2) as pool:
            yield pool

    def said(self) -> str:
        """What every process said last."""
        return "\n".join(f"--- {child.plan.name}\n{child.said}" for child in self.children.values())

    # --- what is true now --------------------------------------------------------------------------

    async def value(self, sql: str, *arguments: Any) -> Any:
        """One value as the superuser sees it."""
        async with self.cluster.connection(database=self.name) as connection:
            return await connection.fetchval(sql, *arguments)

    async def holds(self, sql: str, *arguments: Any, seconds: float = PATIENCE) -> None:
        """Waits until a query answers true."""

        async def condition() -> bool:
            return bool(await self.value(sql, *arguments))

        await until(condition, what=f"{sql} {arguments}", told=self.said, seconds=seconds)

    async def settled(self, *, seconds: float = PATIENCE) -> None:
        """Waits until the outbox is empty and the listener has read everything."""
        await self.holds("SELECT NOT EXISTS (SELECT FROM membership.outbox)", seconds=seconds)
        await self.heard(seconds=seconds)
        await self.holds("SELECT NOT EXISTS (SELECT FROM membership.outbox)", seconds=seconds)

    async def heard(self, *, seconds: float = PATIENCE) -> None:
        """Waits until the listener's group has acknowledged every record there is."""
        reader = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=None, enable_auto_commit=False)
        await reader.start()
        try:
            places = [TopicPartition(self.prefix + topic.name, p) for topic in TOPICS for p in range(topic.partitions)]
            behind: dict[str, tuple[int, int]] = {}

            async def condition() -> bool:
                ends = await reader.end_offsets(places)
                offsets = await (await self._asked()).list_consumer_group_offsets(self.prefix + CONSUMER)
                behind.clear()
                for place in places:
                    read = offsets[place].offset if place in offsets else 0
                    if read < ends[place]:
                        behind[f"{place.topic}/{place.partition}"] = (read, ends[place])
                return not behind

            await until(condition, what="end of the topics", told=lambda: f"{behind}\n{self.said()}", seconds=seconds)
        finally:
            await reader.stop()

    async def findings(self) -> list[dict[str, Any]]:
        """What the checker, a process of its own, says."""
        c = self.cluster
        log, ended = self.folder / "checker.log", self.folder / "checker.ended"
        log.unlink(missing_ok=True)
        self.checkers.start(
            self.folder, "checker",
            "--postgres", f"postgresql://{c.user}:{c.password}@{c.host}:{c.port}/{self.name}",
            "--kafka", self.bootstrap, "--prefix", self.prefix, "--injected", str(self.injected),
            *(str(path) for path in self.journals if path.exists()),
        )  # fmt: skip
        await until(ended.exists, what="answer of the checker", told=log.read_text)
        answer = log.read_text().strip().rpartition("\n")[2]
        assert answer.startswith("["), log.read_text()
        found: list[dict[str, Any]] = orjson.loads(answer)
        return found

    async def is_sound(self, *, rebuilt: bool = True) -> None:
        """At rest, the checker finds nothing; a rebuild from the feed agrees with the read model."""
        await self.settled()
        if rebuilt:
            rebuild = self.start("rebuild", "rebuild")
            assert await rebuild.gone() == 0, rebuild.said
        found = await self.findings()
        assert found == [], f"{orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()}\n{self.said()}"

    async def _asked(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await self._admin.start()
        return self._admin


def hot_keys(count: int) -> list[str]:
    """Keys of aggregates that several writers share."""
    return [str(uuid_utils.uuid7()) for _ in range(count)]
