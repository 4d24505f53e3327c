"""What can be asked: the catalogue of indicators, the dimensions by which each divides, the times a figure speaks of.

Pure. Every figure says as of which day it counts and as known on which instant, in words of both languages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.refusal import NotFound, Refusal

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Code = Literal["members", "organizations"]
Dimension = Literal["cluster", "category", "type", "position", "state"]

UNKNOWN = "unknown"
"""The group of memberships whose organisation has not been heard of, or whose state is not known."""
NO_POSITION = "none"
"""The group of organisations that are known and hold no position in the chain."""

NETWORK = "network"
EVERYTHING = "all"


class Words(NamedTuple):
    """A text in both languages."""

    es: str
    en: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """One entry of the catalogue. `definition` says exactly what is counted."""

    code: Code
    name: Words
    definition: Words
    unit: Words
    dimensions: tuple[Dimension, ...]


DIMENSIONS: dict[Dimension, Words] = {
    "cluster": Words("clúster", "cluster"),
    "category": Words("categoría", "category"),
    "type": Words("tipo de organización", "type of organisation"),
    "position": Words("posición en la cadena", "position in the chain"),
    "state": Words("estado", "state"),
}

CATALOGUE: dict[str, Indicator] = {
    "members": Indicator(
        "members",
        Words("Membresías", "Memberships"),
        Words(
            "Membresías vigentes ese día. Una organización en dos clústeres cuenta dos veces.",
            "Memberships in force on that day. An organisation in two clusters counts twice.",
        ),
        Words("membresías", "memberships"),
        tuple(DIMENSIONS),
    ),
    "organizations": Indicator(
        "organizations",
        Words("Organizaciones", "Organisations"),
        Words(
            "Organizaciones distintas con al menos una membresía vigente ese día.",
            "Distinct organisations with at least one membership in force on that day.",
        ),
        Words("organizaciones", "organisations"),
        tuple(DIMENSIONS),
    ),
}

SEVERAL_POSITIONS = Words(
    "Una organización cuenta en cada posición que ocupa ese día: las filas pueden sumar más que el total.",
    "An organisation counts for every position it holds on that day: rows may add up to more than the total.",
)
SEVERAL_CLUSTERS = Words(
    "Una organización cuenta en cada clúster y categoría en que participa: las filas pueden sumar más que el total.",
    "An organisation counts in every cluster and category it belongs to: rows may add up to more than the total.",
)

LABELS: dict[Dimension, dict[str, Words]] = {
    "category": {
        "associate": Words("asociado", "associate"),
        "affiliate": Words("afiliado", "affiliate"),
        "honorary": Words("honorario", "honorary"),
    },
    "type": {
        "company": Words("empresa", "company"),
        "university": Words("universidad", "university"),
        "research_centre": Words("centro de investigación", "research centre"),
        "government": Words("gobierno", "government"),
        "association": Words("asociación", "association"),
        UNKNOWN: Words("por conocer", "not known yet"),
    },
    "position": {
        "oem": Words("armadora", "vehicle maker (OEM)"),
        "tier1": Words("proveedor Tier 1", "Tier 1 supplier"),
        "tier2": Words("proveedor Tier 2", "Tier 2 supplier"),
        "tier3": Words("proveedor Tier 3", "Tier 3 supplier"),
        "service": Words("servicios", "services"),
        "raw_material": Words("materia prima", "raw material"),
        NO_POSITION: Words("sin posición en la cadena", "no position in the chain"),
        UNKNOWN: Words("por conocer", "not known yet"),
    },
    "state": {UNKNOWN: Words("por conocer", "not known yet")},
}


class UnknownIndicator(NotFound):
    """No indicator has this code."""


class UnknownDimension(Refusal):
    """The indicator does not divide by this."""


class NotADay(Refusal):
    """A day that is none, or lies outside the centuries that are kept."""


def indicator_named(code: str) -> Indicator:
    """Raises `UnknownIndicator`."""
    found = CATALOGUE.get(code)
    if found is None:
        raise UnknownIndicator(
            "there is no indicator {code!r}; there are {known}",
            code=code,
            known=", ".join(CATALOGUE),
            field="indicator",
        )
    return found


def checked_dimensions(indicator: Indicator, names: Sequence[str]) -> tuple[Dimension, ...]:
    """The dimensions by which to divide, at most two different ones. Raises `UnknownDimension`."""
    known = {str(name): name for name in indicator.dimensions}
    for name in names:
        if name not in known:
            allowed = ", ".join(known)
            raise UnknownDimension(
                "{indicator} does not divide by {name!r}; it does by {allowed}",
                indicator=indicator.code,
                name=name,
                allowed=allowed,
                field="by",
            )
    if len(names) > 2 or len(set(names)) < len(names):
        raise UnknownDimension("a figure divides by at most two different dimensions", field="by")
    return tuple(known[name] for name in names)


def day_named(text: str, field: str) -> date:
    """A calendar day written as 2026-03-31. Raises `NotADay`."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise NotADay("{text!r} is no day; write it as 2026-03-31", text=text[:40], field=field) from None
    if not 1900 <= day.year <= 2199:
        raise NotADay("{day} is not between 1900 and 2199", day=day, field=field)
    return day


def instant_named(text: str, field: str, zone: str) -> datetime:
    """An instant with its offset, or the last one of a day in the zone. Raises `NotADay`."""
    if len(text) <= 10:
        end = datetime.combine(day_named(text, field) + timedelta(days=1), time(), ZoneInfo(zone))
        return end.astimezone(UTC) - timedelta(microseconds=1)
    try:
        # a plus sign that was not escaped in an address arrives as a space
        instant = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise NotADay(
            "{text!r} is no instant; write it as 2026-03-31 or 2026-03-31T12:00:00Z", text=text[:40], field=field
        ) from None
    if instant.tzinfo is None:
        raise NotADay("an instant needs its offset, as in 2026-03-31T12:00:00-06:00", field=field)
    if not 1900 <= instant.year <= 2199:
        raise NotADay("the instant is not between 1900 and 2199", field=field)
    return instant.astimezone(UTC)


def notes_on(indicator: Indicator, by: Sequence[Dimension]) -> list[Words]:
    """What one has to know so as not to add up rows that do not add up."""
    notes = [SEVERAL_POSITIONS] if "position" in by else []
    if indicator.code == "organizations" and {"cluster", "category"} & set(by):
        notes.append(SEVERAL_CLUSTERS)
    return notes


# --- figures that are published -------------------------------------------------------------------

SPACING = timedelta(seconds=1)
"""At most one publication of a figure in this time."""


class Figure(NamedTuple):
    """A figure as last published; `version` counts its publications."""

    indicator: str
    scope: str
    version: int
    value: int
    as_of: date
    changed_at: datetime


class Move(NamedTuple):
    """A figure to be published, with the value that was published before."""

    figure: Figure
    previous: int | None


def scope_of(cluster_id: UUID | None) -> str:
    """The name of a scope: "network" or "cluster:<id>"."""
    return NETWORK if cluster_id is None else f"cluster:{cluster_id}"


def cluster_of(scope: str) -> UUID | None:
    """The cluster of a scope, None for the network."""
    return None if scope == NETWORK else UUID(scope.removeprefix("cluster:"))


def too_early(figures: Sequence[Figure], now: datetime) -> set[str]:
    """Scopes with a figure that was published less than `SPACING` ago."""
    return {figure.scope for figure in figures if abs(now - figure.changed_at) < SPACING}


def moves(
    figures: Sequence[Figure], values: dict[tuple[str, str], int], scopes: set[str], as_of: date, now: datetime
) -> list[Move]:
    """The figures of these scopes whose value moved. One that never was published and is 0 has not moved."""
    known = {(figure.indicator, figure.scope): figure for figure in figures}
    found = []
    for code in CATALOGUE:
        for scope in sorted(scopes):
            value = values.get((code, scope), 0)
            old = known.get((code, scope))
            if value != (old.value if old else 0):
                version = old.version + 1 if old else 1
                found.append(Move(Figure(code, scope, version, value, as_of, now), old.value if old else None))
    return found
