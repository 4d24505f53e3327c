"""One batch to its effect, whatever it takes, by the policy of each error.

A dependency's error is waited out, an event's error parks it, a program's error halts the consumer; so do
many parked keys in a minute. What happened is counted, and logged where a person should know.
"""

import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import structlog

from shared.messaging.apply import Applier, Outcome, counts_by_type
from shared.messaging.cloudevents import Received
from shared.messaging.events import Consumer
from shared.postgres.pool import TRANSIENT, Unit
from shared.runtime.tracing import SpanKind

if TYPE_CHECKING:
    from shared.runtime.service import Service


class Stopping(Exception):
    """The service stops before this batch had its effect; it is read again."""


class Settling:
    """Settles the batches of one consumer of one replica. Once `halted` it settles nothing until a restart."""

    def __init__(self, service: "Service", consumer: Consumer) -> None:
        self.applier = Applier(consumer)
        self.halted: str | None = None
        self.backing_off: str | None = None
        self._name = consumer.name
        self._service = service
        self._parked_lately: deque[float] = deque()

    async def settle(self, items: Sequence[Received]) -> None:
        """Brings a batch to its effect, whatever it takes."""
        delay = 0.1
        while True:
            if self.halted is not None:
                await self._service.stopping.wait()
                raise Stopping
            try:
                outcomes = await self.applier.settle(self._unit, items)
            except TRANSIENT as error:
                self.backing_off = f"tries again after {type(error).__name__}: {error}"[:200]
                self._service.metrics.retries.labels(self._name).inc()
                self._service.log.warning("consumer.backs_off", consumer=self._name, error=repr(error), seconds=delay)
                await self._service.pause(delay * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads retries
                delay = min(delay * 2, 5.0)
                if self._service.stopping.is_set():
                    raise Stopping from error
            except Exception as error:
                self._fail(error)
            else:
                self.backing_off = None
                for outcome in outcomes:
                    self._count(outcome)
                return

    async def give_up(self, error: Exception) -> None:
        """Halts over a fault of the program outside of a batch, and waits for the end of the service."""
        self._fail(error)
        await self._service.stopping.wait()

    def _fail(self, error: Exception) -> None:
        self._service.log.exception("consumer.failed", consumer=self._name)
        self._halt(f"{type(error).__name__}: {error}"[:300])

    @contextlib.asynccontextmanager
    async def _unit(self, items: Sequence[Received]) -> AsyncIterator[Unit]:
        """The transaction of a batch, in the trace of its event or linked to the traces of its events."""
        service = self._service
        traces = {item.traceparent for item in items[:20] if item.traceparent}
        cause = str(items[0].id)
        with contextlib.ExitStack() as stack:
            if len(traces) == 1:
                stack.enter_context(
                    service.tracing.span(f"apply {self._name}", traceparent=next(iter(traces)), kind=SpanKind.CONSUMER)
                )
            elif traces and service.tracing.exports:
                stack.enter_context(
                    service.tracing.span(
                        f"apply {self._name}", links=tuple(traces), kind=SpanKind.CONSUMER, events=len(items)
                    )
                )
            stack.enter_context(structlog.contextvars.bound_contextvars(service=service.name, cause=cause))
            async with service.unit(actor=f"service:{service.name}", cause=cause) as unit:
                yield unit

    def _count(self, outcome: Outcome) -> None:
        metrics, name = self._service.metrics, self._name
        now = self._service.clock()
        for type_, count in counts_by_type(outcome.applied).items():
            metrics.applied.labels(name, type_).inc(count)
        if outcome.applied:
            # the oldest and the newest of a batch stand for it
            for event in {
                outcome.applied[0].id: outcome.applied[0],
                outcome.applied[-1].id: outcome.applied[-1],
            }.values():
                metrics.event_age.labels(name).observe(max((now - event.time).total_seconds(), 0.0))
        for counter, count in (
            (metrics.duplicates, outcome.duplicates),
            (metrics.skipped, outcome.skipped),
            (metrics.outdated, outcome.outdated),
            (metrics.parked, len(outcome.parked)),
        ):
            if count:
                counter.labels(name).inc(count)
        for number, item, reason in outcome.parked:
            self._service.log.warning(
                "event.parked", consumer=name, number=number, topic=item.topic, partition=item.partition,
                offset=item.offset, key=item.key, id=str(item.id), type=item.type, cause=item.cause,
                trace=item.traceparent, reason=reason or "waits behind an earlier one of its key",
            )  # fmt: skip
        if outcome.keys_parked:
            instant = time.monotonic()
            self._parked_lately.extend([instant] * outcome.keys_parked)
            while self._parked_lately and self._parked_lately[0] < instant - 60:
                self._parked_lately.popleft()
            if len(self._parked_lately) > self._service.settings.parked_keys_per_minute:
                self._halt(f"{len(self._parked_lately)} keys were parked within a minute: the program is to blame")

    def _halt(self, reason: str) -> None:
        self.halted = f"halted: {reason}"
        self._service.metrics.halted.labels(self._name).set(1)
        self._service.log.error("consumer.halted", consumer=self._name, reason=reason)
