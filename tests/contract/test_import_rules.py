"""The import rules of pyproject.toml hold here, and each catches what it is there for.

Planted trees of a few empty modules are judged by the same configuration.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.contracts.publish import ROOT

MODULE = ("api", "pages", "jobs", "commands", "views", "store", "domain")
SOUND = {
    "services/membership/app.py": "import services.membership.clusters.api",
    "services/membership/clusters/api.py": "import services.membership.clusters.commands, shared.http",
    "services/membership/clusters/commands.py": "import services.membership.clusters.store",
    "services/membership/clusters/store.py": "import services.membership.clusters.domain",
    "services/membership/members/commands.py": "import services.membership.clusters.store",
}
PLANTED = {
    "a service imports another": ("services/events/app.py", "import services.membership.clusters.store"),
    "shared imports a service": ("shared/http.py", "import services.events"),
    "shared imports what deploys": ("shared/http.py", "import deploy"),
    "a service imports what deploys": ("services/events/app.py", "import deploy"),
    "a rule reads a table": ("services/membership/clusters/domain.py", "import services.membership.clusters.store"),
    "a table calls a use case": (
        "services/membership/clusters/store.py",
        "import services.membership.clusters.commands",
    ),
    "a page calls the JSON edge": ("services/membership/clusters/pages.py", "import services.membership.clusters.api"),
    "a view uses the store": ("services/membership/clusters/views.py", "import services.membership.clusters.store"),
    "a file without a layer": ("services/membership/clusters/helpers.py", ""),
    "two modules in a cycle": ("services/membership/clusters/jobs.py", "import services.membership.members.commands"),
    "a module calls the edge of another": (
        "services/membership/members/jobs.py",
        "import services.membership.clusters.api",
    ),
}


def judged(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def planted(tree: Path, files: dict[str, str]) -> Path:
    services = [f"services/{name}" for name in ("membership", "events", "notifications", "reporting")]
    modules = ["services/membership/clusters", "services/membership/members"]
    for folder in ("services", "shared", "deploy", *services, *modules):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "__init__.py").touch()
    for name in ("shared/http.py", *(f"{module}/{layer}.py" for module in modules for layer in MODULE)):
        (tree / name).touch()
    for name, text in files.items():
        (tree / name).write_text(text)
    return tree


def test_the_rules_hold_for_this_code() -> None:
    answer = judged(ROOT)
    assert answer.returncode == 0, answer.stdout


def test_a_sound_tree_passes(tmp_path: Path) -> None:
    answer = judged(planted(tmp_path, SOUND))
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_import_is_caught(what: str, tmp_path: Path) -> None:
    name, text = PLANTED[what]
    answer = judged(planted(tmp_path, SOUND | {name: text}))
    assert answer.returncode == 1, answer.stdout
    assert "BROKEN" in answer.stdout
    shutil.rmtree(tmp_path)
