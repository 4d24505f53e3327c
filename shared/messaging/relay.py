"""The relay: what was committed is published, in order per key, at least once.

One replica of a service leads; a batch is one transaction under an advisory lock: oldest rows, publish,
every acknowledgement, facts into history, rows deleted, commit. There is no cursor that could pass a late row.
While a batch commits the next one is published, on a second connection; batches end in the order they began.
"""

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
import uuid_utils.compat as uuid_utils
from aiokafka.errors import KafkaError

from shared.messaging.publisher import Publisher, awake_clock
from shared.postgres.pool import TRANSIENT, Connection, connect_options
from shared.runtime.tracing import SpanKind

if TYPE_CHECKING:
    from shared.runtime.service import Service

BEGIN = "BEGIN; SELECT pg_advisory_xact_lock_shared(relay_lock())"
OLDEST = """
SELECT position, aggregatetype, aggregateid, convert_to(payload::text, 'UTF8') AS value, id::text, type, source,
       subject, to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time, dataschema, version::text,
       effective::text, actor, cause, traceparent
FROM outbox WHERE (SELECT holder FROM relay_lease) = $1 AND position NOT IN (SELECT unnest($3::bigint[]))
ORDER BY position LIMIT $2
"""
DEPTH = "SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(time)), 0)::float8 AS age FROM outbox"
LEASE = """
SELECT holder, replica, released, extract(epoch FROM clock_timestamp() - since)::float8 AS age FROM relay_lease
"""
TAKE_OVER = """
INSERT INTO relay_lease (holder, replica) VALUES ($1, $2)
ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, replica = excluded.replica,
    since = clock_timestamp(), released = false
"""
BEGUN = "UPDATE relay_lease SET replica = $2 WHERE holder = $1 RETURNING true"

ALIVE_SECONDS = 60.0
FOLLOWER_SECONDS = 0.5
QUIET_AFTER_SECONDS = 30.0
SLOW_POLL_SECONDS = 0.02


class Relay:
    """The relay of one replica of one service. `run` returns when the service stops, after its batch."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._settings = service.settings
        self._process = uuid_utils.uuid7()
        self._wake = asyncio.Event()
        self._in_flight: list[int] = []
        self._moving: asyncio.Task[None] | None = None
        self._more = False
        self._publisher = Publisher(service.settings, service=service.name)
        self._leads = False
        self._has_led = False
        self._rows = self._settings.relay_batch
        self._tick = time.monotonic()
        self._trouble: str | None = "has not published yet"

    # --- what others ask ---------------------------------------------------------------------------

    def wake(self) -> None:
        """Says that rows were committed in this process."""
        self._wake.set()

    def not_ready(self) -> str | None:
        """Why records do not get out, None when they do or when another replica publishes."""
        return self._trouble

    def alive(self) -> bool:
        """Whether the loop ticks."""
        return time.monotonic() - self._tick < ALIVE_SECONDS

    async def measure(self) -> None:
        """Sets the outbox gauges."""
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with self._service.database.connection() as connection:
                row = await connection.fetchrow(DEPTH)
                assert row is not None
                self._service.metrics.outbox_rows.set(row["rows"])
                self._service.metrics.outbox_age.set(max(row["age"], 0.0))

    # --- the loop ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Publishes until the service stops. Errors of Postgres or Kafka are met by starting anew."""
        delay = 0.1
        while not self._service.stopping.is_set():
            self._tick = time.monotonic()
            try:
                await self._session()
                delay = 0.1
            except (KafkaError, asyncpg.PostgresError, *TRANSIENT) as error:
                self._trouble = f"{type(error).__name__}: {error}"[:200]
                self._service.metrics.publish_errors.inc()
                self._service.log.warning("relay.retried", error=self._trouble)
            except Exception as error:
                self._trouble = f"{type(error).__name__}: {error}"[:200]
                self._service.log.exception("relay.failed")
            finally:
                self._set_leads(False)
                await self._publisher.drop()
            if not self._service.stopping.is_set():
                await self._service.pause(delay)
                delay = min(delay * 2, 2.0)

    async def _session(self) -> None:
        options = connect_options(
            self._settings.postgres(self._service.name),
            schema=self._service.name,
            application=f"cumulo-{self._service.name}-relay-{self._settings.replica}",
        )
        # a frozen relay loses its transaction, and with it the lock, no sooner than its deadline is over
        options["server_settings"]["idle_in_transaction_session_timeout"] = str(
            int(self._settings.relay_deadline_seconds * 1000) + 1000
        )
        options["server_settings"]["lock_timeout"] = "2000"
        async with contextlib.AsyncExitStack() as stack:
            lanes = [await stack.enter_async_context(_connected(options)) for _ in range(2)]
            try:
                await self._publisher.start()
                await self._work(lanes)
            finally:
                await self._leave_batch()

    async def _leave_batch(self) -> None:
        """After an error: what is being committed may end; it is sent again unless it did."""
        moving, self._moving = self._moving, None
        self._in_flight, self._more = [], False
        if moving is not None:
            await asyncio.wait([moving], timeout=2)
            moving.cancel()
            await asyncio.gather(moving, return_exceptions=True)

    async def _work(self, lanes: Sequence[Connection]) -> None:
        turns = itertools.cycle(lanes)
        idle = 0.001
        last_traffic = others_wrote = time.monotonic()
        stopping = self._service.stopping
        while True:
            self._tick = time.monotonic()
            if not self._leads:
                if stopping.is_set():
                    return
                if not await self._lead(lanes[0]):
                    await self._service.pause(FOLLOWER_SECONDS)
                    continue
            woken = self._wake.is_set() or self._more
            if not woken:
                await self._moved()  # there is nothing to hide its commit behind
            waiting = woken or await lanes[0].fetchval("SELECT EXISTS (SELECT FROM outbox)")
            if waiting and await self._batch(next(turns)):
                idle, last_traffic = 0.001, time.monotonic()
                others_wrote = others_wrote if woken else last_traffic
                continue
            if not self._leads:
                continue
            if stopping.is_set():
                await self._release(lanes[0])
                return
            now = time.monotonic()
            if now - others_wrote > QUIET_AFTER_SECONDS:
                idle = SLOW_POLL_SECONDS  # only this process writes, and it wakes us: polling would just take its time
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), idle)
            idle = min(idle * 2, 0.1 if now - last_traffic > QUIET_AFTER_SECONDS else SLOW_POLL_SECONDS)

    # --- who leads ---------------------------------------------------------------------------------

    async def _lead(self, connection: Connection) -> bool:
        """Takes over when nobody leads, the leader let go, or its rows do not move. Returns whether we lead now.

        Without an orderly hand-over the successor waits longer than a relay's deadline, so that whatever the
        other one still does lies before our first send. A process that has just started under the leader's own
        replica name does not wait: it stands where that one was (Kafka fences an older member of its name, too).
        While a successor waits the lease still names the replica before it: whoever comes next under the successor's
        own name, after a kill in the middle of the wait, has waited for nothing.
        """
        lease = await connection.fetchrow(LEASE)
        wait = False
        mine = self._settings.replica
        patience = self._settings.relay_deadline_seconds + 1
        if lease is not None and lease["holder"] == self._process:
            wait = lease["replica"] != mine  # taken, but the wait did not come to its end
        elif lease is not None:
            restarted = lease["replica"] == mine and not self._has_led
            wait = not lease["released"] and not restarted
            # who has just taken over waits as well, and its rows stand still meanwhile: leave it time to begin,
            # or successors take the lead from one another for ever
            if wait and (lease["age"] < patience + 1 or not await self._stands_still(connection)):
                self._trouble = None
                return False
        async with connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock(relay_lock())"):
                return False
            now = await connection.fetchrow(LEASE)
            if (now and (now["holder"], now["released"])) != (lease and (lease["holder"], lease["released"])):
                return False  # another one was quicker between our look and our lock
            await connection.execute(TAKE_OVER, self._process, lease["replica"] if lease and wait else mine)
        if wait:
            self._service.log.warning("relay.takes_over", waits=patience)
            await self._service.pause(patience)
            if self._service.stopping.is_set():
                return False  # the wait was cut short: nothing is sent, and whoever comes next waits for us
            if not await connection.fetchval(BEGUN, self._process, mine):
                return False  # another one took over meanwhile: the replica before us is back
        self._set_leads(True)
        self._has_led = True
        self._trouble = None
        self._service.log.info("relay.leads", after=lease["replica"] if lease else None)
        return True

    async def _stands_still(self, connection: Connection) -> bool:
        oldest = "SELECT min(position) FROM outbox"
        first = await connection.fetchval(oldest)
        if first is None:
            return False
        await self._service.pause(1.0)
        return bool(first == await connection.fetchval(oldest))

    async def _release(self, connection: Connection) -> None:
        await connection.execute("UPDATE relay_lease SET released = true WHERE holder = $1", self._process)
        self._set_leads(False)

    def _set_leads(self, leads: bool) -> None:
        self._leads = leads
        self._service.metrics.relay_leads.set(1 if leads else 0)

    # --- one batch ---------------------------------------------------------------------------------

    async def _batch(self, connection: Connection) -> int:
        """Publishes the oldest rows that are not in flight. Returns how many; 0 when there was nothing to do.

        They move into history and are committed behind the batch before; whoever wants that awaits `_moved`.
        """
        started = time.perf_counter()
        # the deadline counts from before the transaction, so that Postgres frees the lock after it
        self._publisher.deadline = awake_clock() + self._settings.relay_deadline_seconds
        try:
            await connection.execute(BEGIN)
            self._wake.clear()  # what was committed before this is read now
            rows = await connection.fetch(OLDEST, self._process, self._rows, self._in_flight)
            self._more = len(rows) == self._rows
            if not rows:
                await connection.execute("ROLLBACK")
                await self._moved()
                if await connection.fetchval("SELECT holder FROM relay_lease") != self._process:
                    self._service.log.warning("relay.was_succeeded")
                    self._set_leads(False)
                return 0
            async with asyncio.timeout(self._settings.relay_deadline_seconds):
                with self._span(rows):
                    await self._publish(rows)
            await self._between_send_and_commit()
            await self._moved()
            self._in_flight = [row[0] for row in rows]
            self._moving = asyncio.create_task(self._move(connection, rows, started))
        except BaseException:
            self._set_leads(False)
            # large records or a slow broker: the same batch again might never be done in time
            self._rows = max(self._rows // 2, 1)
            raise
        return len(rows)

    async def _moved(self) -> None:
        """Waits until the last published batch is in history and committed. Raises what kept it from that."""
        if self._moving is not None:
            await self._moving
            self._moving, self._in_flight = None, []

    async def _move(self, connection: Connection, rows: Sequence[asyncpg.Record], started: float) -> None:
        # one round trip: positions are numbers of our own, and a simple query takes several statements
        positions = ",".join([str(row[0]) for row in rows])
        await connection.execute(f"SELECT outbox_published('{{{positions}}}'); COMMIT")
        self._rows = min(self._rows * 2, self._settings.relay_batch)
        self._service.metrics.publish_seconds.observe(time.perf_counter() - started)
        counts: defaultdict[str, int] = defaultdict(int)
        for row in rows:
            counts[row["aggregatetype"]] += 1
        for topic, count in counts.items():
            self._service.metrics.published.labels(topic).inc(count)

    async def _between_send_and_commit(self) -> None:
        """Nothing. The moment in which a crash publishes a batch twice; the failure tests stop here."""

    def _span(self, rows: Sequence[asyncpg.Record]) -> contextlib.AbstractContextManager[Any]:
        traces = {row["traceparent"] for row in rows[:50] if row["traceparent"]}
        if not traces:
            return contextlib.nullcontext()
        if len(traces) == 1:
            return self._service.tracing.span("publish", traceparent=traces.pop(), kind=SpanKind.PRODUCER)
        return self._service.tracing.span("publish", links=tuple(traces), kind=SpanKind.PRODUCER, rows=len(rows))

    async def _publish(self, rows: Sequence[asyncpg.Record]) -> None:
        await self._publisher.publish(rows)


@contextlib.asynccontextmanager
async def _connected(options: dict[str, Any]) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(**options)
    try:
        yield connection
    finally:
        with contextlib.suppress(Exception):  # the connection is given up either way
            await asyncio.wait_for(connection.close(), 2)
        connection.terminate()
