"""Logs tell of the work; where they cannot be written, the work goes on."""

import io
import logging as standard
import sys
from collections.abc import Iterator

import orjson
import pytest
import structlog

from shared.runtime import logging


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Puts the process's loggers back as they were."""
    root = standard.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [closed(), Full()], ids=["closed", "full"])
def test_a_line_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    logging.configure(format="json")
    logging.get_log("events").error("event.parked", id="1")
    standard.getLogger("somebody").error("else")


def test_lines_go_where_standard_error_is_now_not_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", before)
    logging.configure(format="json")
    log = logging.get_log("events")
    before.close()
    monkeypatch.setattr(sys, "stderr", now)
    log.error("event.parked", id="1")
    assert orjson.loads(now.getvalue())["event"] == "event.parked"
