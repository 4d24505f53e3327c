"""Rights: a service's role has DML in its own schema and nothing elsewhere; nobody but the owner rewrites history."""

import asyncpg
import pytest

from shared.runtime.settings import SERVICES
from tests.stack.database import Cluster

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
DML = {"SELECT", "INSERT", "UPDATE", "DELETE"}

_RIGHTS = """
SELECT c.relname AS name, array_agg(p.privilege) FILTER (WHERE has_table_privilege($1, c.oid, p.privilege)) AS rights
FROM pg_class c, unnest($3::text[]) AS p (privilege)
WHERE c.relnamespace = $2::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
GROUP BY c.relname
"""


async def rights(postgres: Cluster, role: str, schema: str) -> dict[str, set[str]]:
    """Table -> what the role may do with it."""
    async with postgres.connection() as admin:
        rows = await admin.fetch(_RIGHTS, role, schema, list(RIGHTS))
    return {row["name"]: set(row["rights"] or ()) for row in rows}


def _expected(table: str) -> set[str]:
    if table == "history" or table.startswith("history_") or table == "migration":
        return {"SELECT"}
    if table.startswith("inbox_"):
        return DML
    return DML - {"UPDATE"} if table == "outbox" else DML


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_has_dml_in_its_own_schema_and_no_more(postgres: Cluster, service: str) -> None:
    found = await rights(postgres, f"cumulo_{service}", service)
    assert {"outbox", "history", "history_0", "inbox", "parked", "migration"} <= set(found)
    tables = {table: allowed for table, allowed in found.items() if allowed != _expected(table)}
    assert tables == {}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_has_nothing_in_the_schemas_of_the_others(postgres: Cluster, service: str) -> None:
    role = f"cumulo_{service}"
    async with postgres.connection() as admin:
        for other in {*SERVICES, "public"} - {service}:
            for right in ("USAGE", "CREATE"):
                assert not await admin.fetchval("SELECT has_schema_privilege($1, $2, $3)", role, other, right)
        assert not await admin.fetchval("SELECT has_schema_privilege($1, $2, 'CREATE')", role, service)
        assert not await admin.fetchval("SELECT has_database_privilege($1, current_database(), 'CREATE')", role)
        assert not await admin.fetchval("SELECT has_database_privilege($1, current_database(), 'TEMPORARY')", role)
        inherited = await admin.fetch("SELECT 1 FROM pg_auth_members m WHERE m.member = $1::regrole", role)
        assert inherited == []
    for other in set(SERVICES) - {service}:
        assert {table for table, allowed in (await rights(postgres, role, other)).items() if allowed} == set()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO history SELECT * FROM history",
        "UPDATE history SET actor = 'nobody'",
        "DELETE FROM history",
        "TRUNCATE history",
        "UPDATE history_0 SET actor = 'nobody'",
        "DELETE FROM history_0",
        "UPDATE outbox SET actor = 'nobody'",
        "UPDATE migration SET hash = ''",
        "DROP TABLE history_0",
        "ALTER TABLE history DETACH PARTITION history_0",
        "SELECT * FROM membership.outbox",
        "SELECT membership.outbox_published('{}')",
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "SET ROLE cumulo_owner",
    ],
)
async def test_what_a_role_may_not_do_is_refused_by_the_database(postgres: Cluster, statement: str) -> None:
    async with postgres.connection(role="cumulo_events") as connection:
        await connection.execute("SET search_path = events, extensions")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_history_partitions_that_come_later_are_read_only_too(postgres: Cluster) -> None:
    async with postgres.connection(role="cumulo_events") as connection:
        await connection.execute("SET search_path = events, extensions")
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("SELECT history_partitions(5000000)")
            found = await connection.fetch(
                "SELECT p.privilege FROM unnest($1::text[]) AS p (privilege)"
                " WHERE has_table_privilege(current_user, 'history_5', p.privilege)",
                list(RIGHTS),
            )
            assert {row["privilege"] for row in found} == {"SELECT"}
        finally:
            await transaction.rollback()


async def test_the_public_has_no_rights_on_the_database(postgres: Cluster) -> None:
    async with postgres.connection() as admin:
        assert await admin.fetchval("SELECT has_database_privilege('public', current_database(), 'CONNECT')") is False
