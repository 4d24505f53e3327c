"""Likely duplicates: nearly the same name or one mail domain, within the reader's reach, the likeliest first."""

from typing import Any
from uuid import UUID, uuid4

import uuid_utils.compat as uuid_utils

from services.membership.duplicates import commands
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import somebody

HTML = {"Accept": "text/html", "Accept-Language": "es"}


async def test_pairs_are_found_by_name_and_by_mail_within_reach(client_for: ClientFor) -> None:
    client = await client_for("membership")
    mark = uuid4().hex

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    ours, theirs = [
        await made("/membership/clusters", name=f"Clúster {n}", slug=f"d{n}-{mark[:8]}", state="JAL") for n in (1, 2)
    ]
    ids = []
    for name, cluster in (
        (f"Troquelados {mark}, S.A. de C.V.", ours), (f"Troquelado {mark}", ours), (f"Troqueladoz {mark}", theirs),
        (f"Uno {uuid4().hex}", ours), (f"Otro {uuid4().hex}", ours),
    ):  # fmt: skip
        company = await made("/membership/organizations", legal_name=name)
        await made("/membership/memberships", organization_id=company["id"], cluster_id=cluster["id"])
        ids.append(company["id"])
    database: Database = client.service.database  # type: ignore[attr-defined]
    async with database.connection() as connection:
        for company, mail in ((ids[3], f"a@{mark}.example"), (ids[4], f"b@{mark}.example"),
                              (ids[0], f"x{mark}@gmail.com"), (ids[4], f"y{mark}@gmail.com")):  # fmt: skip
            await connection.execute(
                "WITH made AS (INSERT INTO person (id, organization_id, name, mail, mail_key, language, version)"
                " VALUES ($1, $2, 'Ana', $3, $3, 'es', 1) RETURNING id, organization_id)"
                " INSERT INTO person_organization (person_id, organization_id, role, main, period)"
                " SELECT id, organization_id, 'other', false, daterange('2026-01-01', NULL) FROM made",
                uuid_utils.uuid7(), UUID(company), mail,
            )  # fmt: skip
    director = await somebody(database, "cluster_director", "cluster", UUID(ours["id"]))
    coordinator = await somebody(database, "coordinator")
    client.headers.pop("Authorization")

    async def pairs(who: Any) -> list[tuple[set[str], list[str]]]:
        answer = await client.get("/membership/duplicates", params={"limit": 500}, headers=who.headers)
        return [({p["one"]["id"], p["other"]["id"]}, p["why"]) for p in answer.json()]

    assert await pairs(director) == [({ids[3], ids[4]}, ["mail"]), ({ids[0], ids[1]}, ["name"])]
    assert ({ids[0], ids[2]}, ["name"]) in await pairs(coordinator)
    page = (await client.get("/register/duplicates", headers=HTML | director.headers)).text
    assert "el mismo dominio de correo" in page
    assert f"Troqueladoz {mark}" not in page
    assert "/register/duplicates" in (await client.get("/register", headers=HTML | director.headers)).text
    file = await client.get("/register/duplicates.csv", headers=director.headers)
    assert (file.status_code, file.text.count(mark)) == (200, 2)
    partner = await somebody(database, "partner")
    assert (await client.get("/membership/duplicates", headers=partner.headers)).status_code == 403


async def test_what_was_compared_is_kept_until_a_name_changes_and_a_number_in_two_countries_is_told(
    client_for: ClientFor,
) -> None:
    client = await client_for("membership")
    database: Database = client.service.database  # type: ignore[attr-defined]
    mark = uuid4().hex

    async def made(name: str, **more: Any) -> str:
        answer = await client.post("/membership/organizations", json={"legal_name": name, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def pairs() -> dict[frozenset[str], list[str]]:
        found = (await client.get("/membership/duplicates", params={"limit": 500})).json()
        return {frozenset((p["one"]["id"], p["other"]["id"])): p["why"] for p in found}

    async def compare() -> None:
        async with database.unit(actor="job", cause="compare") as unit:
            while await commands.compare(unit, 7):
                pass

    one, other = await made(f"Fundidora {mark}"), await made(f"Fundidoras {mark}")
    number = f"ZZ{mark[:2].upper()}"
    async with database.connection() as connection:
        third = UUID(await made(f"Zinc {uuid4().hex}", country="CO"))
        for id_ in (UUID(one), third):
            await connection.execute("UPDATE organization SET tax_number = $2 WHERE id = $1", id_, number)
    before = await pairs()
    assert before[frozenset((one, other))] == ["name"]
    assert before[frozenset((one, str(third)))] == ["tax"]
    await compare()
    assert await pairs() == before, "kept, it is the same list"
    changed = await client.patch(f"/membership/organizations/{other}", json={"legal_name": f"Otra {uuid4().hex}"},
                                 headers={"If-Match": "*"})  # fmt: skip
    assert changed.status_code == 200, changed.text
    for _ in range(2):  # at once, and when it was compared again
        assert frozenset((one, other)) not in await pairs()
        assert frozenset((one, str(third))) in await pairs()
        await compare()
