"""The commands as people type them, against a real PostgreSQL: what they print and how they end."""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from stdnum.mx.rfc import calc_check_digit
from typer.testing import CliRunner, Result

from services.membership import cli
from shared.runtime.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def cumulo(service_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Run:
    settings = service_settings("membership", import_max_megabytes=1)
    monkeypatch.setattr("shared.runtime.local.settings_for", lambda service: settings)
    app = typer.Typer()
    cli.register(app)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments])

    return invoke


async def typed(cumulo: Run, *arguments: str) -> Result:
    return await asyncio.to_thread(cumulo, *arguments)


async def new_cluster(cumulo: Run) -> str:
    slug = f"c-{uuid.uuid4().hex[:10]}"
    done = await typed(
        cumulo, "cluster", "add", "Costa y Agave", "--slug", slug, "--state", "Jalisco", "--since", "2020-09-01"
    )
    assert done.exit_code == 0, done.output
    assert "since 2020-09-01" in done.output
    return slug


async def test_a_cluster_is_founded_and_listed(cumulo: Run) -> None:
    slug = await new_cluster(cumulo)
    listed = await typed(cumulo, "cluster", "list", "--json")
    [mine] = [cluster for cluster in json.loads(listed.output) if cluster["slug"] == slug]
    assert (mine["state"], mine["in_network_since"]) == ("JAL", "2020-09-01")
    assert (await typed(cumulo, "cluster", "list")).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("cluster", "add", "x", "--slug", "Not A Slug", "--state", "JAL"), 2),
        (("cluster", "add", "x", "--slug", "a", "--state", "JAL", "--since", "yesterday"), 2),
        (("cluster", "add", "x", "--slug", "a", "--state", "Narnia"), 1),
        (("cluster", "add", "x"), 2),
        (("import", "members", "no-such-file.csv", "--cluster", "a"), 2),
    ],
)
async def test_wrong_usage_is_two_and_a_refusal_one(cumulo: Run, arguments: tuple[str, ...], code: int) -> None:
    assert (await typed(cumulo, *arguments)).exit_code == code


async def test_a_register_is_taken_over_and_told(cumulo: Run, tmp_path: Path) -> None:
    slug, mark = await new_cluster(cumulo), uuid.uuid4().hex[:8]
    file = tmp_path / "padrón.csv"
    file.write_text(f"Razón social;RFC;Correo\nArneses [{mark}];;a@x.example\nRoto;ABC;\n", "latin-1")
    dry = await typed(cumulo, "import", "members", str(file), "--cluster", slug, "--dry-run", "--json")
    done = await typed(cumulo, "import", "members", str(file), "--cluster", slug, "--json")
    assert (dry.exit_code, done.exit_code) == (0, 0)
    counts: dict[str, Any] = json.loads(done.output)["counts"]
    assert counts == json.loads(dry.output)["counts"]
    assert counts == {"new": 1, "changed": 0, "same": 0, "refused": 1, "warnings": 0, "absent": 0}
    again = await typed(cumulo, "import", "members", str(file), "--cluster", slug)
    assert again.exit_code == 0
    assert "row 3  Roto: tax number: 'ABC' has 3 characters" in again.output


async def test_refusals_stand_last_and_warnings_of_one_kind_are_summed_up(cumulo: Run, tmp_path: Path) -> None:
    slug, mark = await new_cluster(cumulo), uuid.uuid4().hex[:8]
    letters = "".join(chr(ord("A") + int(c, 16)) for c in mark)[:3]
    numbers = [f"{letters}{n:02d}0101AB" for n in range(10, 30)]
    wrong = [f"Uno {n} {mark},{n}{'0' if calc_check_digit(n) != '0' else '1'},," for n in numbers]
    rows = [*wrong, f"Mal {mark},,Atlantis,", f"Sola {mark},,,ana at x"]
    file = tmp_path / "a.csv"
    file.write_text("\n".join(["Empresa,RFC,Estado,Correo", *rows]))
    done = await typed(cumulo, "import", "members", str(file), "--cluster", slug, "--dry-run")
    said = " ".join(done.output.split())
    assert done.output.count("the check digit of") == 3
    assert "… and 17 more rows with a warning like these (all of them with --json)" in said
    assert "ana at x" in said
    assert said.index("Warnings") < said.index("Refused") < said.index("Atlantis")
    assert "Atlantis" in done.output.rstrip("\n").rsplit("Refused", 1)[1]
    assert "Columns" not in said[said.index("Refused") :]
    whole = await typed(cumulo, "import", "members", str(file), "--cluster", slug, "--dry-run", "--json")
    assert whole.output.count("the check digit of") == 20


async def test_a_row_without_a_name_is_printed_without_a_gap(cumulo: Run, tmp_path: Path) -> None:
    slug = await new_cluster(cumulo)
    (tmp_path / "a.csv").write_text("Empresa,RFC,Ciudad\n,,León\n")
    done = await typed(cumulo, "import", "members", str(tmp_path / "a.csv"), "--cluster", slug)
    assert "row 2: legal_name: the row names nobody" in done.output


async def test_a_cluster_that_joins_on_a_day_ahead_is_told_so(cumulo: Run) -> None:
    slug = f"c-{uuid.uuid4().hex[:10]}"
    done = await typed(cumulo, "cluster", "add", "N", "--slug", slug, "--state", "Jalisco", "--since", "2150-01-01")
    said = " ".join(done.output.split())
    assert f"Founded N ({slug}), in the network from 2150-01-01 on." in said
    assert "--since: 2150-01-01 lies more than a year ahead; is it meant?" in said
    listed = " ".join((await typed(cumulo, "cluster", "list")).output.split())
    assert "from 2150-01-01" in listed
    soon = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    slug = f"c-{uuid.uuid4().hex[:10]}"
    done = await typed(cumulo, "cluster", "add", "N", "--slug", slug, "--state", "Jalisco", "--since", soon)
    assert f"from {soon} on" in " ".join(done.output.split())
    assert "year ahead" not in done.output


async def test_a_file_or_cluster_that_is_refused_is_one_line(cumulo: Run, tmp_path: Path) -> None:
    slug = await new_cluster(cumulo)
    for name, content in (("a.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(64)), ("b.csv", b""), ("c.csv", b"x" * 1_100_000)):
        (tmp_path / name).write_bytes(content)
        done = await typed(cumulo, "import", "members", str(tmp_path / name), "--cluster", slug)
        assert done.exit_code == 1
        assert len(done.output.strip().splitlines()) == 1
    (tmp_path / "d.csv").write_text("razón social\nUno\n")
    done = await typed(cumulo, "import", "members", str(tmp_path / "d.csv"), "--cluster", "nowhere")
    assert done.exit_code == 1
    assert "no cluster 'nowhere'" in done.output
