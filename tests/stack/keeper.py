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


def docker_answers() -> bool:
    """Whether a Docker daemon answers within two seconds."""
    logging.getLogger("docker").setLevel(logging.CRITICAL)
    try:
        import docker

        docker.from_env(timeout=2).ping()
    except Exception:
        return False
    return True


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[dict[str, Any]]:
    """PostgreSQL 18: a container when Docker answers, else the embedded one."""
    password = secrets.token_urlsafe(16)
    if docker_answers():
        from testcontainers.postgres import PostgresContainer

        container = PostgresContainer("postgres:18", username="postgres", password=password, dbname="postgres")
        container.with_command("postgres -c fsync=off -c synchronous_commit=off -c max_connections=400")
        with container as server:
            host, port = server.get_container_host_ip(), int(server.get_exposed_port(5432))
            yield {"host": host, "port": port, "user": "postgres", "password": password}
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
        from testcontainers.kafka import KafkaContainer

        container = KafkaContainer("apache/kafka:4.1.0").with_kraft()
        with container as server:
            yield {"bootstrap": server.get_bootstrap_server(), "embedded": False}
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


if __name__ == "__main__":
    main()
