"""Periods on a time axis, in per cent of its width, so that a drawing needs no measure of the screen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

NARROWEST = 0.6
"""Per cent; what is shorter would not be seen."""


@dataclass(frozen=True, slots=True)
class Band:
    """A period that is drawn: from `since` on, before `until`, None while it lasts. `tone`: good, warn, bad, calm."""

    words: str
    since: date
    until: date | None = None
    tone: str = "good"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A band on the axis: where it begins and how wide it is, in per cent."""

    band: Band
    start: float
    width: float
    open: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """Bands of one thing (a cluster, an office) in a row."""

    words: str
    bands: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Rows of bands below a scale of years; `today` in per cent."""

    years: tuple[tuple[int, float], ...]
    lanes: tuple[Lane, ...]
    today: float


def axis(rows: Iterable[tuple[str, Iterable[Band]]], today: date) -> Axis:
    """Lays rows of bands out from the earliest year to the end of this one or the latest end."""
    kept = [(words, tuple(bands)) for words, bands in rows]
    every = [band for _, bands in kept for band in bands]
    first = date(min((b.since.year for b in every), default=today.year), 1, 1)
    last_year = max([today.year, *((b.until or b.since).year for b in every)])
    last = date(last_year + 1, 1, 1)
    span = (last - first).days

    def at(day: date) -> float:
        return round(100 * min(max((day - first).days, 0), span) / span, 2)

    step = max(1, (last_year + 1 - first.year) // 6)  # a phone has room for eleven
    years = tuple((year, at(date(year, 1, 1))) for year in range(first.year, last_year + 1, step))

    def drawn(band: Band) -> Drawn:
        start = min(at(band.since), 100 - NARROWEST)
        end = at(band.until or max(today, band.since))
        return Drawn(band, start, round(max(end - start, NARROWEST), 2), band.until is None)

    lanes = tuple(Lane(words, tuple(map(drawn, bands))) for words, bands in kept)
    return Axis(years, lanes, at(today))
