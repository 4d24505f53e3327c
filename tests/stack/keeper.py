"""Keeps one server for a whole test run, as a process of its own: `python -m tests.stack.keeper postgres|kafka FOLDER`.

It writes the server's address to FOLDER/<part>.json and stops the server when nobody holds the run's
lock any more: the kernel frees the locks of pytest and its workers however they end.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local import broker
from deploy.local import postgres as embedded
from deploy.local.child import free_port


def docker_answers() -> bool:
    """Whether a Docker daemon answers within two seconds."""
    logging.getLogger("docker").setLevel(logging.CRITICAL)
    try:
        import docker

        docker.from_env(timeout=2).ping()
    except Exception:
        return False
    return True


_FAST = "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400"
_ONE = dict.fromkeys(
    ("OFFSETS_TOPIC_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_MIN_ISR",
     "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR", "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR"),
    "1",
)  # fmt: skip
_KRAFT = {
    f"KAFKA_{name}": value
    for name, value in {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": "PLAINTEXT://{host}:{port}",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "LOG_CLEANER_BACKOFF_MS": "1000",
        **_ONE,
    }.items()
}


@contextlib.contextmanager
def _container(
    image: str, port: int, *, said: str, arguments: str = "", **environment: str
) -> Iterator[tuple[str, int]]:
    """A container whose port is published on a free one of ours; `{host}` and `{port}` in its variables become ours."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    container = DockerContainer(image)
    host, ours = container.get_docker_client().host(), free_port()
    for name, value in environment.items():
        container.with_env(name, value.replace("{host}", host).replace("{port}", str(ours)))
    if arguments:
        container.with_command(arguments)
    container.with_bind_ports(port, ours).waiting_for(LogMessageWaitStrategy(said).with_startup_timeout(120))
    with container:
        yield host, ours


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[dict[str, Any]]:
    """PostgreSQL 18: a container when Docker answers, else the embedded one."""
    password = secrets.token_urlsafe(16)
    if docker_answers():
        with _container(
            "postgres:18", 5432, said="listening on IPv4", arguments=_FAST, POSTGRES_PASSWORD=password
        ) as at:
            yield {"host": at[0], "port": at[1], "user": "postgres", "password": password}
        return
    part = folder / "postgres"
    part.mkdir(mode=0o711)
    with embedded.running(
        part / "cluster", password=password, log=part / "log", durable=False, connections=400
    ) as server:
        yield {"host": "127.0.0.1", "port": server.port, "user": embedded.SUPERUSER, "password": password}


@contextlib.contextmanager
def kafka(folder: Path) -> Iterator[dict[str, Any]]:
    """Apache Kafka 4 in a container when Docker answers, else Tansu."""
    if docker_answers():
        with _container("apache/kafka:4.1.0", 9092, said="Kafka Server started", **_KRAFT) as at:
            yield {"bootstrap": f"{at[0]}:{at[1]}", "embedded": False}
        return
    with broker.running(log=folder / "kafka.log") as port:
        yield {"bootstrap": f"127.0.0.1:{port}", "embedded": True}


def main() -> None:
    """Starts the part, tells its address, waits for the run's end, stops it."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    address = folder / f"{part}.json"
    os.setsid()
    with {"postgres": postgres, "kafka": kafka}[part](folder) as running:
        partial = address.with_suffix(".partial")
        partial.write_text(json.dumps({**running, "keeper": os.getpid()}))
        partial.rename(address)
        with (folder / "run.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
    with contextlib.suppress(OSError):
        shutil.rmtree(folder / part)
    address.unlink(missing_ok=True)
    if not list(folder.glob("*.json")):  # the last one; pytest itself may have been killed
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
