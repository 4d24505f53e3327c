"""The numbers an operator watches, one registry per service so that four can share a process.

Names start with `cumulo_`; durations are seconds, sizes are counts. Served at `/<service>/metrics`.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600)


class Metrics:
    """All of one service's metrics, as attributes."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        here = self.registry
        self.up = Gauge("cumulo_up", "1 while the service runs", ["service"], registry=here)
        self.up.labels(service).set(1)
        self.outbox_rows = Gauge("cumulo_outbox_rows", "rows waiting to be published", registry=here)
        self.outbox_age = Gauge("cumulo_outbox_oldest_seconds", "age of the oldest waiting row", registry=here)
        self.published = Counter("cumulo_published", "records acknowledged by Kafka", ["topic"], registry=here)
        self.publish_errors = Counter("cumulo_publish_errors", "batches that failed and were sent again", registry=here)
        self.publish_seconds = Histogram(
            "cumulo_publish_batch_seconds", "a batch from select to commit", buckets=_FAST, registry=here
        )
        self.relay_leads = Gauge("cumulo_relay_leads", "1 where this replica publishes", registry=here)
        per_consumer = ["consumer"]
        self.lag = Gauge(
            "cumulo_consumer_lag", "records without effect; -1 unknown, as always on the embedded broker", per_consumer,
            registry=here,
        )  # fmt: skip
        self.applied = Counter("cumulo_applied", "events that had their effect", [*per_consumer, "type"], registry=here)
        self.duplicates = Counter("cumulo_duplicates", "events received again", per_consumer, registry=here)
        self.skipped = Counter("cumulo_skipped", "events of types not handled", per_consumer, registry=here)
        self.outdated = Counter("cumulo_outdated", "states that were not newer", per_consumer, registry=here)
        self.parked = Counter("cumulo_parked", "events set aside", per_consumer, registry=here)
        self.parked_now = Gauge("cumulo_parked_waiting", "events set aside now", per_consumer, registry=here)
        self.halted = Gauge(
            "cumulo_consumer_halted", "1 where a consumer stopped on an error", per_consumer, registry=here
        )
        self.retries = Counter("cumulo_consumer_retries", "batches tried again", per_consumer, registry=here)
        self.event_age = Histogram(
            "cumulo_event_age_seconds", "from recording to effect", per_consumer, buckets=_FAST, registry=here
        )
        self.pool_size = Gauge("cumulo_pool_connections", "connections open", registry=here)
        self.pool_idle = Gauge("cumulo_pool_idle", "connections idle", registry=here)
        self.requests = Histogram(
            "cumulo_http_seconds", "requests", ["method", "route", "status"], buckets=_FAST, registry=here
        )
        self.job_turns = Counter(
            "cumulo_job_turns", "turns of jobs, by how they ended", ["job", "outcome"], registry=here
        )
        self.mails = Counter("cumulo_mails", "mails by outcome", ["outcome"], registry=here)

    def listens(self, consumer: str, types: Iterable[str]) -> None:
        """Begins a consumer's counters at 0: `rate()` does not see a first event in a counter that begins with it."""
        for counter in (self.duplicates, self.skipped, self.outdated, self.parked, self.retries):
            counter.labels(consumer)
        for type_ in types:
            self.applied.labels(consumer, type_)
