"""Which figures may have moved, and which values were published last."""

from collections.abc import Iterable, Sequence
from datetime import date

from services.reporting.catalogue.domain import Family
from services.reporting.indicators.domain import Figure, Move
from shared.postgres.pool import Connection

LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.figures', 0))"
MARK = "INSERT INTO dirty (scope, family) SELECT unnest($1::text[]), $2"
MARKED = "SELECT number, family, scope FROM dirty ORDER BY number"
UNMARK = "DELETE FROM dirty WHERE number = ANY ($1)"
DUE = "SELECT EXISTS (SELECT FROM dirty)"
DAY = "SELECT day FROM figures_day"
SET_DAY = "INSERT INTO figures_day (day) VALUES ($1) ON CONFLICT (one) DO UPDATE SET day = excluded.day"
FIGURES = "SELECT indicator, scope, version, value, as_of, changed_at FROM figure ORDER BY indicator, scope"
SAVE = """
INSERT INTO figure (indicator, scope, version, value, as_of, changed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::date[], $6::timestamptz[])
ON CONFLICT (indicator, scope) DO UPDATE SET version = excluded.version, value = excluded.value,
    as_of = excluded.as_of, changed_at = excluded.changed_at
"""
STILL = "UPDATE figure SET as_of = $1 WHERE indicator = ANY ($3) AND scope = ANY ($2) AND as_of <> $1"


async def try_lock(connection: Connection) -> bool:
    """Whether this transaction publishes; another replica does when not."""
    return bool(await connection.fetchval(LOCK))


async def mark(connection: Connection, family: Family, scopes: Iterable[str]) -> None:
    """Says that the figures of a family may have moved in these scopes."""
    await connection.execute(MARK, sorted(scopes), family)


async def marked(connection: Connection) -> dict[int, tuple[Family, str]]:
    """The marks by their number: family and scope."""
    return {row["number"]: (row["family"], row["scope"]) for row in await connection.fetch(MARKED)}


async def unmark(connection: Connection, numbers: Sequence[int]) -> None:
    """Takes marks away; those set meanwhile stay."""
    await connection.execute(UNMARK, numbers)


async def something_due(connection: Connection) -> bool:
    """Whether there is a mark."""
    return bool(await connection.fetchval(DUE))


async def day_of_figures(connection: Connection) -> date | None:
    """The day of which the figures speak."""
    day: date | None = await connection.fetchval(DAY)
    return day


async def set_day(connection: Connection, day: date) -> None:
    """All figures speak of this day once the marks are worked off."""
    await connection.execute(SET_DAY, day)


async def figures(connection: Connection) -> list[Figure]:
    """All figures as last published."""
    return [Figure(*row) for row in await connection.fetch(FIGURES)]


async def save(
    connection: Connection, moved: Sequence[Move], codes: Iterable[str], scopes: Iterable[str], as_of: date
) -> None:
    """Keeps what is published now; figures of these scopes that did not move speak of `as_of` too."""
    await connection.execute(STILL, as_of, list(scopes), list(codes))
    if moved:
        await connection.execute(SAVE, *zip(*(move.figure for move in moved), strict=True))
