"""Which messages templates and code hold, and which of them a catalogue lacks; for tests and for who translates.

`uv run python -m shared.web.catalogues services/membership` prints the missing ones as entries of a .po file: what
refusals say (problems.es.po), then what pages say (pages.es.po).
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

KEYWORDS = {"mark": None, "said": None, "language": None, "plural": (1, 2)}
_OPTIONS = {"extensions": "jinja2.ext.do", "silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}

ROOT = Path(__file__).parents[2]
REFUSALS = ROOT / "shared/refusal.py"
CALLED_WITH = {"Said": 0, "Unfit": 0, "HTTPException": 1, "refuse": 3}
"""Where the template stands in calls other than of refusals, which have it first."""

Message = str | tuple[str, ...]


class Raised(NamedTuple):
    """A refusal as the code raises it. `template` is None when it is put together instead of written out; `given`
    are the names of its values, None when the call spreads some."""

    kind: str
    template: str | None
    given: frozenset[str] | None
    place: str


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


def raised_in(folder: Path) -> Iterator[Raised]:
    """The refusals that are made below a folder, and what else answers a request with a reason."""
    places = CALLED_WITH | dict.fromkeys(_refusals(), 0)
    for file in sorted(folder.rglob("*.py")):
        if file == REFUSALS:  # where they are made of what others wrote out
            continue
        for node in _calls_and_classes(file):
            if not isinstance(node, ast.Call):
                continue
            kind = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            place = places.get(kind)
            if place is None or len(node.args) <= place:
                continue
            template = node.args[place]
            text = template.value if isinstance(template, ast.Constant) and isinstance(template.value, str) else None
            names = [keyword.arg for keyword in node.keywords]
            given = None if None in names else frozenset(name for name in names if name)
            yield Raised(kind, text, given, f"{file.relative_to(ROOT)}:{node.lineno}")


@lru_cache(maxsize=1024)
def _calls_and_classes(file: Path) -> list[ast.Call | ast.ClassDef]:
    tree = ast.parse(file.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call | ast.ClassDef)]


@lru_cache(maxsize=1)
def _refusals() -> frozenset[str]:
    """The names of all classes below Refusal, by what the code says."""
    parents: dict[str, set[str]] = {}
    for part in ("services", "shared"):
        for file in (ROOT / part).rglob("*.py"):
            for node in _calls_and_classes(file):
                if isinstance(node, ast.ClassDef):
                    names = {one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in node.bases}
                    parents.setdefault(node.name, set()).update(names)
    known, before = {"Refusal"}, 0
    while len(known) > before:
        before = len(known)
        known |= {name for name, bases in parents.items() if bases & known}
    return frozenset(known)


def translated(*files: Path, context: str | None = None) -> dict[str, str]:
    """The messages that stand in these catalogues in one context, with their Spanish. A file may be missing."""
    found: dict[str, str] = {}
    for file in files:
        if not file.exists():
            continue
        with file.open("rb") as source:
            for entry in read_po(source, locale="es"):
                if isinstance(entry.id, str) and isinstance(entry.string, str) and entry.context == context:
                    found[entry.id] = entry.string
    return found


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
    """Prints what the folder's catalogues lack, ready to be translated."""
    shells = Path(__file__).parent / "locale"
    own = shells / "es.po"
    files = [place / f"{kind}.es.po" for place in (shells, folder / "locale") for kind in ("problems", "pages")]
    known = translated(own, *files)
    for refused in {one.template: one for one in raised_in(folder.resolve())}.values():
        if refused.template is None:
            print(f"# {refused.place}: {refused.kind} is not written out")
        elif refused.template not in known:
            print(f'#: {refused.place}\nmsgid {_quoted(refused.template)}\nmsgstr ""\n')
    for message, place in missing(folder, own, folder / "locale" / "pages.es.po").items():
        one, *many = (message,) if isinstance(message, str) else message
        print(f"#: {place}\nmsgid {_quoted(one)}")
        print(f'msgid_plural {_quoted(many[0])}\nmsgstr[0] ""\nmsgstr[1] ""\n' if many else 'msgstr ""\n')


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


if __name__ == "__main__":
    main(Path(sys.argv[1]))
