"""What README, CONTRIBUTING and the pages of docs tell people to type and to open is there.

Commands are looked up in the real command tree with their options; links lead to files.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from services.cli import app
from shared.contracts.publish import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINES = sorted(
    {
        found.strip()
        for page in PAGES
        for found in re.findall(r"uv run cumulo ((?:\"[^\"]*\"|[^\n`|#&\"])*)", page.read_text("utf-8"))
    }
)


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_pages_exists_with_its_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {words[0]!r} in {command.name}"
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known
    if not hasattr(command, "commands") and "--help" not in words:
        with command.make_context("cumulo", words):
            pass


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / link).exists(), link
