"""What people write into cells, in Spanish or English, as codes, days and clean text.

Pure. Each function names the field and the reason when it refuses; caches only what repeats in columns.
"""

import re
import unicodedata
from datetime import date, timedelta
from functools import lru_cache

from babel import Locale

from shared.contracts.membership import Category, ChainPosition, OrganizationType
from shared.postgres.values import normalised_name, sort_key
from shared.refusal import Refusal, Said, Word


class UnreadableCell(Refusal):
    """A cell holds something that its field cannot be."""


_BLANK = frozenset({"", "-", "--", "---", "—", "–", "n/a", "n/d", "s/d", "s/n", "n.a.", "n.d.", "s.d.", "#n/a"})
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ERROR = re.compile(r"^#(REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|¡REF!|¡VALOR!|¿NOMBRE\?|¡DIV/0!|SPILL!|CALC!)$", re.I)
MAX_LINE = 300
MAX_SHORT = 60
UNREADABLE = "\ufffd"
"""Stands for bytes that are no character."""


def short(text: str) -> str:
    """As much of any text as names it on a screen: at most 60 characters, none of them a control character."""
    start = _CONTROL.sub(UNREADABLE, _INVISIBLE.sub("", " ".join(text[: 5 * MAX_SHORT].split())))
    return start if len(start) <= MAX_SHORT else start[: MAX_SHORT - 1] + "…"


def line(field: str, cell: str) -> str | None:
    """One line of clean text, None when the cell says nothing. Raises `UnreadableCell`."""
    if cell.isascii() and cell.isprintable():
        text = " ".join(cell.split()) if "  " in cell else cell.strip()
    else:
        text = " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", cell)).split())
        if _CONTROL.search(text):
            raise UnreadableCell("{named}: has a control character", named=Word(field), field=field)
        if UNREADABLE in text:
            raise UnreadableCell(
                "{named}: a character of {text!r} cannot be read; mend it, or save the file as CSV UTF-8",
                named=Word(field),
                text=short(text),
                field=field,
            )
    size = len(text)
    if size < 5 and text.lower() in _BLANK:
        return None
    if size > MAX_LINE:
        raise UnreadableCell(
            "{named}: has {size} characters; at most {most}", named=Word(field), size=size, most=MAX_LINE, field=field
        )
    if text[0] in "#=":
        if _ERROR.match(text):
            raise UnreadableCell("{named}: the cell has the error {text}", named=Word(field), text=text, field=field)
        if text[0] == "=":
            raise UnreadableCell("{named}: the cell holds a formula, not its value", named=Word(field), field=field)
    return text


_TYPES: dict[str, OrganizationType] = {
    **dict.fromkeys(("company", "empresa", "empresas", "compania", "firma", "sociedad", "business", "firm", "industria",
                     "corporation", "enterprise"), "company"),
    **dict.fromkeys(("university", "universidad", "universidad tecnologica", "institucion educativa", "academia",
                     "academica", "escuela", "instituto tecnologico", "tecnologico", "educacion", "educational",
                     "academic", "college"), "university"),
    **dict.fromkeys(("research centre", "research center", "centro de investigacion", "investigacion", "research",
                     "research institute", "instituto de investigacion"), "research_centre"),
    **dict.fromkeys(("government", "gobierno", "dependencia", "gubernamental", "public", "sector publico",
                     "dependencia de gobierno", "secretaria", "ayuntamiento", "public sector"), "government"),
    **dict.fromkeys(("association", "asociacion", "camara", "chamber", "asociacion civil", "ac", "ong", "ngo",
                     "organismo", "organismo empresarial", "camara empresarial"), "association"),
}  # fmt: skip
_TIERS: dict[ChainPosition, str] = {"tier1": "1", "tier2": "2", "tier3": "3"}
_POSITIONS: dict[str, ChainPosition] = {
    **dict.fromkeys(("oem", "oems", "armadora", "armadoras", "ensambladora", "vehicle maker", "carmaker", "automaker",
                     "maker", "armador"), "oem"),
    **{f"{word}{number}": code
       for code, number in _TIERS.items()
       for word in ("tier", "tier ", "t", "t ", "nivel ", "n", "n ", "proveedor tier ", "proveedor nivel ", "level ",
                    "proveedor ", "supplier tier ", "")},
    **{f"{word}{'i' * int(number)}": code
       for code, number in _TIERS.items()
       for word in ("tier ", "nivel ", "")},
    **dict.fromkeys(("tier1", "tier 1 supplier"), "tier1"),
    "tier 2 supplier": "tier2",
    "tier 3 supplier": "tier3",
    **dict.fromkeys(("service", "services", "servicio", "servicios", "empresa de servicios", "proveedor de servicios",
                     "service company", "service provider", "prestador de servicios"), "service"),
    **dict.fromkeys(("raw material", "raw materials", "materia prima", "materias primas",
                     "proveedor de materia prima"), "raw_material"),
}  # fmt: skip
_CATEGORIES: dict[str, Category] = {
    **dict.fromkeys(("associate", "asociado", "asociada", "socio", "socia", "miembro", "member", "full", "full member",
                     "asociado activo", "socio activo", "titular", "associate member"), "associate"),
    **dict.fromkeys(("affiliate", "afiliado", "afiliada", "affiliated", "affiliate member"), "affiliate"),
    **dict.fromkeys(("honorary", "honorario", "honoraria", "honor", "de honor", "honorary member", "socio honorario",
                     "miembro honorario"), "honorary"),
}  # fmt: skip
_LANGUAGES = {
    **dict.fromkeys(("es", "espanol", "spanish", "castellano", "esp", "es mx", "spa"), "es"),
    **dict.fromkeys(("en", "ingles", "english", "ing", "eng", "en us"), "en"),
}


def _plain(text: str) -> str:
    return sort_key(text.replace("ñ", "n").replace("Ñ", "N").replace("_", " "))


@lru_cache(maxsize=4096)
def organization_type(text: str) -> OrganizationType:
    """ "Centro de investigación" -> "research_centre". Raises `UnreadableCell`."""
    found = _TYPES.get(_plain(text))
    if found is None:
        raise UnreadableCell(
            "type: {text!r} is none of company, university, research centre, government, association",
            text=text,
            field="type",
        )
    return found


_BETWEEN = re.compile(r"\s*[/,;+&|]\s*|\s+(?:y|e|and|con)\s+", re.IGNORECASE)


@lru_cache(maxsize=4096)
def positions(text: str) -> frozenset[ChainPosition]:
    """ "Tier 1 / Tier 2", "T1 y 2", "OEM" -> codes. Raises `UnreadableCell`."""
    found: set[ChainPosition] = set()
    for part in _BETWEEN.split(text.strip()):
        if plain := _plain(part):
            code = _POSITIONS.get(plain)
            if code is None:
                raise UnreadableCell(
                    "positions: {part!r} is none of OEM, Tier 1, Tier 2, Tier 3, service, raw material",
                    part=part,
                    field="positions",
                )
            found.add(code)
    return frozenset(found)


@lru_cache(maxsize=4096)
def category(text: str) -> Category:
    """ "Afiliada" -> "affiliate". Raises `UnreadableCell`."""
    found = _CATEGORIES.get(_plain(text))
    if found is None:
        raise UnreadableCell(
            "category: {text!r} is none of associate, affiliate, honorary", text=text, field="category"
        )
    return found


@lru_cache(maxsize=256)
def language(text: str) -> str:
    """ "Inglés" -> "en". Raises `UnreadableCell`."""
    found = _LANGUAGES.get(_plain(text))
    if found is None:
        raise UnreadableCell("language: {text!r} is neither es nor en", text=text, field="language")
    return found


_ALPHA3 = {"MEX": "MX", "COL": "CO", "IND": "IN", "USA": "US", "ESP": "ES", "BRA": "BR", "BLR": "BY", "ZAF": "ZA",
           "CAN": "CA", "DEU": "DE", "JPN": "JP", "CHN": "CN", "KOR": "KR", "FRA": "FR", "ITA": "IT"}  # fmt: skip
_OTHER_COUNTRIES = {"eua": "US", "eeuu": "US", "ee uu": "US", "e u a": "US", "e u": "US", "estados unidos": "US",
                    "united states of america": "US", "estados unidos mexicanos": "MX", "mejico": "MX",
                    "u s a": "US", "u s": "US", "belarus": "BY", "corea": "KR", "korea": "KR"}  # fmt: skip


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    found: dict[str, str] = {}
    for locale in ("es", "en"):
        for code, name in Locale(locale).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "XA", "XB", "QO", "ZZ"):
                found[_plain(name)] = code
                found[code.lower()] = code
    return found | {key.lower(): code for key, code in _ALPHA3.items()} | _OTHER_COUNTRIES


@lru_cache(maxsize=1024)
def country(text: str) -> str:
    """ "México", "MEX", "mx" -> "MX" (ISO 3166-1). Raises `UnreadableCell`."""
    found = _countries().get(_plain(text))
    if found is None:
        raise UnreadableCell(
            "country: {text!r} is not a country (name or code of ISO 3166-1)", text=text, field="country"
        )
    return found


_ISO = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?$")
_DAY_FIRST = re.compile(r"^(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})$")
_MONTH_NAME = re.compile(r"^(\d{1,2})(?: de |[-/. ])([a-záéíóú]{3,10})\.?(?: del? |[-/., ]+)(\d{4})$", re.IGNORECASE)
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("ene jan enero january", "feb febrero february", "mar marzo march", "abr apr abril april", "may mayo",
         "jun junio june", "jul julio july", "ago aug agosto august", "sep sept septiembre setiembre september",
         "oct octubre october", "nov noviembre november", "dic dec diciembre december"), start=1)
    for name in names.split()
}  # fmt: skip
_SERIAL_ZERO = date(1899, 12, 30)
"""Day 0 of Excel's serial numbers, with its leap year 1900 that never was, right from 1 March 1900."""


@lru_cache(maxsize=8192)
def day(field: str, text: str) -> date:
    """A calendar day: ISO 8601, dd/mm/yyyy, "1 de marzo de 2020", an Excel serial number. Raises `UnreadableCell`.

    A day between 1950 and 2199; anything else is a slip of the pen.
    """
    found: date | None = None
    try:
        if match := _ISO.match(text):
            found = date(int(match[1]), int(match[2]), int(match[3]))
        elif match := _DAY_FIRST.match(text):
            year = int(match[3])
            found = date(
                year + 2000 if year < 70 else year + 1900 if year < 100 else year, int(match[2]), int(match[1])
            )
        elif (match := _MONTH_NAME.match(text)) and (month := _MONTHS.get(_plain(match[2]))):
            found = date(int(match[3]), month, int(match[1]))
        elif re.match(r"^\d{5}(\.\d+)?$", text):
            found = _SERIAL_ZERO + timedelta(days=int(float(text)))
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise UnreadableCell(
            "{named}: {text!r} is not a day; write dd/mm/yyyy or yyyy-mm-dd", named=Word(field), text=text, field=field
        )
    if not 1950 <= found.year <= 2199:
        raise UnreadableCell(
            "{named}: {found} is not between 1950 and 2199", named=Word(field), found=found, field=field
        )
    return found


_MAIL = re.compile(r"^[^\s@<>\"(),:;\[\]\\]{1,64}@[^\s@<>\"(),:;\[\]\\.]{1,63}(\.[^\s@<>\"(),:;\[\]\\.]{1,63})+$")
_MAIL_IN_BRACKETS = re.compile(r"<([^<>]+)>")


def mail(text: str) -> tuple[str | None, str | None]:
    """An address and a warning: of several the first is taken; a text without one gives None."""
    if len(text) <= 254 and "/" not in text and _MAIL.match(text):
        return text, None
    if (match := _MAIL_IN_BRACKETS.search(text)) and _MAIL.match(match[1]):
        text = match[1]
    parts = [part for part in re.split(r"[;,\s/<>]+", text.removeprefix("mailto:")) if part]
    addresses = [part for part in parts if len(part) <= 254 and _MAIL.match(part)]
    if not addresses:
        return None, Said("mail: {text!r} is not an address; no representative was kept", text=short(text))
    if len(addresses) > 1:
        return addresses[0], Said("mail: of several addresses {address} was taken", address=addresses[0])
    if len(parts) > 1:
        return addresses[0], Said("mail: of {text!r} {address} was taken", text=short(text), address=addresses[0])
    return addresses[0], None


def same_but_shouted(new: str, old: str) -> bool:
    """Whether a text is the old one in capitals or small letters only, accents lost: then the old one stays."""
    shouted = (new.isupper() or new.islower()) and not old.isupper()
    return shouted and (_plain(new) == _plain(old) or normalised_name(new) == normalised_name(old))


def is_total(text: str) -> bool:
    """Whether a row that begins with this sums up others."""
    if text.isascii() and not _SUM.search(text):  # nearly all: no need to make it plain
        return False
    plain = _plain(text)
    return plain in _TOTALS or plain.startswith(("total de ", "total of ", "total general", "grand total"))


def is_note(text: str) -> bool:
    """Whether a row that says nothing else is a footnote: "Fuente: …", "Actualizado al 31 de marzo"."""
    return ":" in text or _plain(text).split(" ")[0] in _NOTES


_NOTES = frozenset({"nota", "notas", "fuente", "fuentes", "actualizado", "actualizacion", "elaboro", "note", "notes",
                    "source", "sources", "updated", "as"})  # fmt: skip
_SUM = re.compile("total|sum", re.IGNORECASE)
_TOTALS = frozenset({"total", "totales", "totals", "suma", "sum", "subtotal", "subtotales", "gran total"})

__all__ = [
    "UNREADABLE", "UnreadableCell", "category", "country", "day", "is_note", "is_total", "language", "line", "mail",
    "organization_type", "positions", "same_but_shouted", "short",
]  # fmt: skip
