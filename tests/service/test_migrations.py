"""Migrations: each runs once, a changed one is refused by name, a newer database is left alone."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared.postgres.migrations import (
    OWNER,
    DatabaseTooNew,
    Migration,
    MigrationChanged,
    migrate_service,
    migrations_of,
    missing_migrations,
    prepare_database,
)
from shared.runtime.settings import SERVICES
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.run import Run


@pytest.fixture
async def owner(postgres: Cluster, run: Run) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """The owner's connection to a migrated database that only this test uses."""
    name = f"cumulo_migrations_{run.name}"
    await database.clone(postgres, name)
    async with postgres.connection(role=OWNER, database=name) as connection:
        yield connection
    await database.drop(postgres, name)


async def test_a_migrated_database_has_nothing_left_to_do(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    for service in SERVICES:
        assert await migrate_service(owner, service) == 0
        assert await missing_migrations(owner, service) == []


async def test_an_empty_database_gets_every_file_once_and_in_order(postgres: Cluster, run: Run) -> None:
    name = f"cumulo_empty_{run.name}"
    async with postgres.connection(database="postgres") as admin:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
    said: list[str] = []
    try:
        async with postgres.connection(database=name) as admin:
            await prepare_database(admin)
            await prepare_database(admin)
        async with postgres.connection(role=OWNER, database=name) as owner:
            assert await missing_migrations(owner, "membership") == [m.name for m in migrations_of("membership")]
            ran = await migrate_service(owner, "membership", say=said.append)
    finally:
        await database.drop(postgres, name)
    assert ran == len(migrations_of("membership"))
    assert said == [f"membership: {migration.name}" for migration in migrations_of("membership")]


async def test_a_file_that_was_changed_after_it_ran_is_refused_by_name(
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    first, *rest = migrations_of("events")
    changed = [Migration(first.name, first.sql + "\n-- another thought\n"), *rest]
    with pytest.raises(MigrationChanged, match=first.name):
        await migrate_service(owner, "events", migrations=changed)
    assert await migrate_service(owner, "events") == 0


async def test_a_newer_database_is_refused_and_left_as_it_is(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    future = Migration("events/9999_the_future.sql", "CREATE TABLE from_the_future (id int)")
    await migrate_service(owner, "events", migrations=[*migrations_of("events"), future])
    with pytest.raises(DatabaseTooNew, match="9999_the_future"):
        await migrate_service(owner, "events")
    assert await owner.fetchval("SELECT to_regclass('events.from_the_future')") is not None


async def test_a_migration_that_fails_leaves_nothing_behind(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    broken = Migration("events/9999_broken.sql", "CREATE TABLE half_made (id int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate_service(owner, "events", migrations=[*migrations_of("events"), broken])
    assert await owner.fetchval("SELECT to_regclass('events.half_made')") is None
    assert await migrate_service(owner, "events") == 0


async def test_everything_belongs_to_the_owner(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    strangers = await owner.fetch(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ANY ($1) AND pg_get_userbyid(c.relowner) <> $2",
        list(SERVICES),
        OWNER,
    )
    assert [tuple(row) for row in strangers] == []


async def test_who_was_kept_once_for_each_organisation_becomes_one_who_speaks_for_both(
    postgres: Cluster, run: Run
) -> None:
    name = f"cumulo_people_{run.name}"
    files = migrations_of("membership")
    before = [file for file in files if file.name < "membership/0020" or not file.name.startswith("membership/")]
    async with postgres.connection(database="postgres") as admin:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        async with postgres.connection(database=name) as admin:
            await prepare_database(admin)
        async with postgres.connection(role=OWNER, database=name) as owner:
            await migrate_service(owner, "membership", migrations=before)
            await owner.execute("SET search_path = membership, extensions")
            await owner.execute(
                "INSERT INTO organization (id, slug, legal_name, trade_name, normalised_name, sort_key, type, country,"
                " version) SELECT uuid(md5(n)), n, n, n, n, n, 'company', 'MX', 1 FROM unnest('{uno,dos}'::text[]) n"
            )
            await owner.execute(
                "INSERT INTO person SELECT uuidv7(), uuid(md5(o)), m, m, m, 'es', 3"
                " FROM (VALUES ('uno', 'ana@x.example'), ('dos', 'ana@x.example'), ('uno', 'eva@x.example')) r (o, m)"
            )
            await migrate_service(owner, "membership", migrations=files)
            rows = await owner.fetch(
                "SELECT p.mail, p.version, o.slug, r.main"
                " FROM person p JOIN person_organization r ON r.person_id = p.id"
                " JOIN organization o ON o.id = r.organization_id ORDER BY 1, 3"
            )
            people = await owner.fetchval("SELECT count(*) FROM person")
    finally:
        await database.drop(postgres, name)
    assert [(row["mail"][:3], row["version"], row["slug"], row["main"]) for row in rows] == [
        ("ana", 4, "dos", True), ("ana", 4, "uno", True), ("eva", 4, "uno", False),
    ]  # fmt: skip
    assert people == 2
