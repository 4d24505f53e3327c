"""Which messages templates and code hold, and which of them a catalogue lacks; for tests and for who translates.

`uv run python -m shared.web.catalogues services/membership` prints the missing ones as entries of a .po file.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

KEYWORDS = {"mark": None, "said": None, "language": None, "plural": (1, 2)}
_OPTIONS = {"extensions": "jinja2.ext.do", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}

Message = str | tuple[str, ...]


def messages_in(folder: Path) -> Iterator[tuple[Message, str]]:
    """The messages of all templates and pages below a folder, each with its file and line.

    In Python they are what stands in `mark("…")`, in a call of a Language named `language` or `said`, and in
    `plural("…", "…", count)`.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".html" and "templates" in file.parts:
            with file.open("rb") as source:
                found = babel_extract(source, ("_", "gettext", "ngettext"), (), _OPTIONS)
                for line, _function, message, _comments in found:
                    yield from _kept(message, f"{file.name}:{line}")
        elif file.suffix == ".py":
            with file.open("rb") as source:
                for line, message, _comments, _context in extract("python", source, KEYWORDS):
                    yield from _kept(message, f"{file.name}:{line}")


def _kept(message: object, place: str) -> Iterator[tuple[Message, str]]:
    if isinstance(message, str) and message:
        yield message, place
    elif isinstance(message, Iterable):
        texts = tuple(text for text in message if isinstance(text, str) and text)
        if texts:
            yield (texts[:2] if len(texts) > 1 else texts[0]), place


def missing(folder: Path, *files: Path) -> dict[Message, str]:
    """Messages below a folder that none of these catalogues translates, with the place of each."""
    known: set[str] = set()
    for file in files:
        if not file.exists():
            continue
        with file.open("rb") as source:
            for entry in read_po(source, locale="es"):
                forms = entry.string if isinstance(entry.string, tuple | list) else (entry.string,)
                if entry.id and all(forms):
                    known.add(entry.id if isinstance(entry.id, str) else entry.id[0])
    return {
        message: place
        for message, place in messages_in(folder)
        if (message if isinstance(message, str) else message[0]) not in known
    }


def main(folder: Path) -> None:
    """Prints what the folder's catalogue lacks, ready to be translated."""
    own = Path(__file__).parent / "locale" / "es.po"
    for message, place in missing(folder, own, folder / "locale" / "pages.es.po").items():
        one, *many = (message,) if isinstance(message, str) else message
        print(f"#: {place}\nmsgid {_quoted(one)}")
        print(f'msgid_plural {_quoted(many[0])}\nmsgstr[0] ""\nmsgstr[1] ""\n' if many else 'msgstr ""\n')


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


if __name__ == "__main__":
    main(Path(sys.argv[1]))
