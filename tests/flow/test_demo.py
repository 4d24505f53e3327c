"""`cumulo up --demo`: the door opens, the network comes behind it, its figures are those of whoever owns them."""

import json
import signal
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.stack.program import Program, finished

pytestmark = pytest.mark.xdist_group("demo")

MEMBERSHIPS = "SELECT count(*) FROM membership.membership WHERE standing = 'active'"
ORGANIZATIONS = "SELECT count(DISTINCT organization_id) FROM membership.membership WHERE standing = 'active'"
BY_CLUSTER = """
SELECT m.cluster_id::text, count(*) FROM membership.membership m WHERE m.standing = 'active' GROUP BY m.cluster_id
"""


class Stack:
    """The running demo, asked as the installation itself."""

    def __init__(self, data: Path) -> None:
        code, output, errors = finished("status", "--json", "--data", str(data))
        assert code == 0, errors
        self.status: dict[str, Any] = json.loads(output)

    def page(self, path: str) -> str:
        headers = {"Authorization": f"Bearer {self.status['token']}", "Accept-Language": "es"}
        with urllib.request.urlopen(urllib.request.Request(self.status["http"] + path, headers=headers)) as answer:
            return str(answer.read().decode())

    def ask(self, path: str) -> Any:
        return json.loads(self.page(path))


COUNTED = """
WITH held AS (
    SELECT g.id, g.status, (g.starts AT TIME ZONE g.zone)::date AS day FROM events.gathering g
    WHERE g.status IN ('published', 'held')
), today AS (SELECT (now() AT TIME ZONE 'America/Mexico_City')::date AS day), since AS (
    SELECT date_trunc('year', day)::date AS day FROM today
)
SELECT
    (SELECT count(*) FROM held WHERE status = 'held' AND day BETWEEN (TABLE since) AND (TABLE today)) AS gatherings,
    (SELECT count(*) FROM events.registration r JOIN held h ON h.id = r.gathering_id
     WHERE r.status = 'confirmed' AND h.day >= (TABLE since)) AS registrations,
    (SELECT count(*) FROM events.attendance a JOIN events.registration r ON r.id = a.registration_id
     JOIN held h ON h.id = r.gathering_id WHERE h.day BETWEEN (TABLE since) AND (TABLE today)) AS attendance,
    (SELECT count(DISTINCT c.id) FROM membership.certificate c
     JOIN membership.membership m ON m.organization_id = c.organization_id AND m.standing = 'active'
     WHERE (TABLE today) >= c.since AND (TABLE today) < c.until AND c.until <= (TABLE today) + 60)
     AS certificates_ending,
    (SELECT count(*) FROM membership.history h WHERE h.type = 'org.cumulo.membership.MembershipApplied.v1'
     AND h.effective BETWEEN (TABLE since) AND (TABLE today)) AS applications
"""


def is_said(stack: Stack, indicator: str, value: int) -> bool:
    """Whether reporting has come to this value."""
    return bool(stack.ask(f"/reporting/indicators/{indicator}")["value"] == value)


async def test_the_network_comes_while_the_door_is_open_and_its_figures_agree(tmp_path: Path) -> None:
    data = tmp_path / "data"
    up = Program("up", "--demo", "--port", "0", "--data", str(data), log=tmp_path / "up.log")
    try:
        up.wait_for("Ctrl-C")
        stack = Stack(data)
        opened = time.monotonic()
        up.wait_for("demo's network ✓")
        assert time.monotonic() - opened < 60
        connection = await asyncpg.connect(stack.status["postgres"])
        try:
            assert await connection.fetchval(MEMBERSHIPS) == 640
            assert await connection.fetchval(ORGANIZATIONS) == 612
            owned = {str(cluster): count for cluster, count in await connection.fetch(BY_CLUSTER)}
            [row] = await connection.fetch(COUNTED)
            counted = dict(row)
        finally:
            await connection.close()
        figures = "/reporting/indicators/{}?by=cluster"
        up.wait_until(
            lambda: stack.ask(figures.format("members"))["value"] == 640, what="640 memberships in the figures"
        )
        assert {row["cluster"]: row["value"] for row in stack.ask(figures.format("members"))["rows"]} == owned
        assert stack.ask(figures.format("organizations"))["value"] == 612
        assert counted["certificates_ending"] == 19
        for indicator, value in counted.items():  # what each service owns, and what reporting made of its facts
            up.wait_until(
                partial(is_said, stack, indicator, value),
                what=f"{value} {indicator} in the figures",
            )
        [task] = [one for one in stack.ask("/membership/tasks?everybody=true")["tasks"] if one["kind"] == "demo"]
        assert (task["state"], task["done"], task["total"]) == ("done", 612, 612)
        assert "ingresaron a Clúster Hidrocálido" in stack.page("/membership/pages/home/recent")
        assert "Inyectora Tres Cerros solicita ingreso" in stack.page("/membership/pages/home/pending")
        assert ">640<" in stack.page("/reporting/pages/home/figures")
        coming = stack.page("/events/pages/home/next")
        assert "T-MEC: calcula tu contenido regional" in coming and "en espera <b>23</b>" in coming
        held = stack.ask("/events/gatherings?status=held&limit=200")["items"]
        assert len(held) > 40
        result = stack.ask(f"/events/gatherings/{held[0]['id']}/result")
        assert 0 < result["attended"] <= result["confirmed"]
        # the few who just applied hear of it, and those whose certificate ends soon; six hundred members and two
        # thousand guests of history do not
        assert len(list((data / "mail").glob("*.eml"))) < 50
        code, _, errors = finished("demo", "reset", "--yes", "--data", str(data))
        assert (code, "in use" in errors) == (1, True), errors
        assert up.end(signal.SIGINT) == 0
        again = Program("up", "--demo", "--port", "0", "--data", str(data), log=tmp_path / "again.log")
        try:
            again.wait_for("Ctrl-C")
            assert "people (0 new)" in again.output
            assert again.end(signal.SIGINT) == 0
        finally:
            again.end(signal.SIGKILL)
        code, _, errors = finished("demo", "reset", "--yes", "--data", str(data))
        assert code == 0, errors
        assert {entry.name for entry in data.iterdir()} == {"lock"}
    finally:
        up.end(signal.SIGKILL)


def test_a_folder_without_a_demo_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("1\n")
    (tmp_path / "letter.txt").write_text("Querida abuela")
    code, _, errors = finished("demo", "reset", "--yes", "--data", str(tmp_path))
    assert (code, "holds no demo" in errors) == (1, True), errors
    assert (tmp_path / "letter.txt").exists()
