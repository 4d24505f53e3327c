"""docs/operating.md tells every setting with its variable, default and meaning, as the code has it."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from shared.contracts.publish import ROOT
from shared.runtime.settings import Settings

PAGE = (ROOT / "docs/operating.md").read_text("utf-8")
ROWS = {name: line for line, name in re.findall(r"^(\| `(CUMULO_[A-Z_]+)`.*)$", PAGE, re.MULTILINE)}


def row(name: str) -> str:
    """The line of the page about a setting: variable, default, meaning."""
    field = Settings.model_fields[name]
    default = field.default
    empty = default is PydanticUndefined or default is None or default == ""
    shown = "" if empty else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    meaning, *stated = (field.description or "").split("; default: ")
    return f"| `CUMULO_{name.upper()}` | {stated[0] if stated else shown} | {meaning} |".replace("|  |", "| |")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_stands_on_the_page_as_it_is(name: str) -> None:
    assert Settings.model_fields[name].description, f"{name} says nothing of its meaning"
    assert ROWS.get(f"CUMULO_{name.upper()}") == row(name), f"docs/operating.md needs the line\n{row(name)}"


def test_every_variable_that_the_code_reads_is_told() -> None:
    read = {
        variable.removesuffix("_FILE")
        for part in ("shared", "services", "deploy")
        for file in Path(ROOT / part).rglob("*.py")
        for variable in re.findall(r"CUMULO_[A-Z_]*[A-Z]", file.read_text("utf-8"))
    }
    assert sorted(variable for variable in read if f"`{variable}" not in PAGE) == []


def test_what_the_page_tells_is_read() -> None:
    settings = {f"CUMULO_{name.upper()}" for name in Settings.model_fields}
    others = {name for name in ROWS if name not in settings}
    code = "".join(file.read_text("utf-8") for part in ("shared", "deploy") for file in (ROOT / part).rglob("*.py"))
    assert [name for name in others if name not in code and name != "CUMULO_POSTGRES_PASSWORD_MEMBERSHIP"] == []
