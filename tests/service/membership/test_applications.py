"""The file of an application: handed in, refused with a reason, vouched for, and complete before an approval."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@dataclass
class Desk:
    """A cluster that asks for a file, its director, an applicant with its representative, two members."""

    client: httpx.AsyncClient
    cluster: str
    slug: str
    membership: str
    applicant: str
    director: Somebody
    representative: Somebody
    members: list[str]

    async def ask(self, method: str, path: str, who: Somebody | None = None, **more: Any) -> httpx.Response:
        headers = {**(who or self.director).headers, **more.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **more)

    async def file(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask("GET", f"/membership/applications/{self.membership}")).json()
        return found

    async def put(self, code: str, content: bytes = PDF, who: Somebody | None = None) -> httpx.Response:
        path = f"/membership/applications/{self.membership}/documents/{code}?name={code}.pdf"
        return await self.ask("PUT", path, who or self.representative, content=content)

    async def approve(self, **body: Any) -> httpx.Response:
        return await self.ask("POST", f"/membership/memberships/{self.membership}/approve", json=body)


@pytest.fixture
async def desk(client_for: ClientFor, tmp_path: Path) -> AsyncIterator[Desk]:
    client = await client_for("membership", files=str(tmp_path))
    mark = uuid4().hex[:8]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    cluster = await made("/membership/clusters", name=f"C {mark}", slug=f"c-{mark}", state="JAL")
    asked = {"documents": [{"code": "letter", "es": "Carta", "en": "Letter"},
                           {"code": "deed", "es": "Acta", "en": "Deed"}],
             "vouchers": 2, "resolution": True, "since": "2020-01-01"}  # fmt: skip
    answer = await client.put(f"/membership/clusters/{cluster['id']}/requirements", json=asked)
    assert answer.status_code == 200, answer.text
    members = []
    for n in range(2):
        one = await made("/membership/organizations", legal_name=f"Miembro {n} {mark}")
        content = {"organization_id": one["id"], "cluster_id": cluster["id"]}
        membership = await made("/membership/memberships", **content)
        async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
            await connection.execute("UPDATE membership SET standing = 'active', since = '2020-01-01' WHERE id = $1",
                                     UUID(membership["id"]))  # fmt: skip
        members.append(one["id"])
    applicant = await made("/membership/organizations", legal_name=f"Solicitante {mark}")
    membership = await made("/membership/memberships", organization_id=applicant["id"], cluster_id=cluster["id"])
    database = client.service.database  # type: ignore[attr-defined]
    client.headers.pop("Authorization")
    yield Desk(
        client, cluster["id"], cluster["slug"], membership["id"], applicant["id"],
        await somebody(database, "cluster_director", "cluster", UUID(cluster["id"])),
        await somebody(database, "representative", "organization", UUID(applicant["id"])), members,
    )  # fmt: skip


async def test_an_application_is_approved_when_all_is_there_and_the_board_has_resolved(desk: Desk) -> None:
    early = await desk.approve()
    assert early.status_code == 409 and "Carta, Acta" in early.text and "avalan 0 de 2" in early.text
    for code in ("letter", "deed"):
        assert (await desk.put(code)).status_code == 200
    refused = await desk.ask("POST", f"/membership/applications/{desk.membership}/documents/deed/refuse",
                             json={"reason": "falta la última hoja"})  # fmt: skip
    assert refused.status_code == 200
    seen = (await desk.ask("GET", f"/membership/applications/{desk.membership}", desk.representative)).json()
    [_, deed] = seen["documents"]
    assert (deed["state"], deed["reason"]) == ("refused", "falta la última hoja")
    assert (await desk.put("deed", PDF + b"%2")).json()["documents"][1]["state"] == "present"
    for member in desk.members:
        vouched = await desk.ask("POST", f"/membership/applications/{desk.membership}/vouchers",
                                 json={"organization_id": member})  # fmt: skip
        assert vouched.status_code == 200, vouched.text
    without = await desk.approve()
    assert without.status_code == 409 and "CD-2026-14" in without.text
    done = await desk.approve(resolution="CD-2026-14")
    assert done.status_code == 200 and done.json()["standing"] == "approved"
    assert (await desk.file())["resolution"] == "CD-2026-14"
    saved = await desk.ask("GET", f"/membership/applications/{desk.membership}/documents/deed")
    assert saved.content == PDF + b"%2" and "attachment" in saved.headers["content-disposition"]
    async with desk.client.service.database.connection() as connection:  # type: ignore[attr-defined]
        rows = await connection.fetch(
            "SELECT type, version FROM outbox WHERE aggregateid = $1 AND aggregatetype LIKE '%application'"
            " ORDER BY position", desk.membership)  # fmt: skip
    names = [(row["type"].split(".")[-2], row["version"]) for row in rows]
    assert names == [
        ("ApplicationDocumentReceived", 1), ("ApplicationDocumentReceived", 2), ("ApplicationDocumentRefused", 3),
        ("ApplicationDocumentReceived", 4), ("MemberVouched", 5), ("MemberVouched", 6),
    ]  # fmt: skip


async def test_who_does_not_belong_cannot_vouch_and_nobody_vouches_twice(desk: Desk) -> None:
    path = f"/membership/applications/{desk.membership}/vouchers"
    for who in (desk.applicant, str(uuid4())):
        answer = await desk.ask("POST", path, json={"organization_id": who})
        assert answer.status_code == 422 and "organization_id" in answer.text
    for _ in range(2):
        answer = await desk.ask("POST", path, json={"organization_id": desk.members[0]})
        assert answer.json()["vouchers"] == [desk.members[0]]
    database = desk.client.service.database  # type: ignore[attr-defined]
    itself = await somebody(database, "representative", "organization", UUID(desk.members[1]))
    assert (await desk.ask("POST", path, itself, json={"organization_id": desk.members[1]})).status_code == 200
    assert (await desk.ask("POST", path, itself, json={"organization_id": desk.members[0]})).status_code == 403
    gone = await desk.ask("DELETE", f"{path}/{desk.members[0]}")
    assert gone.json()["vouchers"] == [desk.members[1]]
    assert (await desk.ask("DELETE", f"{path}/{desk.members[0]}")).status_code == 422


async def test_what_is_not_asked_for_and_what_is_no_document_is_refused_and_nothing_is_kept(desk: Desk) -> None:
    assert (await desk.put("passport")).status_code == 422
    assert (await desk.put("letter", b"MZ\x90\x00" + bytes(200))).status_code in (415, 422)
    database = desk.client.service.database  # type: ignore[attr-defined]
    foreign = await somebody(database, "cluster_director", "cluster", uuid4())
    assert (await desk.put("letter", PDF, foreign)).status_code == 403
    path = f"/membership/applications/{desk.membership}"
    assert (await desk.ask("GET", path, foreign)).status_code == 403
    assert (await desk.ask("POST", f"{path}/documents/letter/refuse", json={"reason": "x"})).status_code == 404
    assert (await desk.ask("GET", f"/membership/applications/{uuid4()}")).status_code == 404
    assert all(one["state"] == "missing" for one in (await desk.file())["documents"])


async def test_the_page_shows_ticks_and_takes_files_and_says_what_is_wrong_at_its_place(desk: Desk) -> None:
    path = f"/applications/{desk.membership}"
    page = await desk.ask("GET", path, headers=HTML)
    assert page.status_code == 200 and "Carta" in page.text and "0 de 2" in page.text
    none = await desk.ask("POST", f"{path}/documents/letter", desk.representative, headers=HTML,
                          files={"other": ("x", b"x")})  # fmt: skip
    assert none.status_code == 422 and "Elige el archivo" in none.text
    sent = await desk.ask("POST", f"{path}/documents/letter", desk.representative, headers=HTML,
                          files={"file": ("carta.pdf", PDF)})  # fmt: skip
    assert sent.status_code == 303, sent.text
    silent = await desk.ask("POST", f"{path}/documents/letter/refuse", headers=HTML, data={"reason": " "})
    assert silent.status_code == 422 and "300 caracteres" in silent.text
    assert (await desk.ask("POST", f"{path}/vouchers", headers=HTML, data={"member": ""})).status_code == 422
    assert (
        await desk.ask("POST", f"{path}/vouchers", headers=HTML, data={"member": desk.members[0]})
    ).status_code == 303
    assert "1 de 2" in (await desk.ask("GET", path, headers=HTML)).text
    assert (await desk.ask("GET", f"{path}/documents/letter", headers=HTML)).content == PDF


async def test_what_a_cluster_asks_for_is_dated_and_read_by_everybody(desk: Desk) -> None:
    path = f"/clusters/{desk.slug}/requirements"
    read = await desk.ask("GET", path, desk.representative, headers=HTML)
    assert "Carta" in read.text and "Acuerdo del consejo" in read.text and "textarea" not in read.text
    form = {"documents": ["letter", "tax_certificate"], "others": "Carta de no adeudo\n", "vouchers": "1"}
    bad = await desk.ask("POST", path, headers=HTML, data={**form, "vouchers": "muchos"})
    assert bad.status_code == 422 and "0 a 10" in bad.text
    twice = await desk.ask("POST", path, headers=HTML, data={**form, "others": "Uno\nUno"})
    assert twice.status_code == 422
    assert (await desk.ask("POST", path, desk.representative, headers=HTML, data=form)).status_code == 403
    assert (await desk.ask("POST", path, headers=HTML, data=form)).status_code == 303
    api = f"/membership/clusters/{desk.cluster}/requirements"
    now = (await desk.ask("GET", api)).json()
    assert [one["code"] for one in now["documents"]] == ["letter", "tax_certificate", "carta_de_no_adeudo"]
    then = (await desk.ask("GET", f"{api}?on=2021-01-01")).json()
    assert [one["code"] for one in then["documents"]] == ["letter", "deed"] and then["vouchers"] == 2
