"""Every reason that reaches people over HTTP can be told in Spanish: written out in the code, and in the catalogues.

Read from the code itself, so that a new refusal without its words fails here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import get_args

from pydantic_core._pydantic_core import list_all_errors

from services.events.gatherings.domain import Status
from services.events.registrations.domain import ENDED
from services.membership.access.domain import SCOPES
from shared.contracts.membership import Category, Role, Standing
from shared.contracts.publish import ROOT
from shared.http.addresses import _KINDS_4, _KINDS_6
from shared.runtime.filetypes import KINDS
from shared.runtime.settings import SERVICES
from shared.runtime.spreadsheets import _MAGIC
from shared.runtime.tasks import State
from shared.web.catalogues import Raised, raised_in, translated
from shared.web.language import OWN
from shared.web.refusals import PYDANTIC, WORD

PARTS = ("shared", "deploy", *(f"services/{name}" for name in SERVICES))
SHELLS = (OWN / "problems.es.po", OWN / "es.po")
FORMATTER = Formatter()


def files_of(part: str) -> tuple[Path, ...]:
    """The catalogues that are together where a refusal of this part is told."""
    own = ROOT / part / "locale"
    return (*SHELLS, own / "problems.es.po", own / "pages.es.po")


def fields(text: str) -> set[tuple[str, str, str]]:
    """The values of a template, each with how it is written."""
    return {(name, spec or "", how or "") for _, name, spec, how in FORMATTER.parse(text) if name is not None}


def raised() -> Iterator[tuple[str, Raised]]:
    for part in PARTS:
        yield from ((part, one) for one in raised_in(ROOT / part))


RAISED = list(raised())


def test_a_refusal_is_written_out_and_not_put_together() -> None:
    assert len(RAISED) > 200
    assert [f"{one.place}: {one.kind}" for _, one in RAISED if one.template is None] == []


def test_every_refusal_is_in_the_spanish_catalogues_with_the_same_values() -> None:
    spanish = {part: translated(*files_of(part)) for part in PARTS}
    wrong = []
    for part, one in RAISED:
        template = one.template or ""
        text = spanish[part].get(template)
        if not text:
            wrong.append(f"{one.place}: {template!r} has no Spanish")
        elif fields(text) != fields(template):
            wrong.append(f"{one.place}: {text!r} has other values than {template!r}")
    assert wrong == []


def test_a_refusal_has_one_place_in_the_catalogues() -> None:
    refused = translated(OWN / "problems.es.po").keys() - {""}
    twice = refused & translated(OWN / "es.po").keys()
    for part in PARTS:
        own = translated(ROOT / part / "locale/problems.es.po").keys() - {""}
        others = translated(*SHELLS, ROOT / part / "locale/pages.es.po")
        twice |= own & others.keys()
        twice |= refused & translated(ROOT / part / "locale/pages.es.po").keys()
    assert twice == set()


def test_no_catalogue_keeps_the_words_of_a_refusal_that_is_gone() -> None:
    living = {one.template for _, one in RAISED}
    values = [text for part in PARTS for text in translated(ROOT / part / "locale/problems.es.po") if "{" in text]
    own = [text for text in translated(OWN / "problems.es.po") if "{" in text]
    assert [text for text in (*values, *own) if text not in living] == []


def test_every_template_gets_its_values_where_it_is_raised() -> None:
    assert [
        f"{one.place}: {one.template}" for _, one in RAISED
        if one.given is not None and not {name for name, *_ in fields(one.template or "")} <= one.given
    ] == []  # fmt: skip


def test_what_pydantic_says_is_in_the_spanish_catalogue_with_values_that_it_gives() -> None:
    spanish = translated(OWN / "problems.es.po", context=PYDANTIC)
    for error in list_all_errors():
        text = spanish.get(error["type"])
        assert text, f"{error['type']} has no Spanish: {error['message_template_python']}"
        given = set(error.get("example_context") or {}) - {"expected_plural"}
        assert {name for name, *_ in fields(text)} <= given, error["type"]


def words() -> Iterator[tuple[str, str]]:
    """The words of fixed lists that stand within refusals, and the part that says them."""
    yield from (("shared", kind) for kind in (*_KINDS_4.values(), *_KINDS_6.values()))
    yield from (("shared", kind.title) for kind in KINDS)
    yield from (("shared", state) for state in get_args(State))
    yield from (("services/membership", word) for word in (*get_args(Role), *get_args(Standing)))
    yield from (("shared", what) for _, what in _MAGIC)
    yield from (("services/membership", word) for word in ("the whole network", "one cluster", "one organisation"))
    yield from (("services/membership", word) for word in ("organization", "membership", "cluster", "account"))
    yield from (("services/events", word) for word in (*get_args(Status), *get_args(Category), *ENDED))
    yield from (("services/notifications", state) for state in ("sent", "erased"))
    source = (ROOT / "shared/runtime/spreadsheets.py").read_text("utf-8")
    yield from (("shared", why) for why in re.findall(r'_left_open\(number, "([^"]+)"\)', source))
    source = (ROOT / "services/membership/tax_numbers.py").read_text("utf-8")
    yield from (("services/membership", why) for why in re.findall(r'return "([^"]+)"|else "(no such [^"]+)"', source)
                for why in why if why)  # fmt: skip


def test_the_words_within_refusals_are_in_the_spanish_catalogue() -> None:
    assert set(SCOPES.values()) == {"network", "cluster", "organization"}
    spanish = {part: translated(*files_of(part), context=WORD) for part in PARTS}
    assert [word for part, word in words() if not spanish[part].get(word)] == []
