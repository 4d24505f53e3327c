"""Traces that cross the outbox and Kafka: one from the request to the mail.

A tracer belongs to a service; spans are exported over OTLP when an endpoint is set, and otherwise only
carry the ids that logs and events show. The context travels as a W3C `traceparent` in the event.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def parent_of(traceparent: str | None) -> Context | None:
    """The context that a `traceparent` names, None when there is none or it is malformed."""
    if not traceparent:
        return None
    context = _PROPAGATOR.extract({"traceparent": traceparent}, context=Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def current_traceparent() -> str | None:
    """The W3C header of the span that is current, None outside any."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags & TraceFlags.SAMPLED:02x}"


class Tracing:
    """The tracer of one service."""

    def __init__(self, service: str, otlp_endpoint: str | None = None, processor: SpanProcessor | None = None) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": f"cumulo-{service}"}), shutdown_on_exit=False
        )
        self.exports = bool(otlp_endpoint or processor)
        if otlp_endpoint:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            endpoint = otlp_endpoint.rstrip("/") + "/v1/traces"
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        if processor:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("cumulo")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        traceparent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: tuple[str, ...] = (),
        **attributes: str | int,
    ) -> Iterator[Span]:
        """A span, child of `traceparent` when given, else of the current one; `links` are other traceparents."""
        contexts = [parent_of(link) for link in links]
        linked = [Link(trace.get_current_span(c).get_span_context()) for c in contexts if c is not None]
        with self._tracer.start_as_current_span(
            name, context=parent_of(traceparent), kind=kind, links=linked, attributes=attributes
        ) as span:
            yield span

    def close(self) -> None:
        """Exports what is left; bounded by the exporter's own timeout."""
        self._provider.shutdown()


__all__ = ["SpanKind", "Tracing", "current_traceparent", "parent_of"]
