"""Connections to one service's schema, and the transaction in which a command runs.

Every connection has its search path, zone and time limits from the start (`SET` would be lost when
the pool resets it); acquiring one never hangs; a `Unit` is committed by the edge, never by a command.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from shared.runtime.settings import PostgresSettings

TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a query on a connection whose server has just said that it ends
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,  # a migration beside a running process; prepared anew at the next try
    asyncpg.ReadOnlySQLTransactionError,  # a standby answers, until the address leads to the primary again
    OSError,
    TimeoutError,
)
"""Errors of a dependency, not of the program: tried again."""

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
    Row = asyncpg.Record
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
    Row = asyncpg.Record

ACQUIRE_SECONDS = 5.0

BAD_VALUE: tuple[type[Exception], ...] = (asyncpg.DataError, asyncpg.exceptions._base.DataError)
"""A value that PostgreSQL cannot hold, as the server says it and as the driver says it before sending."""


@dataclass(slots=True)
class Unit:
    """One transaction and the circumstances under which it happens.

    `actor` is who acts ("cli", "service:notifications", a person's id), `cause` the id of the request or
    event that led to it, `now` the instant that counts as the present, `traceparent` the W3C trace context.
    """

    connection: Connection
    actor: str
    cause: str
    now: datetime
    traceparent: str | None = None
    recorded: int = 0


def connect_options(settings: PostgresSettings, *, schema: str, application: str) -> dict[str, Any]:
    """Arguments for asyncpg.connect: address, role and the session's settings."""
    return {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "password": settings.password.get_secret_value() if settings.password else None,
        "database": settings.database,
        "timeout": 10.0,
        "server_settings": {
            "search_path": f"{schema}, extensions",
            "application_name": application,
            "timezone": "UTC",
            "statement_timeout": "120000",
            "lock_timeout": "30000",
            "idle_in_transaction_session_timeout": "60000",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
            "jit": "off",
        },
    }


@dataclass(slots=True)
class Database:
    """One service's pool. `on_recorded` is called after a commit that put rows into the outbox."""

    pool: Pool
    schema: str
    on_recorded: list[Callable[[], None]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside any transaction, for reads. Raises `TimeoutError` when none is free in time."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def unit(
        self, *, actor: str, cause: str, now: datetime | None = None, traceparent: str | None = None
    ) -> AsyncIterator[Unit]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        async with self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            async with connection.transaction():
                unit = Unit(connection, actor, cause, now or datetime.now(UTC), traceparent)
                yield unit
            if unit.recorded:
                for wake in self.on_recorded:
                    wake()


class _Plain(asyncpg.Connection[asyncpg.Record] if TYPE_CHECKING else asyncpg.Connection):  # type: ignore[misc]
    """A connection whose session is never altered, so that returning it to the pool costs no round trip."""

    def get_reset_query(self) -> str:
        return ""


class PostgresAway(ConnectionError):
    """No PostgreSQL answers; the text says where it was looked for."""


def _away(options: Mapping[str, Any], error: OSError) -> PostgresAway:
    numbered = error.errno is not None and error.errno > 0  # asyncio's own texts repeat the address
    why = os.strerror(error.errno or 0) if numbered else error.strerror or str(error) or "no answer in time"
    return PostgresAway(f"PostgreSQL does not answer at {options['host']}:{options['port']} ({why})")


async def connected(options: Mapping[str, Any], **more: Any) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection of its own, by these arguments of asyncpg.connect. Raises `PostgresAway`."""
    try:
        return await asyncpg.connect(**{**options, **more})
    except OSError as error:
        raise _away(options, error) from error


@contextlib.asynccontextmanager
async def open_database(
    settings: PostgresSettings, *, schema: str, application: str = "cumulo", size: int = 10
) -> AsyncIterator[Database]:
    """The pool of one service, closed at the end of the block. Raises `PostgresAway`."""
    options = connect_options(settings, schema=schema, application=application)
    try:
        pool = await asyncpg.create_pool(
            min_size=1, max_size=size, command_timeout=130, connection_class=_Plain, **options
        )
    except OSError as error:
        raise _away(options, error) from error
    try:
        yield Database(pool, schema)
    finally:
        try:
            await asyncio.wait_for(pool.close(), 5.0)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()
