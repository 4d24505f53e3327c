"""Value types that tables and rules share: money, days in a zone, comparable and sortable names.

Pure: no driver, no clock. Money is a Decimal with an ISO 4217 currency, never a float; a day is
always the day of some place; names compare without case, accents, punctuation and legal form.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
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
        """Equal parts that add up to the cent: the first ones carry what does not divide."""
        if parts < 1:
            raise NotMoney("money splits into at least one part")
        whole = int((self.amount / self.unit).to_integral_value(rounding=ROUND_HALF_EVEN))
        each, rest = divmod(whole, parts)
        return [Money((each + (1 if i < rest else 0)) * self.unit, self.currency) for i in range(parts)]

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise NotMoney(f"{self.currency} and {other.currency} do not mix")


def day_in(zone: str, instant: datetime) -> date:
    """The calendar day of an instant in an IANA zone. Raises `ValueError` for a naive instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant carries its offset")
    return instant.astimezone(ZoneInfo(zone)).date()


# Legal forms as they end names in Mexico, Colombia, Spain, India, the United States, Brazil, Germany.
# Matched on the normalised text, longest first; "sa de cv" covers S.A. de C.V. and SA DE CV.
_LEGAL_FORMS = sorted(
    (
        "s de rl de cv", "s de rl", "s de r l de c v", "s de r l",
        "sapi de cv", "sab de cv", "sa de cv", "s a p i de c v", "s a b de c v", "s a de c v",
        "sc de rl de cv", "sc de rl", "spr de rl de cv", "spr de rl", "sas de cv",
        "sociedad anonima de capital variable", "sociedad anonima", "sociedad civil",
        "asociacion civil", "sa", "s a", "sas", "s a s", "sc", "s c", "ac", "a c", "sl", "s l", "slu", "sau",
        "ltda", "ltd", "limited", "private limited", "pvt ltd", "llc", "l l c", "inc", "incorporated",
        "corp", "corporation", "co", "gmbh", "ag", "srl", "s r l", "spa", "abp", "iap", "i a p",
    ),
    key=len,
    reverse=True,
)  # fmt: skip
_LEGAL_FORM = re.compile(r" (?:" + "|".join(re.escape(form) for form in _LEGAL_FORMS) + r")$")
_NOT_WORD = re.compile(r"[^0-9a-z]+")


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def normalised_name(name: str) -> str:
    """A name as it compares: no case, accents, punctuation or legal form ("Arneses Ñandú, S.A. de C.V." -> "arneses nandu").

    A name that is nothing but a legal form keeps it, so that the result is never empty for a real name.
    """
    text = _NOT_WORD.sub(" ", _plain(name)).strip()
    while True:
        shorter = _LEGAL_FORM.sub("", text)
        if shorter == text or not shorter:
            return text
        text = shorter


def sort_key(name: str) -> str:
    """A key that sorts names as Spanish readers expect: accents ignored, ñ after n, case ignored.

    Stored beside the name, because not every PostgreSQL has a Spanish collation.
    """
    marked = unicodedata.normalize("NFC", name.casefold()).replace("ñ", "n\x7f")
    return re.sub(r"[^0-9a-z\x7f]+", " ", _plain(marked)).strip()
