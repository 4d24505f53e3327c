"""States by name, abbreviation or code: ISO 3166-2, all of Mexico; elsewhere the code itself.

Source: ISO 3166-2:MX (32 entities; CMX since 2017), INEGI and the post's usual abbreviations.
"""

import re
from functools import lru_cache

from shared.postgres.values import sort_key
from shared.refusal import Refusal


class UnknownState(Refusal):
    """No state of that country is called so."""


_MEXICO: dict[str, tuple[str, ...]] = {
    "AGU": ("aguascalientes", "ags", "ag"),
    "BCN": ("baja california", "baja california norte", "bc", "b c", "bcn norte"),
    "BCS": ("baja california sur", "b c s"),
    "CAM": ("campeche", "camp", "cp"),
    "CHH": ("chihuahua", "chih", "ch"),
    "CHP": ("chiapas", "chis", "cs"),
    "CMX": (
        "ciudad de mexico", "cdmx", "cd de mexico", "mexico city", "distrito federal", "df", "d f", "mexico df",
        "mexico d f", "dif",
    ),
    "COA": ("coahuila", "coahuila de zaragoza", "coah", "co"),
    "COL": ("colima", "cl"),
    "DUR": ("durango", "dgo", "dg"),
    "GRO": ("guerrero", "gr"),
    "GUA": ("guanajuato", "gto", "gt"),
    "HID": ("hidalgo", "hgo", "hg"),
    "JAL": ("jalisco", "ja"),
    "MEX": ("estado de mexico", "mexico", "edomex", "edo de mexico", "edo mexico", "edo de mex", "edo mex", "em"),
    "MIC": ("michoacan", "michoacan de ocampo", "mich", "mi"),
    "MOR": ("morelos", "mo"),
    "NAY": ("nayarit", "na"),
    "NLE": ("nuevo leon", "nl", "n l"),
    "OAX": ("oaxaca", "oa"),
    "PUE": ("puebla", "pu"),
    "QUE": ("queretaro", "queretaro de arteaga", "qro", "qt"),
    "ROO": ("quintana roo", "q roo", "qroo", "q r", "qr"),
    "SIN": ("sinaloa", "si"),
    "SLP": ("san luis potosi", "s l p", "sl"),
    "SON": ("sonora", "so"),
    "TAB": ("tabasco", "tb"),
    "TAM": ("tamaulipas", "tamps", "tm"),
    "TLA": ("tlaxcala", "tlax", "tl"),
    "VER": ("veracruz", "veracruz de ignacio de la llave", "ve"),
    "YUC": ("yucatan", "yu"),
    "ZAC": ("zacatecas", "za"),
}  # fmt: skip
_BY_NAME = {name: code for code, names in _MEXICO.items() for name in (code.lower(), *names)}
_CODE = re.compile(r"^[A-Z0-9]{1,3}$")


@lru_cache(maxsize=4096)
def state_code(country: str, text: str) -> str:
    """The ISO 3166-2 code without the country: ("MX", "Edo. de Méx.") -> "MEX". Raises `UnknownState`."""
    written = text.strip()
    if country == "MX":
        plain = sort_key(written)
        code = _BY_NAME.get(plain.removeprefix("mx ")) or _BY_NAME.get(plain)
        if code is None:
            raise UnknownState("state: {written!r} is not a state of Mexico (name or code, e.g. Jalisco or JAL)",
                               written=written, field="state")  # fmt: skip
        return code
    code = written.upper().removeprefix(f"{country}-")
    if not _CODE.match(code):
        raise UnknownState(
            "state: {written!r} is not a code of ISO 3166-2 for {country} (one to three letters or digits)",
            written=written,
            country=country,
            field="state",
        )
    return code


STATES: dict[str, str] = {
    "AGU": "Aguascalientes", "BCN": "Baja California", "BCS": "Baja California Sur", "CAM": "Campeche",
    "CHH": "Chihuahua", "CHP": "Chiapas", "CMX": "Ciudad de México", "COA": "Coahuila", "COL": "Colima",
    "DUR": "Durango", "GRO": "Guerrero", "GUA": "Guanajuato", "HID": "Hidalgo", "JAL": "Jalisco",
    "MEX": "Estado de México", "MIC": "Michoacán", "MOR": "Morelos", "NAY": "Nayarit", "NLE": "Nuevo León",
    "OAX": "Oaxaca", "PUE": "Puebla", "QUE": "Querétaro", "ROO": "Quintana Roo", "SIN": "Sinaloa",
    "SLP": "San Luis Potosí", "SON": "Sonora", "TAB": "Tabasco", "TAM": "Tamaulipas", "TLA": "Tlaxcala",
    "VER": "Veracruz", "YUC": "Yucatán", "ZAC": "Zacatecas",
}  # fmt: skip
"""Mexico's states as people write them, by ISO 3166-2 code."""

_ZONES = {"BCN": "America/Tijuana", "BCS": "America/Mazatlan", "SON": "America/Hermosillo", "SIN": "America/Mazatlan",
          "NAY": "America/Mazatlan", "CHH": "America/Chihuahua", "ROO": "America/Cancun"}  # fmt: skip


def zone_of(country: str, state: str | None) -> str | None:
    """The time zone in which most of a state lives; None where it is not known. Border towns may differ."""
    if country != "MX" or state is None:
        return None
    return _ZONES.get(state, "America/Mexico_City")


def state_name(country: str, state: str | None) -> str:
    """A state as people write it; abroad its code."""
    return STATES.get(state or "", state or "") if country == "MX" else state or ""
