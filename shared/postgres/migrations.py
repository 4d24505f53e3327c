"""Brings a database to the code's version: roles, schemas, extensions, numbered SQL files, grants.

Forward only, one transaction per file, under an advisory lock, checked by hash: a file that was changed
after it ran is refused by name. Everything belongs to `cumulo_owner`; a service's role has DML in its schema.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.postgres.pool import Connection
from shared.runtime.settings import SERVICES

ROOT = Path(__file__).resolve().parents[2]
OWNER = "cumulo_owner"
EXTENSIONS = ("btree_gist", "pg_trgm", "unaccent")


class MigrationChanged(Exception):
    """A migration that already ran has another content now."""


class DatabaseTooNew(Exception):
    """The database has migrations that this version does not know."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. `name` is its place under its owner, e.g. `bus/0001_bus.sql`."""

    name: str
    sql: str

    @property
    def hash(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(service: str, root: Path = ROOT) -> list[Migration]:
    """The bus's files, those of the edges, then the service's own, each in the order of their numbers."""
    folders = (
        ("bus", root / "shared/messaging/migrations"),
        ("edge", root / "shared/http/migrations"),
        (service, root / "services" / service / "migrations"),
    )
    return [
        Migration(f"{owner}/{file.name}", file.read_text("utf-8"))
        for owner, folder in folders
        for file in sorted(folder.glob("[0-9]*.sql"))
    ]


def schema_hash(services: Sequence[str] = SERVICES) -> str:
    """One hash over all migrations: the name of a test's template database."""
    digest = hashlib.sha256()
    for service in services:
        for migration in migrations_of(service):
            digest.update(f"{service}/{migration.name}:{migration.hash}".encode())
    return digest.hexdigest()[:16]


async def prepare_cluster(admin: Connection, passwords: dict[str, str] | None = None) -> None:
    """Makes the owner's and the services' login roles; sets the passwords that are given, by role name.

    Needs a superuser, or a role with CREATEROLE that may grant itself the owner.
    """
    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock(hashtextextended('cumulo.roles', 0))")
        for role in (OWNER, *(f"cumulo_{service}" for service in SERVICES)):
            if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
                await admin.execute(f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT')
            if passwords and role in passwords:
                literal = await admin.fetchval("SELECT quote_literal($1::text)", passwords[role])
                await admin.execute(f'ALTER ROLE "{role}" PASSWORD {literal}')


async def prepare_database(admin: Connection) -> None:
    """Hands the current database to the owner: extensions in a schema of their own, nothing for PUBLIC."""
    database = await admin.fetchval("SELECT quote_ident(current_database())")
    async with admin.transaction():
        await admin.execute("SELECT pg_advisory_xact_lock(hashtextextended('cumulo.migrate', 0))")
        await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        await admin.execute(f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO {OWNER}")
        await admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await admin.execute("CREATE SCHEMA IF NOT EXISTS extensions")
        for extension in EXTENSIONS:
            await admin.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA extensions")
        for service in SERVICES:
            await admin.execute(f"GRANT CONNECT ON DATABASE {database} TO cumulo_{service}")
            await admin.execute(f"GRANT USAGE ON SCHEMA extensions TO cumulo_{service}")
        await admin.execute(f"GRANT USAGE ON SCHEMA extensions TO {OWNER}")


async def migrate_service(
    owner: Connection,
    service: str,
    *,
    migrations: Sequence[Migration] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> int:
    """Applies what is missing to one service's schema, as the owner. Returns how many files ran.

    Raises `MigrationChanged` (which file) and `DatabaseTooNew` (which version) before anything is touched.
    """
    files = list(migrations if migrations is not None else migrations_of(service))
    role = f"cumulo_{service}"
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(hashtextextended('cumulo.migrate', 0))")
        await owner.execute(f"CREATE SCHEMA IF NOT EXISTS {service}")
        await owner.execute(f"GRANT USAGE ON SCHEMA {service} TO {role}")
        await owner.execute(
            f"CREATE TABLE IF NOT EXISTS {service}.migration"
            " (name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        await owner.execute(f"GRANT SELECT ON {service}.migration TO {role}")
        for kind, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
            await owner.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {service} GRANT {rights} ON {kind} TO {role}")
    try:
        await owner.execute("SELECT pg_advisory_lock(hashtextextended('cumulo.migrate', 0))")
        done = {row["name"]: row["hash"] for row in await owner.fetch(f"SELECT name, hash FROM {service}.migration")}
        known = {file.name for file in files}
        if newer := sorted(set(done) - known):
            raise DatabaseTooNew(f"the schema {service} has {newer[-1]}, which this version does not know")
        for file in files:
            if file.name in done and done[file.name] != file.hash:
                raise MigrationChanged(f"{file.name} was changed after it ran; write a new migration instead")
        ran = 0
        for file in files:
            if file.name in done:
                continue
            async with owner.transaction():
                await owner.execute(f"SET LOCAL search_path = {service}, extensions, pg_temp")
                await owner.execute(file.sql)
                await owner.execute(
                    f"INSERT INTO {service}.migration (name, hash) VALUES ($1, $2)", file.name, file.hash
                )
            ran += 1
            say(f"{service}: {file.name}")
        return ran
    finally:
        await owner.execute("SELECT pg_advisory_unlock(hashtextextended('cumulo.migrate', 0))")


async def missing_migrations(connection: Connection, service: str) -> list[str]:
    """Names of the files that a schema still lacks, or that differ; empty when it fits this code."""
    try:
        rows = await connection.fetch(f"SELECT name, hash FROM {service}.migration")
    except asyncpg.UndefinedTableError:
        rows = []
    done = {row["name"]: row["hash"] for row in rows}
    return [file.name for file in migrations_of(service) if done.get(file.name) != file.hash]
