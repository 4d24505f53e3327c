"""Every SQL statement of the services and the bus fits the migrated schema and the rights of the service's role."""

from collections.abc import Sequence

import asyncpg
import pytest

from shared.postgres.pool import Connection, Database
from shared.runtime.settings import SERVICES
from tests.contract.statements import EXCUSED, Statement, needless_excuses, statements_of


async def unfit(connection: Connection, statements: Sequence[Statement]) -> dict[str, str]:
    """The statements that PostgreSQL refuses, with its reason."""
    refused: dict[str, str] = {}
    for name, sql in statements:
        try:
            await connection.prepare(sql)
            # rights are looked at when a plan is made ready to run, which a PREPARE does not do
            await connection.execute(f"EXPLAIN (GENERIC_PLAN) {sql}")
        except asyncpg.PostgresError as error:
            refused[name] = f"{type(error).__name__}: {error}"
    return refused


@pytest.mark.parametrize("service", SERVICES)
async def test_every_statement_of_a_service_fits_its_schema_and_its_rights(
    databases: dict[str, Database], service: str
) -> None:
    statements = statements_of(f"services.{service}")
    assert statements
    async with databases[service].connection() as connection:
        assert await unfit(connection, statements) == {}


@pytest.mark.parametrize("service", SERVICES)
async def test_every_statement_of_the_bus_fits_the_schema_of_each_service(
    databases: dict[str, Database], service: str
) -> None:
    async with databases[service].connection() as connection:
        assert await unfit(connection, statements_of("shared")) == {}


@pytest.mark.parametrize(
    ("package", "name", "right", "wrong", "refusal"),
    [
        ("services.membership", "people.store.DELETE", "person", "persona", "UndefinedTableError"),
        ("services.events", "members.views.MEMBERS", "s.cluster_id", "s.clustre_id", "UndefinedColumnError"),
        ("services.reporting", "register.store.MEMBERSHIPS.add", "valid", "vaild", "UndefinedColumnError"),
        ("services.notifications", "messages.store.LOCK", "SELECT state", "SELECT stat", "UndefinedColumnError"),
        ("shared", "messaging.parked.KEYS", "since", "sinse", "UndefinedColumnError"),
        ("shared", "messaging.inbox.keep", "inbox_prune(", "inbox_prune(1, ", "UndefinedFunctionError"),
    ],
)
async def test_a_misspelt_statement_is_told(
    databases: dict[str, Database], package: str, name: str, right: str, wrong: str, refusal: str
) -> None:
    service = "events" if package == "shared" else package.removeprefix("services.")
    found = [s for s in statements_of(package) if s.name == f"{package}.{name}"]
    tampered = [s._replace(sql=s.sql.replace(right, wrong)) for s in found]
    assert found
    assert tampered != found
    async with databases[service].connection() as connection:
        assert (await unfit(connection, tampered))[f"{package}.{name}"].startswith(refusal)


async def test_a_statement_beyond_the_rights_of_the_role_is_told(databases: dict[str, Database]) -> None:
    async with databases["events"].connection() as connection:
        refused = await unfit(connection, [Statement("rewrites history", "UPDATE history SET actor = $1")])
    assert refused["rewrites history"].startswith("InsufficientPrivilegeError")


def test_every_excuse_stands_for_something() -> None:
    assert needless_excuses() == []
    assert all(EXCUSED.values())


def test_statements_are_found_in_every_part() -> None:
    counts = {package: len(statements_of(package)) for package in ("shared", *(f"services.{s}" for s in SERVICES))}
    assert all(count >= 7 for count in counts.values()), counts
