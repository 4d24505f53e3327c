"""Importar padrón by page: a sheet is uploaded, its columns chosen, reviewed, applied, undone; nothing before."""

import asyncio
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from python_calamine import CalamineWorkbook

from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@dataclass
class Desk:
    """A cluster with its director at the page, and what the register holds of it."""

    client: httpx.AsyncClient
    cluster: UUID
    director: Somebody
    mark: str

    async def ask(self, method: str, path: str, who: Somebody | None = None, **more: Any) -> httpx.Response:
        headers = {**HTML, **(who or self.director).headers, **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def upload(self, content: bytes | str, name: str = "padrón.csv", **more: Any) -> str:
        """The address of the sheet's page."""
        answer = await self.send(content, name, **more)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def send(self, content: bytes | str, name: str = "padrón.csv", who: Somebody | None = None) -> httpx.Response:
        data = content.encode() if isinstance(content, str) else content
        return await self.ask("POST", "/import", who, data={"cluster": str(self.cluster)}, files={"file": (name, data)})

    async def chosen(self, page: str, **fields: str) -> None:
        """Sends the form of the columns as it stands, with these changes, and waits for the review."""
        shown = (await self.ask("GET", page)).text
        values = dict(re.findall(r'<select id="field-(column-\d+)".*?(?:<option value="([a-z_]+)" selected>|</select>)',
                                 shown, re.DOTALL))  # fmt: skip
        values["header_row"] = re.findall(r'name="header_row" value="(\d+)"', shown)[0]
        answer = await self.ask("POST", f"{page}/columns", data=values | fields)
        assert answer.status_code == 303, answer.text
        await self.done(page)

    async def act(self, page: str, what: str) -> None:
        answer = await self.ask("POST", f"{page}/{what}")
        assert answer.status_code == 303, answer.text
        await self.done(page)

    async def done(self, page: str) -> str:
        """The page when nothing is under way any more."""
        for _ in range(400):
            text = (await self.ask("GET", page)).text
            if "data-progress" not in text:
                return text
            await asyncio.sleep(0.02)
        raise AssertionError(f"{page} is still being worked on")

    async def state(self) -> list[Any]:
        """Everything that the register holds of this test, without versions."""
        async with self.client.service.database.connection() as connection:  # type: ignore[attr-defined]
            return [
                [tuple(row) for row in await connection.fetch(sql, f"%{self.mark}%")]
                for sql in (
                    "SELECT id, slug, legal_name, trade_name, type, state, city, tax_number FROM organization"
                    " WHERE legal_name LIKE $1 ORDER BY id",
                    "SELECT p.organization_id, p.position, p.period FROM organization_position p JOIN organization o"
                    " ON o.id = p.organization_id WHERE o.legal_name LIKE $1 ORDER BY 1, 2, 3",
                    "SELECT m.id, m.category, m.standing, m.since, m.until, b.period, b.category FROM membership m"
                    " JOIN organization o ON o.id = m.organization_id LEFT JOIN membership_band b"
                    " ON b.membership_id = m.id WHERE o.legal_name LIKE $1 ORDER BY 1, 6",
                    "SELECT p.id, p.name, p.mail, p.language FROM person p JOIN organization o"
                    " ON o.id = p.organization_id WHERE o.legal_name LIKE $1 ORDER BY 1",
                )
            ]

    async def waiting(self) -> list[tuple[str, str]]:
        """What waits to be published about this test's organisations: type and key, in order."""
        async with self.client.service.database.connection() as connection:  # type: ignore[attr-defined]
            rows = await connection.fetch(
                "SELECT type, aggregateid FROM outbox WHERE cause LIKE 'upload:%' ORDER BY position"
            )
        return [((row["type"] or "tombstone").split(".")[-2], row["aggregateid"]) for row in rows]


@pytest.fixture
async def desk(client_for: ClientFor) -> AsyncIterator[Desk]:
    client = await client_for("membership")
    mark = uuid4().hex[:8]
    made = await client.post("/membership/clusters", json={"name": f"Clúster {mark}", "slug": f"c-{mark}",
                                                           "state": "JAL"})  # fmt: skip
    assert made.status_code == 201, made.text
    cluster = UUID(made.json()["id"])
    database = client.service.database  # type: ignore[attr-defined]
    director = await somebody(database, "cluster_director", "cluster", cluster)
    client.headers.pop("Authorization")
    yield Desk(client, cluster, director, mark)
    async with database.connection() as connection:
        await connection.execute("DELETE FROM outbox")


async def test_a_sheet_is_reviewed_applied_and_undone_and_everything_is_as_before(desk: Desk) -> None:
    first = (
        "Razón social;RFC;Ciudad;Categoría;Tier;Representante;Correo\n"
        f"Moldes {desk.mark} Uno;;Zapopan;asociado;Tier 2;Ana Ruiz;ana@{desk.mark}.example\n"
        f"Moldes {desk.mark} Dos;;Tepic;asociado;Tier 1;;\n"
    )
    page = await desk.upload(first)
    nothing = await desk.state()
    assert nothing[0] == []
    await desk.chosen(page)
    text = await desk.done(page)
    assert "Nuevas" in text and f"Moldes {desk.mark} Dos" in text
    assert await desk.state() == nothing, "a review changes nothing"
    await desk.act(page, "apply")
    before = await desk.state()
    assert len(before[0]) == 2 and len(before[2]) == 2 and len(before[3]) == 1

    second = (
        "Razón social;RFC;Ciudad;Categoría;Tier;Representante;Correo\n"
        f"Moldes {desk.mark} Uno;;Guadalajara;afiliado;Tier 1;Ana Ruiz Soto;ana@{desk.mark}.example\n"
        f"Moldes {desk.mark} Tres;;Tala;asociado;Tier 3;Eva Luna;eva@{desk.mark}.example\n"
    )
    page = await desk.upload(second)
    await desk.chosen(page)
    changed = (await desk.ask("GET", f"{page}?tab=changed")).text
    assert "<del>Zapopan</del>" in changed and "<ins>Guadalajara</ins>" in changed
    assert "<del>asociado</del>" in changed and "Ana Ruiz Soto" in changed
    absent = (await desk.ask("GET", f"{page}?tab=absent")).text
    assert f"Moldes {desk.mark} Dos" in absent and "Siguen siendo" in absent
    await desk.act(page, "apply")
    assert len((await desk.state())[0]) == 3
    assert "Deshacer la importación" in (await desk.ask("GET", page)).text

    await desk.act(page, "undo")
    after = await desk.state()
    assert after == before
    assert "Deshecha" in (await desk.ask("GET", page)).text
    kinds = [kind for kind, _ in await desk.waiting()]
    assert kinds.count("MembershipActivationWithdrawn") == 1 and kinds.count("OrganizationWithdrawn") == 1
    again = await desk.ask("POST", f"{page}/undo")
    assert again.status_code == 303 and await desk.state() == before


async def test_refused_rows_come_back_as_the_same_sheet_with_why_and_mended_they_are_taken(desk: Desk) -> None:
    header = "Empresa;R.F.C.;Notas de Paty"
    page = await desk.upload(f"{header}\nMoldes {desk.mark};XAXX010101000;vip\nForjas {desk.mark};;\n")
    await desk.chosen(page)
    await desk.act(page, "apply")
    file = await desk.ask("GET", f"{page}/refused.xlsx")
    [names, row] = CalamineWorkbook.from_filelike(io.BytesIO(file.content)).get_sheet_by_index(0).to_python()
    assert names == ["Empresa", "R.F.C.", "Notas de Paty", "motivo"]
    assert row[:3] == [f"Moldes {desk.mark}", "XAXX010101000", "vip"] and "RFC genérico" in str(row[3])
    assert len((await desk.state())[0]) == 1
    text = (await desk.ask("GET", f"{page}/refused.csv")).content.decode("utf-8-sig").replace("XAXX010101000", "")
    again = await desk.upload(text, "rechazadas.csv")
    await desk.chosen(again)
    await desk.act(again, "apply")
    assert {row[2] for row in (await desk.state())[0]} == {f"Moldes {desk.mark}", f"Forjas {desk.mark}"}


async def test_what_a_clusters_own_headers_mean_is_remembered_for_its_next_sheet(desk: Desk) -> None:
    page = await desk.upload(f"Compañero;Pueblo\nMoldes {desk.mark};Tala\n")
    columns = (await desk.ask("GET", page)).text
    assert "Compañero" in columns and "Moldes" in columns and "selected" in columns
    refused = await desk.ask("POST", f"{page}/columns", data={"header_row": "1", "column-1": "city"})
    assert refused.status_code == 422 and "razón social" in refused.text
    twice = await desk.ask("POST", f"{page}/columns",
                           data={"header_row": "1", "column-0": "legal_name", "column-1": "legal_name"})  # fmt: skip
    assert twice.status_code == 422 and "dos columnas" in twice.text
    for wrong in ({"header_row": "x", "column-0": "legal_name"}, {"header_row": "1", "column-0": "no_such"},
                  {"header_row": "99", "column-0": "legal_name"}):  # fmt: skip
        assert (await desk.ask("POST", f"{page}/columns", data=wrong)).status_code == 422
    await desk.chosen(page, **{"column-0": "legal_name", "column-1": "city"})
    await desk.act(page, "apply")
    next_one = await desk.upload(f"Compañero;Pueblo\nForjas {desk.mark};Ameca\n")
    await desk.chosen(next_one)
    await desk.act(next_one, "apply")
    assert {(row[2], row[6]) for row in (await desk.state())[0]} == {
        (f"Moldes {desk.mark}", "Tala"), (f"Forjas {desk.mark}", "Ameca")}  # fmt: skip


async def test_what_is_no_sheet_is_refused_at_the_field_and_nothing_is_kept(desk: Desk) -> None:
    for content, name, words in (
        (b"", "vac\u00edo.csv", "vac\u00edo"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "padr\u00f3n.xlsx", "imagen"),
        (b"PK\x03\x04" + bytes(30), "padr\u00f3n.xlsx", "libro"),
    ):
        answer = await desk.send(content, name)
        assert answer.status_code == 422 and "error-file" in answer.text and words in answer.text, name
    none = await desk.ask("POST", "/import", data={"cluster": str(desk.cluster)})
    assert none.status_code == 422 and "error-file" in none.text
    assert "Aún no hay hojas" in (await desk.ask("GET", "/import")).text


async def test_another_clusters_staff_sees_nothing_and_the_assistant_prepares_only(desk: Desk) -> None:
    page = await desk.upload(f"Empresa\nMoldes {desk.mark}\n")
    await desk.chosen(page)
    database = desk.client.service.database  # type: ignore[attr-defined]
    foreign = await somebody(database, "cluster_staff", "cluster", uuid4())
    emilio = await somebody(database, "assistant")
    for path in ("", "?tab=new", "/rows.csv", "/refused.xlsx"):
        assert (await desk.ask("GET", page + path, foreign)).status_code == 404
    for what in ("columns", "apply", "undo", "discard"):
        assert (await desk.ask("POST", f"{page}/{what}", foreign)).status_code == 404, what
    assert (await desk.send("Empresa\nX\n", who=foreign)).status_code == 422
    seen = await desk.ask("GET", page, emilio)
    assert seen.status_code == 200 and f"Moldes {desk.mark}" in seen.text and "Aplicar</button>" not in seen.text
    assert (await desk.ask("POST", f"{page}/apply", emilio)).status_code == 403
    assert (await desk.state())[0] == []


async def test_what_somebody_changed_since_is_not_undone(desk: Desk) -> None:
    page = await desk.upload(f"Empresa;Ciudad\nMoldes {desk.mark};Tala\nForjas {desk.mark};Tala\n")
    await desk.chosen(page)
    await desk.act(page, "apply")
    [one] = [row for row in (await desk.state())[0] if row[2].startswith("Moldes")]
    changed = await desk.ask("PATCH", f"/membership/organizations/{one[0]}", json={"city": "Ameca"},
                             headers={"If-Match": "*"})  # fmt: skip
    assert changed.status_code == 200, changed.text
    after = await desk.state()
    assert "ya no puede deshacerse" in (await desk.ask("GET", page)).text
    refused = await desk.ask("POST", f"{page}/undo")
    assert refused.status_code == 409 and f"Moldes {desk.mark}" in refused.text
    assert await desk.state() == after


async def test_two_clicks_apply_once(desk: Desk) -> None:
    page = await desk.upload("Empresa\n" + "".join(f"Moldes {desk.mark} {n}\n" for n in range(300)))
    await desk.chosen(page)
    both = await asyncio.gather(*(desk.ask("POST", f"{page}/apply") for _ in range(4)))
    assert {answer.status_code for answer in both} == {303}
    await desk.done(page)
    state = await desk.state()
    assert len(state[0]) == 300 and len(state[2]) == 300
    assert "300 nuevas, 0 cambiaron, 0 rechazadas" in (await desk.ask("GET", page)).text


async def test_a_sheet_can_be_forgotten_and_a_month_forgets_it(desk: Desk) -> None:
    page = await desk.upload(f"Empresa\nMoldes {desk.mark}\n")
    assert (await desk.ask("POST", f"{page}/discard")).status_code == 303
    assert (await desk.ask("GET", page)).status_code == 404
    template = await desk.ask("GET", "/import/template.csv")
    assert template.content.decode("utf-8-sig").startswith("Razón social,Nombre comercial,RFC")


async def test_a_directors_sheet_does_not_take_over_another_clusters_company_and_the_networks_may(desk: Desk) -> None:
    """Whoever knows a name is not thereby its cluster; a firm of two clusters is entered by itself or the network."""
    database = desk.client.service.database  # type: ignore[attr-defined]
    mariana = await somebody(database, "coordinator")

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await desk.client.post(path, json=body, headers=mariana.headers)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    name = f"Troqueles {desk.mark} SA"
    other = await made("/membership/clusters", name=f"Otro {desk.mark}", slug=f"o-{desk.mark}", state="NLE")
    company = await made("/membership/organizations", legal_name=name, state="NLE", city="Apodaca")
    membership = await made("/membership/memberships", organization_id=company["id"], cluster_id=other["id"],
                            category="associate")  # fmt: skip
    for step in ("approve", "activate"):
        await made(f"/membership/memberships/{membership['id']}/{step}")
    sheet = f"Razón social,Estado,Ciudad,Representante,Correo\n{name},NLE,Apodaca,Otra,otra@{desk.mark}.example\n"
    page = await desk.upload(sheet)
    await desk.chosen(page)
    refused = (await desk.ask("GET", f"{page}?tab=refused")).text
    assert "es de otro clúster" in refused
    await desk.act(page, "apply")
    people = f"/membership/organizations/{company['id']}/people"
    assert (await desk.client.get(people, headers=desk.director.headers)).status_code == 403
    nobody = (await desk.client.get(people, headers=mariana.headers)).json()
    assert nobody == [], nobody

    moved = sheet.replace("Apodaca", "Guadalupe")
    answer = await desk.send(moved, who=mariana)
    page = str(answer.headers["location"])
    director, desk.director = desk.director, mariana
    await desk.chosen(page)
    new = (await desk.ask("GET", f"{page}?tab=new")).text
    assert "<del>Apodaca</del>" in new and "<ins>Guadalupe</ins>" in new, "what it would change is shown before"
    await desk.act(page, "apply")
    answer = await desk.client.get(people, headers=director.headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [one["mail"] for one in found] == [f"otra@{desk.mark}.example"]
