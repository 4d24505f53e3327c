"""What every benchmark stands on: a migrated database that keeps its promises (fsync on) and a real Kafka.

`CUMULO_TEST_POSTGRES` and `CUMULO_TEST_KAFKA` name them; without the first an embedded PostgreSQL is
started. A raw baseline runs beside each figure, in the same run on the same machine.
"""

import contextlib
import os
import platform
import secrets
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.local import postgres as embedded
from shared.messaging.topics import Topic, listed, make_topics
from shared.runtime.settings import Settings
from tests.stack import database
from tests.stack.database import Cluster


@dataclass(frozen=True, slots=True)
class Ground:
    """One benchmark's own database and topic prefix."""

    cluster: Cluster
    kafka: str
    prefix: str

    def password(self, service: str) -> str:
        """The password of the service's role."""
        return self.cluster.role_password(f"cumulo_{service}")

    def settings(self, service: str, **more: Any) -> Settings:
        """Settings of one service on this ground."""
        values: dict[str, Any] = {
            "environment": "test",
            "replica": f"load-{service}",
            "service_token": "token-of-the-load-tests",
            "postgres_host": self.cluster.host,
            "postgres_port": self.cluster.port,
            "postgres_database": self.cluster.database,
            "postgres_password": self.password(service),
            "kafka": self.kafka,
            "topic_prefix": self.prefix,
            "log_level": "error",
        }
        return Settings(**(values | more))


@contextlib.asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """A fresh database and fresh topics. Raises `SystemExit` without a Kafka."""
    kafka = os.environ.get("CUMULO_TEST_KAFKA")
    if not kafka:
        raise SystemExit("name a real Kafka: CUMULO_TEST_KAFKA=127.0.0.1:9092")
    if not kafka.startswith(("127.", "localhost")):
        raise SystemExit("the benchmarks send to this machine only")
    with contextlib.ExitStack() as stack:
        cluster = Cluster.from_environment()
        if cluster is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cumulo-load-")))
            folder.chmod(0o711)
            password = secrets.token_urlsafe(12)
            server = stack.enter_context(
                embedded.running(folder / "cluster", password=password, log=folder / "log", durable=True)
            )
            cluster = Cluster("127.0.0.1", server.port, embedded.SUPERUSER, password)
        name = f"cumulo_load_{secrets.token_hex(4)}"
        await database.clone(cluster, name)
        try:
            found = Ground(replace(cluster, database=name), kafka, f"load-{secrets.token_hex(4)}.")
            await make_topics(found.settings("membership"))
            yield found
        finally:
            await database.drop(cluster, name)


async def extra_topic(at: Ground, name: str, partitions: int = 6) -> str:
    """A topic beside the listed ones, for a raw baseline. Returns its full name."""
    await make_topics(at.settings("membership"), [Topic(name, "fact", partitions, listed()[0].config)])
    return at.prefix + name


def machine() -> str:
    """One line on where this ran."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


Say = Callable[[str], None]
