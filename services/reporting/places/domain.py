"""The states of Mexico by ISO 3166-2 with their names, and where each stands on a map of equal tiles.

Data and one rule. Tiles and not outlines: a small state is seen as well as a large one. The arrangement is our own.
"""

from collections.abc import Mapping
from typing import NamedTuple

STATES: dict[str, tuple[str, int, int]] = {
    "BCN": ("Baja California", 0, 0), "SON": ("Sonora", 0, 1), "CHH": ("Chihuahua", 0, 2), "COA": ("Coahuila", 0, 3),
    "BCS": ("Baja California Sur", 1, 0), "SIN": ("Sinaloa", 1, 1), "DUR": ("Durango", 1, 2),
    "NLE": ("Nuevo León", 1, 3), "TAM": ("Tamaulipas", 1, 4),
    "NAY": ("Nayarit", 2, 1), "ZAC": ("Zacatecas", 2, 2), "SLP": ("San Luis Potosí", 2, 3),
    "JAL": ("Jalisco", 3, 1), "AGU": ("Aguascalientes", 3, 2), "GUA": ("Guanajuato", 3, 3), "QUE": ("Querétaro", 3, 4),
    "HID": ("Hidalgo", 3, 5), "VER": ("Veracruz", 3, 6),
    "COL": ("Colima", 4, 1), "MIC": ("Michoacán", 4, 2), "MEX": ("Estado de México", 4, 3),
    "CMX": ("Ciudad de México", 4, 4), "TLA": ("Tlaxcala", 4, 5), "PUE": ("Puebla", 4, 6), "YUC": ("Yucatán", 4, 9),
    "GRO": ("Guerrero", 5, 3), "MOR": ("Morelos", 5, 4), "OAX": ("Oaxaca", 5, 6), "TAB": ("Tabasco", 5, 7),
    "CAM": ("Campeche", 5, 8), "ROO": ("Quintana Roo", 5, 9),
    "CHP": ("Chiapas", 6, 7),
}  # fmt: skip
"""Code -> name, row, column."""
WIDE, HIGH = 50, 38


class Tile(NamedTuple):
    """One state: where it stands, its value (None: hidden, or nothing), and of five shades the one of its value."""

    code: str
    x: int
    y: int
    value: float | int | None
    shade: int


class Tiles(NamedTuple):
    """The map."""

    width: int
    height: int
    tiles: list[Tile]


def tiles(values: Mapping[str, float | int | None]) -> Tiles:
    """The map of these values by "MX-JAL"; a state that has none stands there empty."""
    found = {code: values.get(f"MX-{code}") for code in STATES}
    most = max((value for value in found.values() if value), default=0)
    made = [
        Tile(code, column * WIDE, row * HIGH, found[code],
             0 if not found[code] or not most else 1 + min(4, int(5 * (found[code] or 0) / most - 1e-9)))
        for code, (_, row, column) in STATES.items()
    ]  # fmt: skip
    return Tiles(10 * WIDE, 7 * HIGH, made)


def state_name(key: str) -> str:
    """ "MX-JAL" -> "Jalisco"; another place stays its code."""
    known = STATES.get(key.removeprefix("MX-")) if key.startswith("MX-") else None
    return known[0] if known else key
