"""When somebody is reminded that a certificate ends: sixty, thirty and seven days before. Pure."""

from datetime import date

BEFORE = (7, 30, 60)
"""Days, the nearest first: of several that were missed only the nearest is made up for."""


def due(until: date, today: date) -> int | None:
    """Which reminder is due, by its days; None while the end is far off, and once it has come."""
    left = (until - today).days
    return next((days for days in BEFORE if 0 < left <= days), None)
