"""The event loop that every process of Cumulo runs on: uvloop where it exists, asyncio's own elsewhere.

The bus spends most of its processor time in small reads and writes, which cost less there; nothing depends on it.
"""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end, as `asyncio.run` does."""
    # a batch makes tens of thousands of objects that die with it; what was loaded so far stays for good
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        import uvloop
    except ImportError:  # Windows has none
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
