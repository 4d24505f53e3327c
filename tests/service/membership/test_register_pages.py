"""The register and one organisation as pages and files: found, paged, exported; nothing private of another cluster."""

import io
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import httpx
import pytest
from python_calamine import CalamineWorkbook

from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@pytest.fixture
async def staff(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership")


async def registered(staff: httpx.AsyncClient, name: str, **more: object) -> dict[str, str]:
    answer = await staff.post("/membership/organizations", json={"legal_name": name} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


async def test_a_name_is_found_without_accents_and_case(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    await registered(staff, f"Fundición Ñandú {mark}, S.A.", city="Tepatitlán", state="Jalisco")
    page = await staff.get("/register", params={"q": f"FUNDICION nandu {mark}"}, headers=HTML)
    assert page.status_code == 200
    assert f"Fundición Ñandú {mark}, S.A." in page.text
    assert "Tepatitlán, JAL" in page.text
    none = await staff.get("/register", params={"q": f"{mark}%"}, headers=HTML)
    assert "Ñandú" not in none.text


async def test_pages_follow_each_other_by_name_and_lose_nobody(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    names = sorted(f"Ñ {mark} {number:03}" for number in range(60))
    for name in reversed(names):
        await registered(staff, name)
    first = await staff.get("/register", params={"q": mark}, headers=HTML)
    [cursor] = {part.split("&")[0].split('"')[0] for part in first.text.split("after=")[1:]}
    second = await staff.get("/register", params={"q": mark, "after": cursor}, headers=HTML)
    assert [name for name in names if name in first.text] == names[:50]
    assert [name for name in names if name in second.text] == names[50:]
    assert (await staff.get("/register?after=nonsense", headers={"Accept": "application/json"})).status_code == 422


async def test_a_file_holds_the_same_rows_and_never_a_formula(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    for name in (f'=HYPERLINK("http://evil.example";"{mark}")', f"+{mark}", f"@{mark}, S.A.", f'Moldes, "{mark}"'):
        await registered(staff, name)
    csv = await staff.get("/register.csv", params={"q": mark})
    assert csv.headers["content-disposition"] == 'attachment; filename="register.csv"'
    text = csv.content.decode("utf-8-sig")
    assert len(text.splitlines()) == 5
    assert f"'+{mark}" in text
    assert f"'@{mark}" in text
    assert "'=HYPERLINK" in text
    xlsx = await staff.get("/register.xlsx", params={"q": mark})
    rows = CalamineWorkbook.from_filelike(io.BytesIO(xlsx.content)).get_sheet_by_index(0).to_python()
    assert len(rows) == 5
    assert f"+{mark}" in {row[2] for row in rows}
    assert b"<f>" not in xlsx.content


async def test_another_cluster_sees_neither_tax_number_nor_application_nor_history(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    clusters = [
        (await staff.post("/membership/clusters", json={"name": f"C {n}", "slug": f"c-{n}-{mark}", "state": "JAL"}))
        .json()["id"]
        for n in (1, 2)
    ]  # fmt: skip
    number = f"ZZ{chr(65 + int(mark[0], 16))}{10 + int(mark[1], 16)}0101{mark[2:4].upper()}0"
    company = await registered(staff, f"Moldes {mark}", tax_number=number)
    body = {"organization_id": company["id"], "cluster_id": clusters[0], "note": f"porque {mark}"}
    assert (await staff.post("/membership/memberships", json=body)).status_code == 201
    own, foreign = [
        await somebody(staff.service.database, "cluster_staff", "cluster", UUID(id_))  # type: ignore[attr-defined]
        for id_ in clusters
    ]
    staff.headers.pop("Authorization")
    path = f"/organizations/{company['slug']}"
    seen, hidden = [
        "".join(
            [(await staff.get(path + tab, headers=HTML | who.headers)).text
             for tab in ("", "?tab=memberships", "?tab=history")]
        )
        for who in (own, foreign)
    ]  # fmt: skip
    for secret in (number, f"porque {mark}", ">solicitud<"):
        assert secret in seen, secret
        assert secret not in hidden, secret
    assert f"Moldes {mark}" in hidden
    assert (await staff.get("/organizations/nobody", headers=HTML | own.headers)).status_code == 404


async def test_the_order_is_chosen_and_pages_lead_back_as_they_led_on(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    names = [f"Z {mark} {number:03}" for number in range(120)]
    for name in names:
        await registered(staff, name)

    async def page(address: str) -> tuple[list[str], str, str]:
        text = (await staff.get(address, headers=HTML)).text
        ways = [
            text.partition(f'rel="{way}" href="')[2].split('"')[0].replace("&amp;", "&") for way in ("next", "prev")
        ]
        return [name for name in names if name in text], ways[0], ways[1]

    first, onward, none = await page(f"/register?q={mark}&sort=-name")
    assert (first, none) == (names[70:], "")
    second, third, back = await page(onward)
    assert second == names[20:70]
    last, none, _ = await page(third)
    assert (last, none) == (names[:20], "")
    assert (await page(back))[0] == first
    for sort in ("since", "-cluster"):
        seen: list[str] = []
        onward = f"/register?q={mark}&sort={sort}"
        while onward:
            found, onward, _ = await page(onward)
            seen += found
        assert sorted(seen) == names
    answer = await staff.get("/register?sort=size", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["field"]) == (422, "sort")


async def test_a_program_lists_the_register_in_an_order_with_filters_and_cursors(staff: httpx.AsyncClient) -> None:
    mark = uuid4().hex[:8]
    names = [f"Moldes {mark} {number:02}" for number in range(7)]
    for name in names:
        await registered(staff, name)
    found: list[str] = []
    asked = {"q": mark, "sort": "-name", "limit": "3"}
    after: str | None = None
    while True:
        answer = await staff.get("/membership/register", params=asked | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["total"] == 7 and len(page["items"]) <= 3
        found += [one["legal_name"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert found == names[::-1]
    assert (await staff.get("/membership/register", params={"q": mark, "type": "university"})).json()["total"] == 0
    for wrong in ({"sort": "size"}, {"after": "nonsense"}, {"type": "bakery"}, {"kind": "x"}):
        refused = await staff.get("/membership/register", params=wrong)
        assert (refused.status_code, refused.json()["field"]) == (422, next(iter(wrong))), refused.text
