"""Letters as PDF, all on one letterhead: minutes, certificates, statements, the folder of a board.

What is printed comes as data and is printed as it stands: no text is ever read as markup. The fonts are those
within the typst package (Libertinus Serif, New Computer Modern, DejaVu Sans Mono: Latin, Greek, Cyrillic), never
the machine's, and no clock is read: the same letter is the same bytes everywhere.
"""

import asyncio
import json
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import typst
from babel.dates import format_date

from shared.refusal import Refusal

LETTERHEAD = Path(__file__).with_name("letterhead.typ")
MAX_CELLS = 10_000
MAX_LINES = 20_000
MAX_CHARACTERS = 400_000
"""Of a letter, names of its blocks and all; at these limits it is set in about three seconds and 500 MB."""
AT_ONCE = 2
SECONDS = 20.0

WORDS = {"es": {"page": "Página", "of": "de"}, "en": {"page": "Page", "of": "of"}}

Language = Literal["es", "en"]
Paper = Literal["us-letter", "a4"]

_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="letters")


class LetterTooLong(Refusal):
    """More is to be printed than one letter takes."""


class LetterTooSlow(Refusal):
    """The letter was not set in time, because others were being set or because of what it holds."""

    status = 503


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading below the title."""

    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; line breaks are kept."""

    text: str
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True, slots=True)
class Listing:
    """Points one below the other."""

    items: Sequence[str]
    kind: Literal["listing"] = "listing"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values, in two columns."""

    pairs: Sequence[tuple[str, str]]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: `number` aligns it right, `wide` gives it the room that is left."""

    title: str
    number: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many texts as there are columns; the titles stand on each page."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Signature:
    """A line to sign on, and below it who signs."""

    text: str
    kind: Literal["signature"] = "signature"


Block = Heading | Paragraph | Listing | Facts | Table | Signature


async def letter(
    title: str,
    blocks: Sequence[Block],
    *,
    network: str,
    language: Language = "es",
    day: date | None = None,
    to: str = "",
    footer: str = "",
    paper: Paper = "us-letter",
    seconds: float = SECONDS,
) -> bytes:
    """A letter of the network as PDF, tagged for readers aloud. `to` is whom it goes to, with line breaks.

    At most 10,000 cells of tables, 20,000 line breaks and 400,000 characters. Raises `LetterTooLong`,
    `LetterTooSlow`, and `ValueError` for a row that does not fit its columns.
    """
    given = _printable(
        {
            "title": " ".join(title.split()),
            "short": textwrap.shorten(title, 60, placeholder="…"),
            "network": network,
            "language": language,
            "words": WORDS[language],
            "day": format_date(day, "long", locale=language) if day else "",
            "to": to,
            "footer": footer,
            "paper": paper,
            "blocks": [asdict(block) for block in blocks],
        }
    )
    _fits(blocks, data := json.dumps(given, ensure_ascii=False))
    setting = asyncio.get_running_loop().run_in_executor(_threads, _set, data)
    try:
        return await asyncio.wait_for(setting, seconds)
    except TimeoutError:
        # what a thread has begun it ends; there are few of them, and what they are given is bounded
        raise LetterTooSlow("the letter was not set within {seconds:g} seconds; try again", seconds=seconds) from None


def _set(data: str) -> bytes:
    made: bytes = typst.compile(
        LETTERHEAD, root=LETTERHEAD.parent, font_paths=_fonts(), ignore_system_fonts=True, format="pdf",
        sys_inputs={"letter": data}, timestamp=0,
    )  # fmt: skip
    return made


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def _fits(blocks: Sequence[Block], data: str) -> None:
    cells = 0
    for block in blocks:
        if isinstance(block, Table):
            if wrong := next((row for row in block.rows if len(row) != len(block.columns)), None):
                raise ValueError(f"a row has {len(wrong)} cells, its table {len(block.columns)} columns")
            cells += len(block.columns) * len(block.rows)
    if cells > MAX_CELLS:
        raise LetterTooLong(
            "a letter has at most {most:,} cells in tables, this one {cells:,}", most=MAX_CELLS, cells=cells
        )
    if (lines := data.count("\\n")) > MAX_LINES:
        raise LetterTooLong(
            "a letter has at most {most:,} line breaks, this one {lines:,}", most=MAX_LINES, lines=lines
        )
    if len(data) > MAX_CHARACTERS:
        raise LetterTooLong(
            "a letter has at most {most:,} characters, this one {characters:,}",
            most=MAX_CHARACTERS,
            characters=len(data),
        )


def _printable(value: Any) -> Any:
    """The same without control characters and halves of surrogate pairs, which no font shows."""
    if isinstance(value, str):
        plain = value.replace("\r\n", "\n").replace("\t", " ")
        return "".join(char if char == "\n" or _shown(char) else "\ufffd" for char in plain)
    if isinstance(value, dict):
        return {key: _printable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(each) for each in value]
    return value


def _shown(char: str) -> bool:
    return char >= " " and not "\x7f" <= char <= "\x9f" and not "\ud800" <= char <= "\udfff"
