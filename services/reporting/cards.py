"""A figure as a card: its value with a comparison, its division as chart and map, what one has to know of it.

Shared by the pages of indicators and by the links that partners open.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from services.reporting.catalogue import views
from services.reporting.catalogue.domain import (
    DIMENSIONS,
    HIDDEN,
    LABELS,
    Dimension,
    Indicator,
    NotAPeriod,
    Words,
    notes_on,
    period_of,
)
from services.reporting.catalogue.views import Asked
from services.reporting.places.domain import state_name, tiles
from shared.postgres.pool import Connection
from shared.web.language import Language


class Times(NamedTuple):
    """What a page is asked for: its day, the day to compare with, the first day of periods."""

    day: date
    compare: date | None
    since: date | None

    def asked(self, indicator: Indicator) -> Asked:
        """The figure of the day."""
        return Asked(self.day, None, None, period_of(indicator, self.day, self.since if indicator.flow else None))

    def before(self, indicator: Indicator) -> Asked | None:
        """The figure to compare with: a period of the same length that ends on the other day."""
        if self.compare is None:
            return None
        first = self.compare - (self.day - self.since) if indicator.flow and self.since else None
        return Asked(self.compare, None, None, period_of(indicator, self.compare, first))


def times_of(today: date, as_of: date | None, compare: date | None, since: date | None) -> Times:
    day = as_of or today
    if since is not None and since > day:
        raise NotAPeriod("the period begins after it ends", field="since")
    return Times(day, compare, since)


def division(indicator: Indicator, by: Dimension) -> Dimension:
    """The wanted dimension, or the first that the indicator has."""
    return by if by in indicator.dimensions else indicator.dimensions[0]


async def card_of(
    connection: Connection, indicator: Indicator, times: Times, by: Dimension, clusters: Mapping[str, Any],
    said: Language,
) -> dict[str, Any]:  # fmt: skip
    chosen = division(indicator, by)
    asked = times.asked(indicator)
    found = await views.figure_of(connection, indicator, asked, (chosen,))
    rows = found.rows
    labels = [label(chosen, str(row[chosen]), clusters, said) for row in rows]
    series = [{"name": said.day(times.day), "values": [row["value"] for row in rows]}]
    then, before = times.before(indicator), None
    if then is not None:
        before = await views.figure_of(connection, indicator, then, (chosen,))
        earlier = {str(row[chosen]): row["value"] for row in before.rows}
        none = None if indicator.hides or indicator.decimals else 0
        series.insert(0, {"name": said.day(then.as_of),
                          "values": [earlier.get(str(row[chosen]), none) for row in rows]})  # fmt: skip
    notes = [in_words(note, said) for note in notes_on(indicator, (chosen,))]
    if any(row.get("hidden") for row in rows) or found.hidden:
        notes.append(in_words(HIDDEN, said))
    return {
        "code": indicator.code, "name": in_words(indicator.name, said),
        "definition": in_words(indicator.definition, said),
        "unit": in_words(indicator.unit, said), "value": found.value, "hidden": found.hidden, "before": before,
        "labels": labels, "series": series, "notes": notes, "by": chosen, "what": in_words(DIMENSIONS[chosen], said),
        "since": asked.since if indicator.flow else None, "decimals": indicator.decimals,
        "published": indicator.published, "formula": in_words(indicator.formula, said),
        "map": tiles({str(row[chosen]): row["value"] for row in rows}) if chosen == "state" else None,
    }  # fmt: skip


def label(dimension: Dimension, key: str, clusters: Mapping[str, Any], said: Language) -> str:
    if dimension == "cluster" and key:
        return str(clusters[key]["name"]) if key in clusters else key
    known = LABELS[dimension].get(key)
    return in_words(known, said) if known else state_name(key) if dimension == "state" else key


def in_words(words: Words, said: Language) -> str:
    return words.es if said.code == "es" else words.en
