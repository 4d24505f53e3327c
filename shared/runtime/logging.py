"""Logs: named events with keys, JSON where a program reads them, readable in a terminal.

Every line carries the service and, inside a request or a batch, its trace and cause. Values under a
secret's name are never written. A line that cannot be written is lost, never the work that it tells of.
"""

import contextlib
import io
import logging
import os
import sys
from typing import Any, TextIO, cast

import structlog
from opentelemetry import trace

from shared.runtime.settings import Settings

Log = structlog.typing.FilteringBoundLogger

_SECRET = ("password", "token", "secret", "authorization", "cookie")


def _hide_secrets(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in event:
        if any(word in key.lower() for word in _SECRET):
            event[key] = "***"
    return event


def _add_trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid and "trace" not in event:
        event["trace"] = format(context.trace_id, "032x")
    return event


class _StandardError(io.TextIOBase):
    """Standard error as it is at the time of writing.

    A closed terminal, a collector that went away or a full disk raise in `write`; a consumer that logs
    what it sets aside would take that for a fault of its own and halt.
    """

    def write(self, line: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line)
        return len(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def configure(*, format: str = "auto", level: str = "info") -> None:  # noqa: A002 - the setting's own name
    """Sets up structlog and the standard library's loggers once per process, to standard error."""
    out = cast(TextIO, _StandardError())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    tail = [] if console else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, *tail, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail, renderer],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # aiokafka tells at error level what our own loops meet, decide and log themselves
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("faststream").setLevel(logging.CRITICAL)


def configure_for_commands() -> None:
    """For a person at a terminal: only what needs an eye, unless `CUMULO_LOG_LEVEL` asks for more."""
    settings = Settings()
    configure(format=settings.log_format, level=settings.log_level if "CUMULO_LOG_LEVEL" in os.environ else "warning")


def get_log(service: str) -> Log:
    """A logger whose lines carry the service's name."""
    log: Log = structlog.get_logger().bind(service=service)
    return log
