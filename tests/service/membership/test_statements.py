"""Every SQL constant of the service is prepared against the migrated schema."""

import importlib
import pkgutil
import re

import pytest

import services.membership
from shared.postgres.pool import Database

STATEMENT = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")


def statements() -> list[tuple[str, str]]:
    found = []
    for module in pkgutil.walk_packages(services.membership.__path__, "services.membership."):
        if module.name.endswith("xlsx_rows"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(value, str) and STATEMENT.match(value):
                found.append((f"{module.name}.{name}", value))
    return found


@pytest.mark.parametrize(("name", "sql"), statements(), ids=[name for name, _ in statements()])
async def test_the_statement_fits_the_schema(databases: dict[str, Database], name: str, sql: str) -> None:
    async with databases["membership"].connection() as connection:
        await connection.prepare(sql)


def test_there_are_statements() -> None:
    assert len(statements()) > 25
