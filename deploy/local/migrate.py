"""Brings a PostgreSQL to this version: the database, the roles, the extensions, the schema of every service.

The steps of `cumulo migrate` and of every start of the local stack; running it again changes nothing.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from shared.postgres.migrations import OWNER, migrate_service, prepare_cluster, prepare_database
from shared.postgres.pool import connected
from shared.runtime.local import secret_from_environment
from shared.runtime.settings import SERVICES

ROLES = (OWNER, *(f"cumulo_{service}" for service in SERVICES))


def passwords_from_environment() -> dict[str, str]:
    """Passwords to set, by role: `CUMULO_POSTGRES_PASSWORD_<SERVICE>` or `…_OWNER`, else `CUMULO_POSTGRES_PASSWORD`.

    Each may be a file (`…_FILE`). A role without any keeps the password that it has.
    """
    common = secret_from_environment("CUMULO_POSTGRES_PASSWORD")
    found = {
        role: secret_from_environment(f"CUMULO_POSTGRES_PASSWORD_{role.removeprefix('cumulo_').upper()}") or common
        for role in ROLES
    }
    return {role: password for role, password in found.items() if password}


async def migrate(
    admin: Mapping[str, Any], passwords: dict[str, str], *, say: Callable[[str], None] = lambda line: None
) -> dict[str, int]:
    """Migrates the database that `admin` (arguments of asyncpg.connect) names. Returns the files run by service.

    Raises `MigrationChanged`, `DatabaseTooNew`, `PostgresAway`, and the driver's own errors.
    """
    database = str(admin["database"])
    maintenance = os.environ.get("CUMULO_POSTGRES_MAINTENANCE_DATABASE", "postgres")
    connection = await connected(admin, database=maintenance)
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database):
            name = await connection.fetchval("SELECT quote_ident($1)", database)
            await connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
            say(f"database {database}: made")
    finally:
        await connection.close()
    connection = await connected(admin)
    try:
        await prepare_cluster(connection, passwords)
        await prepare_database(connection)
        if not await connection.fetchval(f"SELECT pg_has_role(current_user, '{OWNER}', 'SET')"):
            await connection.execute(f"GRANT {OWNER} TO CURRENT_USER WITH SET TRUE")
        await connection.execute(f"SET ROLE {OWNER}")
        return {service: await migrate_service(connection, service, say=say) for service in SERVICES}
    finally:
        await connection.close()
