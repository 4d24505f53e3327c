"""Which column is which: headers in Spanish or English, case, accents and punctuation ignored.

The header row is looked for among the first rows, since people write titles above and groups of columns.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from services.membership.imports.domain.values import UNREADABLE
from shared.postgres.values import sort_key
from shared.refusal import Refusal

FIELDS = (
    "legal_name", "trade_name", "tax_number", "type", "positions", "category", "state", "city", "country", "since",
    "contact", "mail", "language",
)  # fmt: skip
SEARCHED_ROWS = 30

_HEADERS: dict[str, tuple[str, ...]] = {
    "legal_name": (
        "razon social", "denominacion", "denominacion social", "denominacion o razon social", "nombre legal",
        "nombre o razon social", "nombre fiscal", "empresa", "nombre de la empresa", "organizacion", "institucion",
        "socio", "asociado", "nombre del socio", "nombre del asociado", "legal name", "company", "company name",
        "organization", "organisation", "organization name", "organisation name", "member", "member name", "name",
        "nombre", "registered name",
    ),
    "trade_name": (
        "nombre comercial", "marca", "nombre corto", "alias", "conocida como", "trade name", "trading name",
        "commercial name", "short name", "brand", "dba",
    ),
    "tax_number": (
        "rfc", "r f c", "registro federal de contribuyentes", "nit", "cif", "nif", "gstin", "ein", "cnpj", "unp", "tin",
        "tax id", "taxid", "tax number", "tax no", "tax identification number", "id fiscal", "identificacion fiscal",
        "clave fiscal", "numero fiscal", "vat number", "vat id", "rfc nit", "rfc tax id", "rfc id fiscal",
    ),
    "type": (
        "tipo", "tipo de organizacion", "tipo de empresa", "tipo de socio", "tipo de institucion", "type",
        "organization type", "organisation type", "kind", "type of organization", "type of organisation",
    ),
    "positions": (
        "posicion", "posiciones", "posicion en la cadena", "tier", "nivel", "nivel tier", "nivel de proveeduria",
        "eslabon", "position", "positions", "chain position", "position in the chain", "supply chain position",
        "tier level", "nivel en la cadena",
    ),
    "category": (
        "categoria", "categoria de socio", "categoria de asociado", "membresia", "tipo de membresia",
        "tipo de asociado", "tipo de afiliacion", "category", "membership category", "membership type", "membership",
    ),
    "state": (
        "estado", "entidad", "entidad federativa", "estado provincia", "departamento", "provincia", "state",
        "province", "region", "state province", "state code",
    ),
    "city": (
        "ciudad", "municipio", "localidad", "ciudad municipio", "municipio o alcaldia", "poblacion", "city", "town",
        "municipality",
    ),
    "country": ("pais", "country", "country code", "nacion"),
    "since": (
        "fecha de ingreso", "ingreso", "fecha ingreso", "miembro desde", "socio desde", "asociado desde", "desde",
        "fecha de alta", "alta", "fecha de afiliacion", "antiguedad desde", "member since", "joined", "join date",
        "date joined", "joining date", "since", "start date", "membership start",
    ),
    "contact": (
        "representante", "representante legal", "nombre del representante", "contacto", "nombre del contacto",
        "nombre de contacto", "persona de contacto", "responsable", "representative", "contact", "contact name",
        "contact person", "representative name",
    ),
    "mail": (
        "correo", "correo electronico", "correo e", "e mail", "email", "mail", "correo del representante",
        "correo del contacto", "correo de contacto", "correo representante", "email address", "e mail address",
        "contact email", "contact mail", "representative email", "correo electronico del contacto",
        "correo electronico del representante", "email de contacto",
    ),
    "language": (
        "idioma", "lengua", "idioma de contacto", "idioma preferido", "language", "preferred language", "lang",
    ),
}  # fmt: skip
Remembered = Mapping[str, str | None]
"""What a cluster's own headers mean, by their keys, as somebody said before; None: left out."""
NOTHING: Remembered = MappingProxyType({})
_DIGIT = re.compile("[0-9]")
_BY_HEADER = {header: field for field, headers in _HEADERS.items() for header in headers}


class NoHeaderRow(Refusal):
    """No row names the columns."""


@lru_cache(maxsize=2048)
def header_key(header: str) -> str:
    """What a header compares by: without case, accents, punctuation."""
    return sort_key(header.replace("ñ", "n").replace("Ñ", "N").removeprefix("\ufeff"))[:200]


def field_of(header: str, remembered: "Remembered" = NOTHING) -> str | None:
    """The field that a header names: "Razón Social " -> "legal_name"; None when it is not known, or left out."""
    key = header_key(header)
    return remembered[key] if key in remembered else _BY_HEADER.get(key)


@dataclass(frozen=True, slots=True)
class Columns:
    """The header row that was found: `places` maps fields to columns; `ignored` are headers nobody knows."""

    row: int
    places: dict[str, int]
    ignored: tuple[str, ...]
    repeated: tuple[str, ...]
    remembered: Remembered = field(default_factory=lambda: NOTHING)

    def is_header_again(self, cells: Sequence[str]) -> bool:
        """Whether a row repeats the headers: in the other language, or at the top of another page."""
        if _DIGIT.search("".join(cells)):  # no header has one, and most rows have many
            return False
        said = [cell for cell in cells if cell.strip()]
        return len(said) > 1 and all(field_of(cell, self.remembered) is not None for cell in said)


def columns_of(rows: Iterable[tuple[int, Sequence[str]]], remembered: Remembered = NOTHING) -> Columns:
    """Finds the header row among the first rows. Raises `NoHeaderRow`.

    It is the one that names most fields, a name or a tax number among them. A field that two columns
    name is taken from the first.
    """
    best: Columns | None = None
    unreadable: dict[int, str] = {}
    for seen, (number, cells) in enumerate(rows):
        if seen == SEARCHED_ROWS:
            break
        found = _columns(number, cells, remembered)
        if (damaged := next((header for header in found.ignored if UNREADABLE in header), None)) is not None:
            unreadable[number] = damaged
        named = found.places.keys() & {"legal_name", "trade_name", "tax_number"}
        if named and (best is None or len(found.places) > len(best.places)):
            best = found
    if unreadable and (best is None or best.row in unreadable):
        row = best.row if best is not None else min(unreadable)
        raise NoHeaderRow(
            "row {row}: a character of the header {header!r} cannot be read; save the file as CSV UTF-8",
            row=row,
            header=unreadable[row],
        )
    if best is None or not best.places.keys() & {"legal_name", "trade_name"}:
        raise NoHeaderRow(
            "no row names the columns; write at least one with the header «Razón social» (or «Legal name»),"
            " and «RFC» (or «Tax ID») where you have it"
        )
    return best


def guessed(rows: Sequence[tuple[int, Sequence[str]]], remembered: Remembered = NOTHING) -> tuple[int, dict[str, int]]:
    """Where no row names the member: the one that names most other fields, and which; somebody says the rest."""
    found = [(_columns(number, cells, remembered), sum(1 for cell in cells if cell.strip()))
             for number, cells in rows[:SEARCHED_ROWS]]  # fmt: skip
    if not found:
        return 1, {}
    best, _ = max(found, key=lambda one: (len(one[0].places), one[1] > 1, -one[0].row))
    return best.row, best.places


def columns_at(number: int, cells: Sequence[str], places: Mapping[str, int]) -> Columns:
    """The columns of a header row as somebody chose them. Raises `NoHeaderRow` when nothing names the member."""
    if not places.keys() & {"legal_name", "trade_name"}:
        raise NoHeaderRow("choose which column holds the legal or the trade name", field="places")
    chosen = set(places.values())
    ignored = [" ".join(cell.split())[:60] for n, cell in enumerate(cells) if n not in chosen and cell.strip()]
    remembered = {header_key(cells[n]): field for field, n in places.items() if n < len(cells) and header_key(cells[n])}
    return Columns(number, dict(places), tuple(ignored), (), remembered)


def _columns(number: int, cells: Sequence[str], remembered: Remembered) -> Columns:
    places: dict[str, int] = {}
    ignored, repeated = [], []
    for column, cell in enumerate(cells):
        field = field_of(cell, remembered)
        if field is None:
            if cell.strip():
                ignored.append(" ".join(cell.split())[:60])
        elif field in places:
            repeated.append(" ".join(cell.split())[:60])
        else:
            places[field] = column
    return Columns(number, places, tuple(ignored), tuple(repeated), remembered)
