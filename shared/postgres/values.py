"""Value types that tables and rules share: money, days in a zone, comparable and sortable names.

Pure: no driver, no clock. Money is a Decimal with an ISO 4217 currency, never a float; a day is
always the day of some place; names compare without case, accents, punctuation and legal form.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.core import get_global
from babel.numbers import get_currency_precision

_CURRENCIES: frozenset[str] = frozenset(get_global("all_currencies"))


class NotMoney(ValueError):
    """An amount that is not finite, has more digits than its currency, or a currency that does not exist."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount in one ISO 4217 currency; the amount has at most the currency's own decimals."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise NotMoney(f"an amount is a Decimal, not {type(self.amount).__name__}")
        if self.currency not in _CURRENCIES:
            raise NotMoney(f"no such currency: {self.currency!r}")
        if not self.amount.is_finite():
            raise NotMoney("the amount is not a finite number")
        if abs(self.amount) >= Decimal("1e15"):
            raise NotMoney("the amount is too large")
        if self.amount != self.amount.quantize(self.unit):
            raise NotMoney(f"{self.currency} has {-int(self.unit.as_tuple().exponent)} decimals")

    @property
    def unit(self) -> Decimal:
        """The smallest amount of the currency, e.g. 0.01 for MXN and 1 for JPY."""
        return Decimal(1).scaleb(-get_currency_precision(self.currency))

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount < other.amount

    def split(self, parts: int) -> list["Money"]:
        """Equal parts that add up to the cent: the first ones carry what does not divide.

        A refund splits as its charge did: the parts of -x are those of x, negated.
        """
        if parts < 1:
            raise NotMoney("money splits into at least one part")
        sign = -1 if self.amount < 0 else 1
        each, rest = divmod(int(abs(self.amount) / self.unit), parts)
        return [Money(sign * (each + (1 if i < rest else 0)) * self.unit, self.currency) for i in range(parts)]

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise NotMoney(f"{self.currency} and {other.currency} do not mix")


def day_in(zone: str, instant: datetime) -> date:
    """The calendar day of an instant in an IANA zone. Raises `ValueError` for a naive instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant carries its offset")
    return instant.astimezone(ZoneInfo(zone)).date()


# Legal forms as they end names in Mexico, Colombia, Spain, India, the United States, Brazil, Germany, the
# Netherlands. An abbreviation in capitals also matches with its letters apart: SA is "sa" and "s a".
_LEGAL_FORMS = (
    "SA de CV", "SA", "SAB de CV", "SAB", "SAPI de CV", "SAPI", "SAPIB de CV", "SAS de CV", "SAS BIC", "SAS", "SAU",
    "SA ESP", "ESP", "S de RL de CV", "S de RL MI", "S de RL", "S en C de CV", "S en C por A", "S en CS",
    "S en NC", "S en C", "SC de RL de CV", "SC de RL", "SCL", "SCS", "SC", "SPR de RL de CV", "SPR de RL", "SPR de RI",
    "SPR", "AC", "ABP", "IAP", "SOFOM ENR", "SOFOM ER", "SRL", "SL", "SLU", "SLL", "S Coop", "SPA", "EIRELI",
    "sociedad anonima promotora de inversion", "sociedad anonima bursatil", "sociedad anonima simplificada",
    "sociedad por acciones simplificada", "sociedad anonima", "sociedad de responsabilidad limitada",
    "sociedad limitada", "sociedad civil", "sociedad cooperativa", "asociacion civil", "de capital variable",
    "Ltda", "limitada", "Ltd", "limited", "P Ltd", "Pvt Ltd", "Pvt", "private limited", "private", "LLP", "PLC", "LLC",
    "LP", "Inc", "incorporated", "Corp", "corporation", "company", "Co",
    "GmbH Co KG", "GmbH", "AG", "KG", "BV", "NV",
)  # fmt: skip


def _spelled(word: str) -> str:
    return " ?".join(word.lower()) if word.isupper() else word.lower()


_LEGAL_FORM = re.compile(
    " (?:"
    + "|".join(" ".join(map(_spelled, form.split())) for form in sorted(_LEGAL_FORMS, key=len, reverse=True))
    + ")$"
)
_NOT_WORD = re.compile(r"[\W_]+")
_BETWEEN_WORDS = re.compile(r"[^\w\x7f]+|_+")
_TRADE_MARKS = str.maketrans("", "", "\u2122\u2120\u00ae\u00a9")  # else their letters would join the name


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.translate(_TRADE_MARKS).casefold())
    # once more: some signs decompose into capitals
    again = unicodedata.normalize("NFKD", decomposed.casefold())
    return "".join(c for c in again if not unicodedata.combining(c))


@lru_cache(maxsize=8192)
def normalised_name(name: str) -> str:
    """A name as it compares: no case, accents, punctuation or legal form.

    "Arneses Ñandú, S.A. de C.V." and "ARNESES NANDU SA DE CV" are both "arneses nandu".

    A name that is nothing but a legal form keeps it, so that the result is never empty for a real name;
    letters of every script are kept.
    """
    text = _NOT_WORD.sub(" ", _plain(name)).strip()
    while True:
        shorter = _LEGAL_FORM.sub("", text)
        if shorter == text:
            return text
        text = shorter


@lru_cache(maxsize=8192)
def sort_key(name: str) -> str:
    """A key that sorts names as Spanish readers expect: accents ignored, ñ after n, case ignored.

    Stored beside the name, because not every PostgreSQL has a Spanish collation; it sorts by code point,
    so that its column is `COLLATE "C"`.
    """
    marked = unicodedata.normalize("NFC", name.casefold()).replace("ñ", "n\x7f")
    return _BETWEEN_WORDS.sub(" ", _plain(marked)).strip()
