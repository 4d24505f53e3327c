"""The tables of uploads: the sheet, its rows, what becomes of them. Functions take a connection."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.membership.imports.commands import RowResult
from services.membership.imports.views import Absent
from services.membership.uploads.domain import Step, Upload
from shared.postgres.pool import Connection, Row
from shared.refusal import Said

COLUMNS = """
SELECT id, cluster_id, name, rows, step, header_row, places::text AS places, announce, task_id, counts::text AS counts,
       by, at, moved, version FROM upload
"""
BY_ID = COLUMNS + "WHERE id = $1"
LOCK = BY_ID + " FOR UPDATE"
LIST = (
    COLUMNS + "WHERE ($1 OR cluster_id = ANY ($2::uuid[])) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
)
INSERT = """
INSERT INTO upload (id, cluster_id, name, rows, step, header_row, places, announce, counts, by, at, moved, version)
VALUES ($1, $2, $3, $4, 'columns', $5, $6::text::jsonb, $7, '{}', $8, $9, $9, 1)
"""
SAVE = """
UPDATE upload SET step = $2, header_row = $3, places = $4::text::jsonb, announce = $5, task_id = $6,
    counts = $7::text::jsonb, moved = $8, version = version + 1
WHERE id = $1
"""
SET_TASK = "UPDATE upload SET task_id = $2 WHERE id = $1"
DELETE = "DELETE FROM upload WHERE id = $1"
PARTS = "SELECT rows FROM upload_part WHERE upload_id = $1 AND first > $2 ORDER BY first LIMIT 1"
PART_FIRST = "SELECT min(first) FROM upload_part WHERE upload_id = $1 AND first > $2"
CLEAR_RESULTS = "DELETE FROM upload_result WHERE upload_id = $1"
CLEAR_ABSENT = "DELETE FROM upload_absent WHERE upload_id = $1"
KEEP_RESULTS = """
INSERT INTO upload_result AS r (upload_id, number, outcome, name, organization_id, reasons, warnings, changes, effect)
SELECT $1, number, outcome, name, organization_id, reasons, warnings, changes, effect
FROM unnest($2::int[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[], $7::jsonb[], $8::jsonb[], $9::jsonb[])
    AS n (number, outcome, name, organization_id, reasons, warnings, changes, effect)
ON CONFLICT (upload_id, number) DO UPDATE SET outcome = excluded.outcome, name = excluded.name,
    organization_id = excluded.organization_id, reasons = excluded.reasons, warnings = excluded.warnings,
    changes = excluded.changes, effect = excluded.effect
WHERE r.effect IS NULL
"""
KEEP_ABSENT = """
INSERT INTO upload_absent (upload_id, organization_id, name, tax_number)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
"""
RESULTS = """
SELECT number, outcome, name, organization_id, reasons::text AS reasons, warnings::text AS warnings,
       changes::text AS changes FROM upload_result
WHERE upload_id = $1 AND ($2::text IS NULL OR outcome = $2) AND number > $3 ORDER BY number LIMIT $4
"""
ABSENT = """
SELECT organization_id, name, tax_number FROM upload_absent WHERE upload_id = $1 AND ($2::uuid IS NULL OR
    organization_id > $2) ORDER BY organization_id LIMIT $3
"""
OUTCOMES = """
SELECT outcome, count(*) AS count, count(*) FILTER (WHERE warnings <> '[]') AS warned FROM upload_result
WHERE upload_id = $1 GROUP BY outcome
"""
COUNT_ABSENT = "SELECT count(*) FROM upload_absent WHERE upload_id = $1"
EFFECTS = """
SELECT number, effect::text AS effect FROM upload_result
WHERE upload_id = $1 AND effect IS NOT NULL AND NOT undone AND number < $2 ORDER BY number DESC LIMIT $3
"""
COUNT_EFFECTS = "SELECT count(*) FROM upload_result WHERE upload_id = $1 AND effect IS NOT NULL AND NOT undone"
SET_UNDONE = "UPDATE upload_result SET undone = true WHERE upload_id = $1 AND number = ANY ($2::int[])"
CHANGED_SINCE = """
SELECT r.name FROM upload_result r
LEFT JOIN organization o ON o.id = (r.effect->'organization'->>'id')::uuid
LEFT JOIN membership m ON m.id = (r.effect->'membership'->>'id')::uuid
LEFT JOIN person p ON p.id = (r.effect->'person'->>'id')::uuid
WHERE r.upload_id = $1 AND r.effect IS NOT NULL AND NOT r.undone AND (
    (r.effect ? 'organization' AND o.version IS DISTINCT FROM (r.effect->'organization'->>'version')::bigint)
    OR (r.effect ? 'membership' AND m.version IS DISTINCT FROM (r.effect->'membership'->>'version')::bigint)
    OR (r.effect ? 'person' AND p.version IS DISTINCT FROM (r.effect->'person'->>'version')::bigint)
    OR (r.effect->'organization' ? 'id' AND r.effect->'organization'->'before' = 'null' AND (
        EXISTS (SELECT FROM membership x WHERE x.organization_id = o.id AND x.id IS DISTINCT FROM m.id)
        OR EXISTS (SELECT FROM person_organization x WHERE x.organization_id = o.id AND x.person_id NOT IN (
            SELECT (e.effect->'person'->>'id')::uuid FROM upload_result e
            WHERE e.upload_id = $1 AND e.effect ? 'person'))
        OR EXISTS (SELECT FROM profile x WHERE x.organization_id = o.id OR x.parent_id = o.id)
        OR EXISTS (SELECT FROM role_grant x WHERE x.scope_id = o.id)))
)
ORDER BY r.number LIMIT $2
"""
FORGET = "DELETE FROM upload WHERE id IN (SELECT id FROM upload WHERE moved < $1 LIMIT $2)"


class Result(NamedTuple):
    """What becomes of one row, as it was kept. `changes` maps fields to (old, new)."""

    number: int
    outcome: str
    name: str
    organization_id: UUID | None
    reasons: tuple[Said, ...]
    warnings: tuple[Said, ...]
    changes: dict[str, tuple[Any, Any]]


async def load(connection: Connection, id_: UUID) -> Upload | None:
    """One upload."""
    row = await connection.fetchrow(BY_ID, id_)
    return _upload(row) if row else None


async def lock(connection: Connection, id_: UUID) -> Upload | None:
    """One upload, locked."""
    row = await connection.fetchrow(LOCK, id_)
    return _upload(row) if row else None


async def recent(
    connection: Connection, everything: bool, clusters: Sequence[UUID], *, before: UUID | None, limit: int
) -> list[Upload]:
    """The uploads of these clusters, newest first."""
    return [_upload(row) for row in await connection.fetch(LIST, everything, clusters, before, limit)]


async def insert(connection: Connection, new: Upload, parts: Sequence[tuple[int, str]]) -> None:
    """Saves a new upload with its rows."""
    await connection.execute(
        INSERT, new.id, new.cluster_id, new.name, new.rows, new.header_row, orjson.dumps(new.places).decode(),
        new.announce, new.by, new.at,
    )  # fmt: skip
    await connection.copy_records_to_table(
        "upload_part", records=[(new.id, first, rows) for first, rows in parts], columns=("upload_id", "first", "rows")
    )


async def save(connection: Connection, upload: Upload, *, step: Step, now: datetime) -> None:
    """Saves a locked upload at a step."""
    await connection.execute(
        SAVE, upload.id, step, upload.header_row, orjson.dumps(upload.places).decode(), upload.announce,
        upload.task_id, orjson.dumps(upload.counts).decode(), now,
    )  # fmt: skip


async def set_task(connection: Connection, id_: UUID, task_id: UUID) -> None:
    """Says which task works on it."""
    await connection.execute(SET_TASK, id_, task_id)


async def delete(connection: Connection, id_: UUID) -> None:
    """Forgets an upload with all of its rows."""
    await connection.execute(DELETE, id_)


async def parts(connection: Connection, id_: UUID) -> AsyncIterator[str]:
    """The rows of a sheet, some hundred to a text of JSON, in order."""
    behind = -1
    while (first := await connection.fetchval(PART_FIRST, id_, behind)) is not None:
        yield await connection.fetchval(PARTS, id_, behind)
        behind = first


async def first_rows(connection: Connection, id_: UUID) -> list[tuple[int, list[str]]]:
    """The first some hundred rows."""
    text = await connection.fetchval(PARTS, id_, -1)
    return [(number, cells) for number, cells in orjson.loads(text)] if text else []


async def clear_results(connection: Connection, id_: UUID) -> None:
    """Forgets what would become of the rows."""
    await connection.execute(CLEAR_RESULTS, id_)
    await connection.execute(CLEAR_ABSENT, id_)


async def keep_results(
    connection: Connection, id_: UUID, rows: Sequence[RowResult], effects: Sequence[Mapping[str, Any] | None]
) -> None:
    """Keeps what became of rows; one that did something stays as it is."""
    await connection.execute(
        KEEP_RESULTS, id_, [row.number for row in rows], [row.outcome for row in rows], [row.name for row in rows],
        [row.organization_id for row in rows], [_sentences(row.reasons) for row in rows],
        [_sentences(row.warnings) for row in rows],
        [orjson.dumps(row.changes, default=_plain).decode() if row.changes else None for row in rows],
        [orjson.dumps(effect).decode() if effect else None for effect in effects],
    )  # fmt: skip


async def keep_absent(connection: Connection, id_: UUID, absent: Sequence[Absent]) -> None:
    """Keeps the members whom the file does not name."""
    await connection.execute(
        KEEP_ABSENT, id_, [one.organization_id for one in absent], [one.name for one in absent],
        [one.tax_number for one in absent],
    )  # fmt: skip


async def results(
    connection: Connection, id_: UUID, outcome: str | None = None, *, behind: int = -1, limit: int = 50
) -> list[Result]:
    """What becomes of the rows behind a number, in the order of the sheet."""
    return [_result(row) for row in await connection.fetch(RESULTS, id_, outcome, behind, limit)]


async def absent(connection: Connection, id_: UUID, *, behind: UUID | None = None, limit: int = 50) -> list[Absent]:
    """The members whom the file does not name, behind an id."""
    return [Absent(*row) for row in await connection.fetch(ABSENT, id_, behind, limit)]


async def counted(connection: Connection, id_: UUID) -> dict[str, int]:
    """Rows by outcome, rows with warnings, members absent from the file."""
    found = dict.fromkeys(("new", "changed", "same", "refused"), 0)
    warned = 0
    for row in await connection.fetch(OUTCOMES, id_):
        found[row["outcome"]] = row["count"]
        warned += row["warned"]
    return {**found, "warnings": warned, "absent": await connection.fetchval(COUNT_ABSENT, id_)}


async def effects(connection: Connection, id_: UUID, below: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
    """What rows below a number did and is not undone, the last first."""
    rows = await connection.fetch(EFFECTS, id_, below, limit)
    return [(row["number"], orjson.loads(row["effect"])) for row in rows]


async def count_effects(connection: Connection, id_: UUID) -> int:
    """How many rows did something that is not undone."""
    return int(await connection.fetchval(COUNT_EFFECTS, id_))


async def set_undone(connection: Connection, id_: UUID, numbers: Sequence[int]) -> None:
    """Says that these rows are undone."""
    await connection.execute(SET_UNDONE, id_, numbers)


async def changed_since(connection: Connection, id_: UUID, limit: int) -> list[str]:
    """Names of rows whose organisation, membership or representative somebody changed since."""
    return [row["name"] for row in await connection.fetch(CHANGED_SINCE, id_, limit)]


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Deletes at most `limit` uploads that nothing has moved since. Returns how many."""
    return int((await connection.execute(FORGET, before, limit)).split()[-1])


def _sentences(said: Iterable[str]) -> str:
    return orjson.dumps([one.written() if isinstance(one, Said) else [one, {}] for one in said]).decode()


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset | set) else str(value)


def _read(text: str) -> tuple[Said, ...]:
    return tuple(Said.read(one) for one in orjson.loads(text))


def _result(row: Row) -> Result:
    changes = orjson.loads(row["changes"]) if row["changes"] else {}
    return Result(
        row["number"], row["outcome"], row["name"], row["organization_id"], _read(row["reasons"]),
        _read(row["warnings"]), {name: (old, new) for name, (old, new) in changes.items()},
    )  # fmt: skip


def _upload(row: Row) -> Upload:
    values = dict(row)
    return Upload(**(values | {name: orjson.loads(values[name]) for name in ("places", "counts")}))
