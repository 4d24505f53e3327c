"""One row of a register as an entry: clean values, what was odd about it, why it cannot be taken.

Pure. A row never raises; everything that is wrong with it is said at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, cast

from services.membership.imports.domain import values
from services.membership.imports.domain.columns import Columns
from services.membership.places import state_code
from services.membership.tax_numbers import tax_number
from shared.contracts.membership import Category, ChainPosition, OrganizationType
from shared.postgres.values import normalised_name
from shared.refusal import Refusal, Said, Word


@dataclass(slots=True)
class Entry:
    """What a row says; None where it says nothing. `country` is set even then, from the cluster's.

    `name_key` is the comparable name, `label` the start of a name or number that cannot be read. A row with
    `reasons` is refused.
    """

    number: int
    country: str
    legal_name: str | None = None
    trade_name: str | None = None
    name_key: str = ""
    tax_number: str | None = None
    type: OrganizationType | None = None
    positions: frozenset[ChainPosition] | None = None
    category: Category | None = None
    state: str | None = None
    city: str | None = None
    since: date | None = None
    contact: str | None = None
    mail: str | None = None
    language: Literal["es", "en"] | None = None
    country_said: bool = False
    label: str = ""
    warnings: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What a person recognises the row by."""
        return self.trade_name or self.legal_name or self.tax_number or self.label

    @property
    def said(self) -> tuple[Any, ...]:
        """All values, to tell whether two rows say the same."""
        return (
            self.country, self.name_key, self.trade_name, self.tax_number, self.type, self.positions, self.category,
            self.state, self.city, self.since, self.contact, self.mail, self.language,
        )  # fmt: skip


_NAMING = ("legal_name", "trade_name", "tax_number")


class Reader:
    """Reads rows under known columns. `country` is what a row without one means."""

    def __init__(self, columns: Columns, country: str) -> None:
        self._columns = columns
        self._places = list(columns.places.items())
        self._country = country

    def entry(self, number: int, cells: Sequence[str]) -> Entry | None:
        """The entry of a row; None for one that is blank or repeats the headers."""
        entry = Entry(number, self._country)
        texts: dict[str, str] = {}
        width = len(cells)
        for name, column in self._places:
            if column < width and (cell := cells[column]):
                try:
                    if (text := values.line(name, cell)) is not None:
                        texts[name] = text
                except Refusal as refusal:
                    entry.reasons.append(refusal.reason)
                    if name in _NAMING:
                        entry.label = entry.label or values.short(cell)
        if not texts and not entry.reasons:
            return None
        tax = texts.get("tax_number")
        if (tax is None or not any(char.isdigit() for char in tax)) and self._columns.is_header_again(cells):
            return None
        if tax is None or len(tax) < 6:  # a count may stand there
            first = next((cell for cell in cells if cell.strip()), "")
            if values.is_total(first) or values.is_total(texts.get("legal_name") or texts.get("trade_name") or ""):
                entry.reasons.append(Said("this row sums up others; it is not a member"))
                entry.legal_name = texts.get("legal_name")
                return entry
        _fill(entry, texts)
        if entry.name_key and len(texts) == 1 < len(self._places) and sum(1 for cell in cells if cell.strip()) == 1:
            if values.is_note(entry.name):
                entry.reasons.append(Said("this looks like a note below the table; it is not a member"))
            else:
                entry.warnings.append(Said("the row has nothing but a name"))
        return entry


def _fill(entry: Entry, texts: dict[str, str]) -> None:
    """Country first, since tax number and state are read by it."""
    if (text := texts.get("country")) and (country := _read(entry, values.country, text)) is not None:
        entry.country, entry.country_said = country, True
    _read_name(entry, texts)
    if text := texts.get("tax_number"):
        try:
            read = tax_number(entry.country, text)
            entry.tax_number = read.number
            entry.warnings.extend(read.warnings)
        except Refusal as refusal:
            entry.reasons.append(refusal.reason)
            entry.label = entry.label or values.short(text)
    if text := texts.get("type"):
        entry.type = _read(entry, values.organization_type, text)
    if text := texts.get("positions"):
        entry.positions = _read(entry, values.positions, text)
    if text := texts.get("category"):
        entry.category = _read(entry, values.category, text)
    if text := texts.get("state"):
        _read_state(entry, text)
    entry.city = texts.get("city")
    if text := texts.get("since"):
        entry.since = _read(entry, lambda value: values.day("since", value), text)
    _read_representative(entry, texts)
    if (
        entry.tax_number is not None
        and entry.country == "MX"
        and len(entry.tax_number) == 13
        and entry.type == "company"
    ):
        entry.warnings.append(Said("tax number: 13 characters are a natural person's RFC; a company's has 12"))


def _read_name(entry: Entry, texts: dict[str, str]) -> None:
    entry.legal_name, entry.trade_name = texts.get("legal_name"), texts.get("trade_name")
    for name in ("legal_name", "trade_name"):
        if (text := texts.get(name)) and not any(map(str.isalpha, text)):
            entry.reasons.append(
                Said(
                    "{named}: {text!r} has no letter; is it a number, or what a formula gave?",
                    named=Word(name),
                    text=values.short(text),
                )
            )
    written = entry.legal_name or entry.trade_name
    if written is not None:
        entry.name_key = normalised_name(written)
        if not entry.name_key and not entry.reasons:
            entry.reasons.append(Said("legal_name: {name!r} has no letters or digits", name=written))
    elif "tax_number" not in texts and not entry.label:
        entry.reasons.append(Said("legal_name: the row names nobody; it needs a name or a tax number"))


def _read_state(entry: Entry, text: str) -> None:
    try:
        entry.state = state_code(entry.country, text)
    except Refusal as refusal:
        if entry.country == "MX":
            entry.reasons.append(refusal.reason)
        else:  # names of states elsewhere are not known here; nothing counts by them
            entry.warnings.append(
                Said(
                    "state: {text!r} is not known in {country}; it was left out",
                    text=values.short(text),
                    country=entry.country,
                )
            )


def _read_representative(entry: Entry, texts: dict[str, str]) -> None:
    entry.contact = texts.get("contact")
    if text := texts.get("language"):
        entry.language = cast(Literal["es", "en"] | None, _read(entry, values.language, text))
    if text := texts.get("mail"):
        entry.mail, warning = values.mail(text)
        if warning:
            entry.warnings.append(warning)
    elif entry.contact:
        entry.warnings.append(Said("mail: empty; the representative was not kept"))


def _read(entry: Entry, reading: Callable[[str], Any], text: str) -> Any:
    try:
        return reading(text)
    except Refusal as refusal:
        entry.reasons.append(refusal.reason)
        return None
