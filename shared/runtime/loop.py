"""The event loop that every process of Cumulo runs on: uvloop where it exists, asyncio's own elsewhere.

The bus spends most of its processor time in small reads and writes, which cost less there; nothing depends on it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end, as `asyncio.run` does."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
