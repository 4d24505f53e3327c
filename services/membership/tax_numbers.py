"""Tax numbers by country, checked with python-stdnum and kept in their compact form.

A number of the wrong shape is refused; a failed check digit is a warning, because some 1.5 % of the real
Mexican ones fail it. Mexico's two generic numbers stand for nobody and are refused.
"""

import re
from datetime import date
from typing import Any, NamedTuple

import stdnum.br.cnpj
import stdnum.by.unp
import stdnum.co.nit
import stdnum.es.cif
import stdnum.in_.gstin
import stdnum.mx.rfc
import stdnum.us.ein
import stdnum.za.tin
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidLength, ValidationError

from shared.refusal import Refusal, Said, Word

GENERIC_RFC = frozenset({"XAXX010101000", "XEXX010101000"})
"""SAT: sales to the public and to foreigners without RFC (Anexo 20 of the Resolución Miscelánea Fiscal)."""

_KINDS: dict[str, tuple[str, Any]] = {
    "CO": ("NIT", stdnum.co.nit),
    "IN": ("GSTIN", stdnum.in_.gstin),
    "US": ("EIN", stdnum.us.ein),
    "ES": ("CIF", stdnum.es.cif),
    "BR": ("CNPJ", stdnum.br.cnpj),
    "BY": ("UNP", stdnum.by.unp),
    "ZA": ("TIN", stdnum.za.tin),
}
_SEPARATORS = re.compile(r"[\s._/–—-]+")
_RFC = re.compile(r"^[A-Z&Ñ]{3,4}[0-9]{6}[0-9A-Z]{3}$")
_FREE = re.compile(r"^[0-9A-Z]{4,20}$")


class GenericTaxNumber(Refusal):
    """A number that stands for anybody without one."""


class MalformedTaxNumber(Refusal):
    """Not a tax number of that country."""


class PersonsTaxNumber(Refusal):
    """A person's number where a company's is asked for."""


class TaxNumber(NamedTuple):
    """The compact number and what is to be asked about it."""

    number: str
    warnings: tuple[str, ...] = ()


def tax_number(country: str, text: str) -> TaxNumber:
    """Reads a tax number of a country (ISO 3166-1). Raises `MalformedTaxNumber` and `GenericTaxNumber`.

    A country without a rule here takes 4 to 20 letters and digits.
    """
    if country == "MX":
        return _rfc(text)
    compact = _SEPARATORS.sub("", text).upper()
    if country not in _KINDS:
        if not _FREE.match(compact):
            raise MalformedTaxNumber(
                "tax number: {text!r} is not 4 to 20 letters and digits", text=text, field="tax_number"
            )
        return TaxNumber(compact)
    name, rule = _KINDS[country]
    try:
        return TaxNumber(_SEPARATORS.sub("", rule.validate(text)))
    except InvalidChecksum:
        number = _SEPARATORS.sub("", rule.compact(text))
        return TaxNumber(
            number, (Said("tax number: the check digit of the {name} {number} does not fit", name=name, number=number),)
        )
    except ValidationError as error:
        raise MalformedTaxNumber(
            "tax number: {text!r} is not a {name}: {why}",
            text=text,
            name=name,
            why=Word(_why(error)),
            field="tax_number",
        ) from None


def company_tax_number(country: str, text: str) -> TaxNumber:
    """As `tax_number`, for a company. Raises `PersonsTaxNumber` for a Mexican number of 13 characters too."""
    read = tax_number(country, text)
    if country == "MX" and len(read.number) == 13:
        raise PersonsTaxNumber(
            "tax number: {number} has 13 characters: it is a person's; a company has 12", number=read.number,
            field="tax_number",
        )  # fmt: skip
    return read


def _rfc(text: str) -> TaxNumber:
    compact = _SEPARATORS.sub("", text).upper()
    if compact in GENERIC_RFC:
        raise GenericTaxNumber(
            "tax number: {compact} is the generic RFC and names nobody; leave it empty when it is not known",
            compact=compact,
            field="tax_number",
        )
    if len(compact) not in (12, 13):
        raise MalformedTaxNumber(
            "tax number: {text!r} has {length} characters; an RFC has 12 (company) or 13 (person)",
            text=text,
            length=len(compact),
            field="tax_number",
        )
    if not _RFC.match(compact):
        raise MalformedTaxNumber("tax number: {text!r} is not an RFC: letters, a date yymmdd and three more",
                                 text=text, field="tax_number")  # fmt: skip
    try:  # what its form leaves open: whether the date exists, and a person's four letters
        date(2000 + int(compact[-9:-7]), int(compact[-7:-5]), int(compact[-5:-3]))
        if len(compact) == 13:
            stdnum.mx.rfc.validate(compact)
    except ValueError as error:
        why = _why(error) if isinstance(error, ValidationError) else "no such date yymmdd"
        raise MalformedTaxNumber(
            "tax number: {text!r} is not an RFC: {why}", text=text, why=Word(why), field="tax_number"
        ) from None
    if compact[-1] != stdnum.mx.rfc.calc_check_digit(compact[:-1]):
        return TaxNumber(
            compact,
            (
                Said(
                    "tax number: the check digit of {number} does not fit; so it is with 1 to 2 of 100 real ones",
                    number=compact,
                ),
            ),
        )
    return TaxNumber(compact)


def _why(error: ValidationError) -> str:
    if isinstance(error, InvalidLength):
        return "its length is wrong"
    if isinstance(error, InvalidComponent):
        return "a part of it does not exist"
    return "its form is wrong"
