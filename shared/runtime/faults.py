"""What may be written down of a fault of the program: its kind and place.

Its words stay out: they often hold the name, address or value that it stumbled over.
"""

import traceback
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def place_of(error: BaseException) -> str:
    """Kind and innermost place of ours, e.g. "KeyError in lapse (services/membership/memberships/jobs.py:41)"."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_ROOT) and ".venv" not in frame.filename
    ]
    if not ours:
        return type(error).__name__
    last = ours[-1]
    return f"{type(error).__name__} in {last.name} ({Path(last.filename).relative_to(_ROOT)}:{last.lineno})"


def trace_of(error: BaseException) -> str:
    """The way to the fault, file by file, without its words."""
    return "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
