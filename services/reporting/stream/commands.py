"""Following the figures: each replica reads the history once for all its listeners.

A listener that is slow, gone or stuck never holds up the others: it has its own newest values waiting,
and takes them when it can.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from services.reporting.stream import views
from services.reporting.stream.domain import Moved, Pending, Wanted, message
from shared.postgres.pool import TRANSIENT
from shared.runtime.service import Service

POLL_SECONDS = 0.2
PAGE = 2000
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000


class Listener:
    """One open stream: what waits for it, and a bell that rings when something does."""

    def __init__(self, wanted: Wanted) -> None:
        self.pending = Pending(wanted)
        self.bell = asyncio.Event()

    def hear(self, moved: Moved) -> None:
        """Takes a value in."""
        if self.pending.add(moved):
            self.bell.set()


class Broadcaster:
    """The one reader of the history in a replica. It reads while somebody listens."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._listeners: set[Listener] = set()
        self._sequence = 0
        self._reading: asyncio.Task[None] | None = None
        self._joining = asyncio.Lock()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    async def follow(self, wanted: Wanted, last: int | None) -> AsyncIterator[bytes]:
        """The stream of one listener who has everything up to `last`; ends when the service stops."""
        listener = Listener(wanted)
        await self._join(listener)
        try:
            # read after joining: what is published from here on is in `pending` too
            async with self.service.database.connection() as connection:
                first = await views.beginning(connection, wanted, last)
            listener.pending.forget(first.sequence)
            yield b"retry: %d\n\n" % RETRY_MILLISECONDS
            if first.figures is not None:
                yield message("snapshot", first.sequence, {"figures": first.figures})
            for moved in first.missed:
                yield message("figure", moved.sequence, moved.shown())
            async for part in self._onward(listener, first.sequence):
                yield part
        finally:
            self._listeners.discard(listener)

    async def _onward(self, listener: Listener, after: int) -> AsyncIterator[bytes]:
        service, pending = self.service, listener.pending
        spoke = time.monotonic()
        while not service.stopping.is_set():
            wait = pending.wait(time.monotonic())
            if wait == 0.0:
                listener.bell.clear()
                pending.forget(after)
                for moved in pending.take(time.monotonic()):
                    after = moved.sequence
                    yield message("figure", moved.sequence, moved.shown())
                spoke = time.monotonic()
                continue
            silence = HEARTBEAT_SECONDS - (time.monotonic() - spoke)
            if silence <= 0:
                yield b": still here\n\n"
                spoke = time.monotonic()
                continue
            if wait is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(listener.bell.wait(), min(silence, 1.0))
            else:
                await service.pause(min(silence, wait))

    async def _join(self, listener: Listener) -> None:
        async with self._joining:
            if self._reading is None or self._reading.done():
                async with self.service.database.connection() as connection:
                    self._sequence = await views.newest(connection)
                self._listeners.add(listener)
                self._reading = asyncio.create_task(self._read(), name=f"{self.service.name} stream")
            self._listeners.add(listener)

    async def _read(self) -> None:
        delay = POLL_SECONDS
        while self._listeners and not self.service.stopping.is_set():
            try:
                async with self.service.database.connection() as connection:
                    page = await views.moved_after(connection, self._sequence, PAGE)
                delay = POLL_SECONDS
            except TRANSIENT as error:
                self.service.log.warning("stream.retried", error=repr(error))
                page, delay = [], min(delay * 2, 5.0)
            for moved in page:
                self._sequence = moved.sequence
                for listener in self._listeners:
                    listener.hear(moved)
            if len(page) < PAGE:
                await self.service.pause(delay)
