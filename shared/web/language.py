"""Spanish and English: which one a reader gets, the catalogues, and dates, numbers and money in words.

Messages are written in English in templates and code; `<folder>/locale/<name>.es.po` holds the Spanish ones and is
read when first needed. A message without a translation stays English, and a test names it.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_compact_decimal, format_currency, format_decimal, format_percent
from babel.support import NullTranslations, Translations
from babel.units import format_unit

from shared.http.identity import Viewer

Code = Literal["es", "en"]
CODES: tuple[Code, ...] = ("es", "en")
DEFAULT: Code = "es"
COOKIE = "cumulo_language"
LOCALES = {"es": "es_MX", "en": "en_US"}
OWN = Path(__file__).parent / "locale"

Length = Literal["short", "medium", "long", "full"]
_UNITS = ((86_400, "duration-day"), (3_600, "duration-hour"), (60, "duration-minute"), (1, "duration-second"))


def mark(message: str) -> str:
    """Marks a message of the code for the catalogue; it is translated where it is shown."""
    return message


def chosen(viewer: Viewer | None, *, cookie: str | None, accepted: str | None, otherwise: Code = DEFAULT) -> Code:
    """The language of a request.

    The switch in the page goes first, or it would do nothing for who is signed in; then the person's own, then
    what the browser accepts, then `otherwise`: Spanish for a page.
    """
    if cookie in CODES:
        return cookie
    if viewer is not None and viewer.kind == "person":
        return viewer.language
    return _preferred(accepted or "") or otherwise


def _preferred(header: str) -> Code | None:
    """The first of our languages by the weights of an Accept-Language header."""
    weighed: list[tuple[float, int, Code]] = []
    for place, part in enumerate(header.split(",")[:20]):
        tag, _, weight = part.partition(";")
        code = tag.strip().lower().partition("-")[0]
        try:
            quality = float(weight.strip().lower().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if code in CODES and quality > 0:
            weighed.append((-quality, place, code))
    return min(weighed)[2] if weighed else None


@lru_cache(maxsize=64)
def catalogue(code: Code, *files: Path) -> NullTranslations:
    """The translations of these .po files together; a later file goes before an earlier one. English needs none."""
    together = Translations()
    for file in files if code != "en" else ():
        if not file.exists():
            continue
        with file.open("rb") as source:
            parsed = read_po(source, locale=code)
        compiled = io.BytesIO()
        write_mo(compiled, parsed)
        compiled.seek(0)
        together.merge(Translations(compiled))
    # a column without words has none: gettext would answer nothing with the head of the file
    together._catalog[""] = ""
    return together


def catalogues_of(code: Code, folders: Iterable[Path]) -> NullTranslations:
    """The shell's own words and those of service folders: of refusals (`<folder>/locale/problems.<code>.po`), before
    which those of pages go (`pages.<code>.po`)."""
    locales = [folder / "locale" for folder in folders]
    return catalogue(
        code, *(one / f"problems.{code}.po" for one in (OWN, *locales)),
        OWN / f"{code}.po", *(one / f"pages.{code}.po" for one in locales),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Language:
    """A reader's language and zone. What it says is plain text; whoever puts it into HTML escapes it."""

    code: Code
    zone: ZoneInfo
    words: NullTranslations

    @property
    def locale(self) -> str:
        """The locale of formats: es_MX or en_US."""
        return LOCALES[self.code]

    def __call__(self, message: str, **values: object) -> str:
        """A message in this language, its %(name)s filled in."""
        text = self.words.gettext(message)
        return text % values if values else text

    def plural(self, one: str, many: str, count: int, **values: object) -> str:
        """The form of a message that fits a count; `%(num)s` is the count."""
        return self.words.ngettext(one, many, count) % {"num": self.number(count), **values}

    def day(self, value: date | datetime, length: Length = "medium") -> str:
        """A day: "23 nov 2026". An instant is the day that it has in the zone."""
        if isinstance(value, datetime):
            value = value.astimezone(self.zone).date()
        return format_date(value, length, locale=self.locale)

    def moment(self, value: datetime, length: Length = "medium") -> str:
        """Day and time in the zone: "23 nov 2026, 14:05"."""
        local = value.astimezone(self.zone)
        return f"{format_date(local, length, locale=self.locale)}, {format_time(local, 'HH:mm', locale=self.locale)}"

    def zoned(self, value: datetime, zone: str | None = None) -> str:
        """When something happens at a place, its zone written out."""
        local = ZoneInfo(zone) if zone else self.zone
        day = format_date(value.astimezone(local), "full", locale=self.locale)
        return f"{day}, {format_datetime(value, 'HH:mm zzzz', tzinfo=local, locale=self.locale)}"

    def ago(self, value: datetime, now: datetime) -> str:
        """How long ago, or in how long: "hace 2 minutos"."""
        return format_timedelta(value - now, add_direction=True, threshold=1.2, locale=self.locale)

    def number(self, value: float | Decimal, decimals: int | None = None) -> str:
        """A number: 1,204, or with exactly so many decimals."""
        pattern = None if decimals is None else "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(value, format=pattern, locale=self.locale)

    def compact(self, value: float | Decimal) -> str:
        """A number for a small place: 1.2 M."""
        return format_compact_decimal(value, fraction_digits=1, locale=self.locale)

    def percent(self, value: float | Decimal, decimals: int = 0) -> str:
        """A share of one: 0.818 is "81.8 %" with one decimal."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "") + "\u202f%"
        return format_percent(value, format=pattern, locale=self.locale)

    def money(self, amount: Decimal, currency: str = "MXN") -> str:
        """An amount with its currency: "$1,400.00"."""
        return format_currency(amount, currency, locale=self.locale)

    def duration(self, length: timedelta | float) -> str:
        """A length of time in its largest unit: "4 días". Seconds, or a timedelta."""
        seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
        for size, unit in _UNITS:
            if abs(seconds) >= size:
                return format_unit(int(seconds // size), unit, length="long", locale=self.locale)
        return format_unit(0, "duration-second", length="long", locale=self.locale)
