"""PostgreSQL for tests: where it is, a template database per state of the migrations, a clone per worker.

The template's name holds the hash of all migrations, so that a changed migration makes a new one.
"""

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from shared.postgres.migrations import (
    OWNER,
    migrate_service,
    prepare_cluster,
    prepare_database,
    schema_hash,
)
from shared.runtime.settings import SERVICES

ROLES = (OWNER, *(f"cumulo_{service}" for service in SERVICES))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL server and its superuser; `database` is this worker's own, migrated database."""

    host: str
    port: int
    user: str
    password: str
    database: str = "postgres"

    def role_password(self, role: str) -> str:
        """The password of `cumulo_owner` or of a service's role: the same for all runs on one server."""
        return hashlib.sha256(f"{self.password}/{role}".encode()).hexdigest()[:32]

    def options(self, *, role: str | None = None, database: str | None = None) -> dict[str, Any]:
        """Arguments for asyncpg.connect, as the superuser or as a role."""
        return {
            "host": self.host,
            "port": self.port,
            "user": role or self.user,
            "password": self.role_password(role) if role else self.password,
            "database": database or self.database,
        }

    @contextlib.asynccontextmanager
    async def connection(
        self, *, role: str | None = None, database: str | None = None
    ) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """A connection of its own, closed at the end of the block."""
        connection = await asyncpg.connect(**self.options(role=role, database=database))
        try:
            yield connection
        finally:
            await connection.close()

    @classmethod
    def named(cls, text: str) -> "Cluster":
        """From `host:port:user:password` or a DSN, as in CUMULO_TEST_POSTGRES."""
        if "://" in text:
            parts = urlsplit(text)
            return cls(
                parts.hostname or "127.0.0.1",
                parts.port or 5432,
                unquote(parts.username or "postgres"),
                unquote(parts.password or ""),
            )
        host, port, user, password = text.split(":", 3)
        return cls(host, int(port), user, password)

    @classmethod
    def from_environment(cls) -> "Cluster | None":
        """The server that the environment names, None when it names none."""
        text = os.environ.get("CUMULO_TEST_POSTGRES")
        return cls.named(text) if text else None


async def template(cluster: Cluster) -> str:
    """The name of the migrated template database, made when it is not there. Safe to call at the same time."""
    name = f"cumulo_template_{schema_hash()}"
    async with cluster.connection(database="postgres") as admin:
        await admin.execute("SELECT pg_advisory_lock(hashtextextended('cumulo.template', 0))")
        # marked as a template only when whole
        if not await admin.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
            await admin.execute(f'CREATE DATABASE "{name}"')
            await prepare_cluster(admin, {role: cluster.role_password(role) for role in ROLES})
            await migrate(cluster, name)
            await admin.execute(f'ALTER DATABASE "{name}" WITH IS_TEMPLATE true')
    return name


async def migrate(cluster: Cluster, database: str) -> None:
    """Prepares and migrates one database for the four services."""
    async with cluster.connection(database=database) as admin:
        await prepare_database(admin)
    async with cluster.connection(role=OWNER, database=database) as owner:
        for service in SERVICES:
            await migrate_service(owner, service)


async def clone(cluster: Cluster, name: str) -> None:
    """A new database `name`, a copy of the template; one that was there is replaced.

    Rights on a database are its own and are not copied, so they are granted again.
    """
    source = await template(cluster)
    async with cluster.connection(database="postgres") as admin:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    async with cluster.connection(database=name) as admin:
        await prepare_database(admin)


async def drop(cluster: Cluster, name: str) -> None:
    """Removes a database, whoever is still connected to it."""
    async with cluster.connection(database="postgres") as admin:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
