"""Finds the SQL of the code: constants of modules, what they render, and literals inside functions.

A new statement is found by itself. What contains SQL and is no whole statement has to be excused by name with
a reason, and an excuse for something that is no longer there is a failure too.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import services
import shared

STATEMENT = re.compile(r"\s*\(*\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|BEGIN)\b")
SQL = re.compile(
    r"\s*\(*\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|WITH|BEGIN)\b.*|"
    r".*\b(FROM|JOIN|WHERE|ORDER BY|GROUP BY|RETURNING|VALUES) [\w$({].*",
    re.DOTALL,
)
CONTROL = ("BEGIN", "COMMIT", "ROLLBACK")

EXCUSED: Mapping[str, str] = {
    "services.membership.organizations.views._FROM": "a part; COUNT and the orders of REGISTER are made of it",
    "services.membership.organizations.views._ordered": "makes the orders of REGISTER, which a test of pages runs",
    "services.membership.organizations.views._belonging": "makes three of FACETS",
    "services.membership.directory.views.FOUND": "a part; COUNTS and ROWS are made of it",
    "services.membership.directory.views._counted": "a part of COUNTS",
    "services.membership.directory.views._ordered": "makes ROWS and ROWS_BEFORE",
    "shared.messaging.apply._HELD": "a template; HELD and ENTER are made of it",
    "services.reporting.indicators.views._COUNTED": "a part of FACTS",
    "services.reporting.catalogue.views": "made of fragments; RENDERED has every one of its results",
    "services.reporting.generations.store.has_remains": "only wraps REMAINS",
    "services.reporting.generations.store.drop_remains": "over each of TABLES; RENDERED has them",
    "services.reporting.generations.store.lacking": "over each of FACT_TABLES; RENDERED has them",
    "services.reporting.generations.store.digest": "over the tables and columns of register; RENDERED has them",
    "shared.runtime.privacy": "made of the lists of each module, run by the owner across schemas; its test runs them",
    "shared.messaging.refill": "run by the owner, across schemas, before a service starts",
    "shared.postgres.migrations": "run by the owner on a database that has no schema yet",
}
"""A constant, a function or a whole module, and why its SQL is not prepared as it stands."""


class Statement(NamedTuple):
    """One whole statement and where it comes from."""

    name: str
    sql: str


def _rendered() -> Iterator[Statement]:
    """Statements that functions make of the excused fragments, with every choice that there is."""
    from services.reporting.catalogue import views
    from services.reporting.catalogue.domain import CATALOGUE
    from services.reporting.generations import store as generations
    from services.reporting.generations.store import FACT_TABLES, PERIOD_TABLES

    for indicator in CATALOGUE.values():
        yield Statement(f"indicators {indicator.code}", views.statement(indicator, ()))
        yield Statement(f"counted {indicator.code}", views.counted_statement(indicator))
        for number, first in enumerate(indicator.dimensions):
            yield Statement(f"indicators {indicator.code} by {first}", views.statement(indicator, (first,)))
            # two at once: each with the one behind it, since every joint was prepared with some other
            for second in indicator.dimensions[number + 1 : number + 2]:
                by = (first, second)
                yield Statement(f"indicators {indicator.code} by {by}", views.statement(indicator, by))
    yield Statement("reporting clusters in the network", views.IN_NETWORK)
    yield Statement("reporting labels", views.LABELS)
    for table in generations.TABLES:
        yield Statement(f"remains of {table}", f"DELETE FROM {table} WHERE {generations.OTHERS}")
    for facts in FACT_TABLES:
        yield Statement(f"lacking {facts.name}", f"SELECT {facts.key}, version FROM {facts.name} WHERE generation = $1")
    for periods in PERIOD_TABLES:
        yield Statement(f"digest of {periods.name}", f"SELECT {periods.names}, valid, known FROM {periods.name}")


def statements_of(package: str) -> list[Statement]:
    """All statements below `services.<name>` or `shared`, single ones, without BEGIN and COMMIT."""
    found = {s: None for module in _modules(package) for s in _found(module) if not _is_excused(s.name)}
    if package == "services.reporting":
        found |= dict.fromkeys(_rendered())
    return [
        Statement(statement.name, part.strip())
        for statement in found
        for part in statement.sql.split(";")
        if part.strip() and part.strip().upper() not in CONTROL
    ]


def needless_excuses() -> list[str]:
    """Excuses for what is not there, or contains no SQL any more."""
    names = {s.name for package in (services, shared) for m in _modules(package.__name__) for s in _found(m)}
    return [e for e in EXCUSED if not any(name == e or name.startswith(f"{e}.") for name in names)]


def _is_excused(name: str) -> bool:
    return any(name == excused or name.startswith(f"{excused}.") for excused in EXCUSED)


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        yield importlib.import_module(module.name)


def _found(module: ModuleType) -> Iterator[Statement]:
    """Everything in a module that contains SQL, whole statements or not."""
    for name, value in vars(module).items():
        if name.strip("_") and name.upper() == name:
            for suffix, text in _texts(value):
                if SQL.fullmatch(text):
                    yield Statement(f"{module.__name__}.{name}{suffix}", text)
    yield from _literals(module.__name__, "", ast.parse(Path(str(module.__file__)).read_text("utf-8")))


def _texts(value: object) -> Iterator[tuple[str, str]]:
    """Texts of a constant: itself, those in a table, those that its properties render."""
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, Mapping):
        for key, text in value.items():
            if isinstance(text, str):
                yield f".{key}", text
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for name, _ in inspect.getmembers(type(value), lambda member: isinstance(member, property)):
            text = getattr(value, name)
            if isinstance(text, str) and STATEMENT.match(text):
                yield f".{name}", text
    elif isinstance(value, tuple | list):
        for number, text in enumerate(value):
            if isinstance(text, str):
                yield f".{number}", text


def _literals(module: str, inside: str, tree: ast.AST) -> Iterator[Statement]:
    """Statements written where they are run.

    A piece that is put in there stands as `{}`; what is no statement with that has to be excused.
    """
    for node in ast.iter_child_nodes(tree):
        name = inside
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{inside}.{node.name}"
        text = _literal(node) if inside else None
        if text is not None and STATEMENT.match(text) and not _is_property_of_a_constant(module, inside):
            yield Statement(f"{module}{inside}", text)
        elif not isinstance(node, ast.JoinedStr):
            yield from _literals(module, name, node)


def _literal(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _is_property_of_a_constant(module: str, inside: str) -> bool:
    """Whether `inside` is a property of which `_texts` renders the statement."""
    owner = vars(importlib.import_module(module)).get(inside.split(".")[1])
    if not inspect.isclass(owner) or inside.count(".") != 2:
        return False
    constants = vars(importlib.import_module(module)).values()
    return isinstance(vars(owner).get(inside.split(".")[2]), property) and any(type(c) is owner for c in constants)
