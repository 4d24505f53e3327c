"""Why something was refused, in the reader's language: for pages, for problem documents, for a field of a form.

The catalogues know a refusal by its English template (`locale/problems.es.po` beside those of the pages), and what
pydantic says by the type of its error. What no catalogue has is said in English.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.http.inputs import Unfit
from shared.refusal import Refusal, Said, Word
from shared.web.language import Language

PYDANTIC = "pydantic"
"""The context (`msgctxt`) under which the catalogue has the types of pydantic's errors."""
WORD = "word"
"""The context of the words that stand within a refusal: there an application may be called otherwise than in a list."""
_OURS = ("value_error", "assertion_error")
_CHOICE = ("literal_error", "enum")


def reason(said: Language, refusal: Refusal) -> str:
    """Why a command refused."""
    return told(said, refusal.template, refusal.values)


def sentence(said: Language, text: str) -> str:
    """A sentence that was kept: in the reader's language where it kept its template, or where a catalogue has it."""
    return told(said, text.template, text.values) if isinstance(text, Said) else said(text) if text else ""


def told(said: Language, template: str, values: Mapping[str, Any]) -> str:
    """A template with its values: days as they are written, words of a fixed list translated."""
    text = said(template)
    return text.format(**{name: _written(said, value) for name, value in values.items()}) if values else text


def unfit(said: Language, error: Mapping[str, Any]) -> str:
    """One error of a validation, as pydantic and FastAPI list them (`type`, `ctx`, `msg`)."""
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    if kind in _OURS:
        cause = context.get("error")
        return told(said, cause.template, cause.values) if isinstance(cause, Unfit) else said(str(cause))
    text = str(said.words.pgettext(PYDANTIC, kind))
    if text == kind:
        return str(error["msg"])
    if kind in _CHOICE:
        alternative = said.words.gettext("or")
        context["expected"] = str(context["expected"]).replace(" or ", f" {alternative} ")
    return text.format(**context)


def _written(said: Language, value: Any) -> Any:
    if isinstance(value, Word):
        return said.words.pgettext(WORD, value)
    return said.day(value) if isinstance(value, date) else value
