"""Types for everything that comes in: bounded, and never what PostgreSQL would choke on.

Used in request models, query parameters and import rows, so that bad input is named at its field.
"""

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated
from zoneinfo import available_timezones

from babel import Locale
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema


class Unfit(ValueError):
    """What a validator says no with: a template and its values, as a refusal has them, to be told in any language."""

    def __init__(self, template: str, **values: object) -> None:
        self.template = template
        self.values = values
        super().__init__(template.format(**values) if values else template)


TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that make a text read otherwise than it is (Unicode UTS 39); nothing that is written here needs one."""


def _storable(text: str) -> str:
    for char in text:
        if char == "\x00":
            raise Unfit("has a NUL character")
        if "\ud800" <= char <= "\udfff":
            raise Unfit("has half of a surrogate pair")
        if unicodedata.category(char) == "Cc" and char not in "\n\t":
            raise Unfit("has a control character")
        if char in TURNING:
            raise Unfit("has a mark that turns text around")
    return text


def _single_line(text: str) -> str:
    return " ".join(text.split())


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
                 AfterValidator(_storable), AfterValidator(_single_line)]  # fmt: skip
"""One line of text, 1 to 300 characters, spaces folded."""

Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
"""Several lines, at most 10,000 characters."""

OptionalLine = Annotated[Line | None, BeforeValidator(_blank_is_none)]
"""A line, or nothing when it is blank."""

_MAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\"]+\.[^\s@<>()\[\],;:\\\".]{2,}")


def _address(text: str) -> str:
    if not _MAIL.fullmatch(text):
        raise Unfit("is not a mail address")
    return text


Mail = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=254),
                 AfterValidator(_storable), AfterValidator(_address)]  # fmt: skip
"""A mail address, of a plain shape; whether it is read is another question."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
"""Lower-case letters, digits and single hyphens, as people see in addresses."""

Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""What a bigint holds."""

Sequence64 = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A position in a history: 0 or more."""

Amount = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=17, decimal_places=4)]
"""A finite amount of money; its currency stands beside it."""


def _without_time(value: object) -> object:
    # pydantic takes an instant at midnight for a day, in whatever zone it is
    if isinstance(value, datetime) or (isinstance(value, str) and not _DAY.fullmatch(value.strip())):
        raise Unfit("is not a day such as 2026-03-31")
    return value.strip() if isinstance(value, str) else value


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _sensible(day: date) -> date:
    if not date(1900, 1, 1) <= day <= date(2199, 12, 31):
        raise Unfit("is not between 1900 and 2199")
    return day


Day = Annotated[date, BeforeValidator(_without_time), AfterValidator(_sensible)]
"""A calendar day between 1900 and 2199."""


def _existing(code: str) -> str:
    # CLDR lists groups of countries and private codes beside them
    if not _COUNTRY.fullmatch(code):
        raise Unfit("is not two capital letters such as MX")
    if code not in _TERRITORIES:
        raise Unfit("{code} is no country of ISO 3166-1", code=code)
    return code


_TERRITORIES = frozenset(
    code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha()
) - {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}  # fmt: skip
_COUNTRY = re.compile(r"[A-Z]{2}")
Country = Annotated[str, AfterValidator(_existing), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"})]
"""ISO 3166-1 alpha-2."""


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise Unfit("is an instant without its offset, such as 2026-05-14T09:00:00-06:00")
    try:
        utc = moment.astimezone(UTC)
    except OverflowError:
        raise Unfit("is not between 1900 and 2199") from None
    if not 1900 <= utc.year <= 2199:
        raise Unfit("is not between 1900 and 2199")
    return utc


def _written_out(value: object) -> object:
    # pydantic takes a number for seconds since 1970
    if isinstance(value, datetime) or (isinstance(value, str) and _MOMENT.match(value.strip())):
        return value
    raise Unfit("is not an instant such as 2026-05-14T09:00:00-06:00")


_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")
Instant = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_aware)]
"""An instant with its offset, between 1900 and 2199; in UTC from here on."""


def _zone(name: str) -> str:
    if name not in _zones():
        raise Unfit("{name} is no time zone such as America/Mexico_City", name=name[:60])
    return name


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # as contracts write them: a place, not an abbreviation
    return frozenset(name for name in available_timezones() if _ZONE.fullmatch(name))


_ZONE = re.compile(
    r"UTC|(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)(/[A-Za-z0-9_+-]{1,20}){1,2}"
)
TimeZone = Annotated[
    str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["America/Mexico_City"]})
]
"""An IANA time zone that exists."""

_WEB = re.compile(r"https?://[^\s<>\"\\]+")


def _web(text: str) -> str:
    if not _WEB.fullmatch(text) or len(text) > 1000:
        raise Unfit("is no address of the web such as https://empresa.example/sala")
    return text


WebAddress = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=1000),
                       AfterValidator(_storable), AfterValidator(_web)]  # fmt: skip
"""An address that a link may lead to: http or https."""
