"""What is held of a person, where, and what erasing does there: each module declares its own columns once.

Read and erased from these lists by `cumulo privacy`, across all schemas, as their owner; a scan over every column of
every table then looks for what is left, whatever the lists say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.postgres.pool import Connection

if TYPE_CHECKING:
    from shared.runtime.service import Definition

BY_VALUE = "EXISTS (SELECT FROM unnest($2::text[]) AS v WHERE position(convert_to(v, 'UTF8') in {column}) > 0)"
NOBODY = "cardinality($1::text[]) < 0"
"""Goes before a condition that asks for values only: every statement has both parameters or the first."""
COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = $1 AND t.table_type = 'BASE TABLE'
  AND (c.data_type IN ('text', 'jsonb', 'json', 'bytea', 'character varying', 'ARRAY'))
  AND NOT EXISTS (
      SELECT FROM pg_inherits i WHERE i.inhrelid = to_regclass(quote_ident($1) || '.' || quote_ident(table_name)))
ORDER BY 1, 2
"""
LEAST_CHARACTERS = 3
"""A value shorter than this is found everywhere."""

Erasing = Literal["record", "row", "values"]


@dataclass(frozen=True, slots=True)
class Personal:
    """Personal columns of one table, and whose they are.

    `whose` is a condition with `$1::text[]`, the person's ids, and `$2::text[]`, their mail addresses and names, as
    written and in small letters. `erasing` says what goes: the `record` (by the owner's command, elsewhere by the
    record without a value that it publishes), the `row` (found by id or address: a name may be another's as well), or
    the `values`, which become what `blank` says.
    """

    table: str
    columns: tuple[str, ...]
    whose: str
    erasing: Erasing
    blank: str = ""


def by_text(text: str) -> str:
    """A condition: one of the person's values stands in this text, in small letters."""
    return f"{NOBODY} OR EXISTS (SELECT FROM unnest($2::text[]) AS v WHERE position(v in lower({text})) > 0)"


EVERYWHERE: tuple[Personal, ...] = (
    Personal("access_copy", ("name", "mail_hash"), "subject_id::text = ANY ($1)", "record"),
    Personal("idempotency", ("body", "headers"), f"actor = ANY ($1) OR {BY_VALUE.format(column='body')}", "row"),
    Personal("parked", ("value", "headers"), f"key = ANY ($1) OR {BY_VALUE.format(column='value')}", "row"),
    Personal("outbox", ("payload",), "right(aggregatetype, 6) = '.state' AND aggregateid = ANY ($1)", "record"),
    Personal("file", ("name",), by_text("name"), "values", "name = 'erased'"),
    Personal("task", ("reason", "result"), by_text("concat(reason, result::text)"), "values",
             "reason = NULL, result = NULL"),
    Personal("parked_log", ("reason",), by_text("reason"), "values", "reason = 'erased'"),
)  # fmt: skip
"""What every service has. Ids of who acted stay everywhere: without the account they name nobody."""


class Held(NamedTuple):
    """What one table holds of a person: how many rows, and what stands in them, at most fifty."""

    service: str
    table: str
    columns: tuple[str, ...]
    rows: int
    values: tuple[str, ...]
    erasing: Erasing


class Left(NamedTuple):
    """A value that was found where it should be no more."""

    service: str
    table: str
    column: str
    value: str
    rows: int


def lists(definition: "Definition") -> tuple[Personal, ...]:
    """What a service holds: what every service has, and its own."""
    return (*EVERYWHERE, *definition.personal)


async def held(
    owner: Connection, definitions: Mapping[str, "Definition"], ids: Sequence[str], values: Sequence[str]
) -> list[Held]:
    """What is held of whoever has these ids and values, where there is something."""
    found = []
    for name, definition in definitions.items():
        for one in lists(definition):
            text = ", ".join(f"{column}::text" for column in one.columns)
            row = await owner.fetchrow(
                f"SELECT count(*) AS rows, (array_agg(DISTINCT left(concat_ws(' · ', {text}), 200)))[1:50] AS values"
                f" FROM {name}.{one.table} WHERE {one.whose}",
                *_asked(one, ids, values),
            )
            if row is not None and row["rows"]:
                found.append(Held(name, one.table, one.columns, row["rows"], tuple(row["values"]), one.erasing))
    return found


async def erase_by_list(
    owner: Connection, definitions: Mapping[str, "Definition"], ids: Sequence[str], values: Sequence[str]
) -> int:
    """Erases rows and values that no record without a value erases. Returns how many rows changed."""
    changed = 0
    for name, definition in definitions.items():
        for one in lists(definition):
            if one.erasing == "record":
                continue
            statement = (
                f"DELETE FROM {name}.{one.table} WHERE {one.whose}" if one.erasing == "row"
                else f"UPDATE {name}.{one.table} SET {one.blank} WHERE {one.whose}"
            )  # fmt: skip
            known = [value for value in values if "@" in value] if one.erasing == "row" else values
            changed += int((await owner.execute(statement, *_asked(one, ids, known))).split()[-1])
        await owner.execute(
            f"DELETE FROM {name}.parked_key k WHERE NOT EXISTS (SELECT FROM {name}.parked p"
            " WHERE (p.consumer, p.topic, p.key) = (k.consumer, k.topic, k.key))"
        )
    return changed


async def left(owner: Connection, services: Sequence[str], values: Sequence[str]) -> list[Left]:
    """Every column of every table of these schemas in which one of these values still stands."""
    wanted = sorted({value.lower() for value in values if len(value) >= LEAST_CHARACTERS})
    # a capital with an accent has other bytes than its small letter
    as_written = sorted({value for value in values if len(value) >= LEAST_CHARACTERS}.union(wanted))
    found = []
    for service in services:
        for row in await owner.fetch(COLUMNS, service):
            table, column = row["table_name"], row["column_name"]
            # bytes may hold anything, a NUL too: they are written out, and what is looked for in the same way
            text = f"encode({column}, 'escape')" if row["data_type"] == "bytea" else f"{column}::text"
            sought = "encode(convert_to(v, 'UTF8'), 'escape')" if row["data_type"] == "bytea" else "v"
            hits = await owner.fetch(
                f"SELECT lower(v) AS value, count(*) AS rows FROM {service}.{table}, unnest($1::text[]) AS v"
                f" WHERE position(lower({sought}) in lower({text})) > 0 GROUP BY lower(v)",
                as_written if row["data_type"] == "bytea" else wanted,
            )
            found += [Left(service, table, column, hit["value"], hit["rows"]) for hit in hits]
    return found


def _asked(one: Personal, ids: Sequence[str], values: Sequence[str]) -> tuple[list[str], ...]:
    """The parameters that the condition names: PostgreSQL refuses one that it has no use for."""
    both = list(ids), sorted({*values, *(value.lower() for value in values)})
    return both if "$2" in one.whose else both[:1]
