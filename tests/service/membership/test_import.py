"""Import of a register over a real PostgreSQL: what it makes, what it leaves, what it refuses and why."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.membership.clusters.commands import found_cluster
from services.membership.decisions import ChangedMeanwhile
from services.membership.importing import ImportResult, import_members
from services.membership.imports.commands import RowResult
from services.membership.memberships import commands as memberships
from services.membership.organizations import commands as organizations
from services.membership.organizations.domain import TaxNumberTaken
from services.membership.people.commands import erase_person
from shared.postgres.pool import Database
from shared.runtime.spreadsheets import EmptyFile, FileRefused, Limits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADER = "razón social;RFC;tipo;posición;categoría;estado;ciudad;fecha de ingreso;representante;correo;idioma"
EXAMPLE = Path(__file__).resolve().parents[3] / "examples/members.csv"


@dataclass
class Register:
    """One cluster of its own per test, and what the tables hold of it."""

    database: Database
    slug: str
    mark: str

    async def take(self, *rows: str, header: str = HEADER, **more: Any) -> ImportResult:
        content = "\n".join([header, *rows]).encode()
        return await self.take_bytes(content, **more)

    async def take_bytes(self, content: bytes, **more: Any) -> ImportResult:
        options = {"clock": lambda: NOW} | more
        return await import_members(self.database, content, cluster=self.slug, **options)

    async def value(self, sql: str, *arguments: Any) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(sql, *arguments)

    async def everything(self) -> list[Any]:
        """All tables that an import can write, as text."""
        tables = (
            "organization",
            "organization_position",
            "membership",
            "membership_band",
            "person",
            "person_organization",
            "outbox",
            "change_log",
        )
        async with self.database.connection() as connection:
            return [
                sorted(str(tuple(row)) for row in await connection.fetch(f"SELECT * FROM {table}")) for table in tables
            ]

    async def records(self, organization_id: Any) -> list[tuple[str, int]]:
        """Type and version of what waits to be published about an organisation, in order."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT type, version FROM outbox WHERE payload->>'organization_id' = $1 ORDER BY position",
                str(organization_id),
            )
        return [(row["type"].split(".")[3], row["version"]) for row in rows]


@pytest.fixture
async def register(databases: dict[str, Database]) -> AsyncIterator[Register]:
    mark = uuid.uuid4().hex[:8]
    database = databases["membership"]
    async with database.unit(actor="test", cause="test", now=NOW) as unit:
        await found_cluster(
            unit, name=f"Cluster {mark}", slug=f"c-{mark}", country="MX", state="JAL", zone="America/Mexico_City"
        )
    yield Register(database, f"c-{mark}", mark)


def outcomes(result: ImportResult) -> list[str]:
    return [row.outcome for row in result.rows]


def rfc(mark: str, n: int = 0) -> str:
    """A well-formed RFC that no other test has; its check digit may not fit."""
    letters = "".join(chr(ord("A") + int(c, 16)) for c in mark)
    return f"{letters[:3]}{10 + n % 80:02d}0101{letters[3:6]}"


async def test_a_new_row_makes_organisation_membership_and_person(register: Register) -> None:
    result = await register.take(
        f"Arneses {register.mark}, S.A. de C.V.;{rfc(register.mark)};empresa;Tier 1 / Tier 2;asociado;Jalisco;Zapopan;"
        f"15/09/2021;Irma Cedillo;irma@{register.mark}.example;en"
    )
    assert outcomes(result) == ["new"]
    [row] = result.rows
    assert await register.records(row.organization_id) == [
        ("OrganizationRegistered", 1), ("OrganizationState", 1), ("MembershipActivated", 1), ("StandingState", 1),
        ("PersonState", 1),
    ]  # fmt: skip
    async with register.database.connection() as connection:
        fact = await connection.fetchrow(
            "SELECT effective, actor, payload->>'origin' AS origin, payload->>'announce' AS announce FROM outbox"
            " WHERE type LIKE '%MembershipActivated%' AND payload->>'organization_id' = $1",
            str(row.organization_id),
        )
        organization = await connection.fetchrow("SELECT * FROM organization WHERE id = $1", row.organization_id)
    assert fact is not None
    assert organization is not None
    assert tuple(fact) == (date(2021, 9, 15), "cli", "import", "true")
    assert organization["trade_name"] == f"Arneses {register.mark}"
    assert (organization["state"], organization["city"]) == ("JAL", "Zapopan")


async def test_without_a_joining_date_it_counts_from_today_in_the_clusters_zone(register: Register) -> None:
    late = datetime(2026, 3, 2, 3, tzinfo=UTC)  # still the first in Mexico
    result = await register.take(f"Moldes {register.mark};;;;;;;;;;", clock=lambda: late, announce=False)
    since = await register.value(
        "SELECT since FROM membership WHERE organization_id = $1", result.rows[0].organization_id
    )
    announce = await register.value(
        "SELECT payload->>'announce' FROM outbox WHERE type LIKE '%MembershipActivated%'"
        " AND payload->>'organization_id' = $1",
        str(result.rows[0].organization_id),
    )
    assert (since, announce) == (date(2026, 3, 1), "false")


async def test_the_same_file_twice_changes_nothing(register: Register) -> None:
    rows = [
        f"Arneses {register.mark}, S.A. de C.V.;{rfc(register.mark)};;Tier 1;;Jalisco;;15/09/2021;Ana;"
        f"a@{register.mark}.example;",
        f"Moldes {register.mark};;;;afiliado;N.L.;;;;;",
        f"Moldes {register.mark};;;;;Jalisco;;;Eva;e@{register.mark}.example;en",
        f"Sin estado {register.mark};;;;;;;01/01/2020;;;",
        f"Roto {register.mark};XAXX010101000;;;;;;;;;",
    ]
    first = await register.take(*rows)
    assert outcomes(first) == ["new", "new", "new", "new", "refused"]
    before = await register.everything()
    again = await register.take(*rows)
    assert outcomes(again) == ["same", "same", "same", "same", "refused"]
    assert await register.everything() == before


async def test_a_dry_run_says_the_same_and_writes_nothing(register: Register) -> None:
    rows = [
        f"Arneses {register.mark};{rfc(register.mark)};;;;Jalisco;;;;;",
        f"ARNESES {register.mark} SA DE CV;{rfc(register.mark)};;;;Jal;;;;;",
        f"Moldes {register.mark};;planeta;;;;;;;;",
    ]
    before = await register.everything()
    dry = await register.take(*rows, dry_run=True)
    assert await register.everything() == before
    wet = await register.take(*rows)
    assert dry.counts == wet.counts
    assert outcomes(dry) == outcomes(wet) == ["new", "same", "refused"]


async def test_changes_are_told_from_what_to_what(register: Register) -> None:
    number = rfc(register.mark)
    [made] = (
        await register.take(
            f"Arneses {register.mark};{number};;Tier 2;asociado;Jalisco;;;Ana;a@{register.mark}.example;es"
        )
    ).rows
    result = await register.take(
        f"Arneses Nuevos {register.mark};{number};universidad;Tier 1;afiliado;Jalisco;Tala;;Ana María;"
        f"A@{register.mark.upper()}.example;"
    )
    [row] = result.rows
    assert row.outcome == "changed"
    assert row.changes == {
        "legal_name": (f"Arneses {register.mark}", f"Arneses Nuevos {register.mark}"),
        "city": (None, "Tala"),
        "type": ("company", "university"),
        "positions": (["tier2"], ["tier1"]),
        "category": ("associate", "affiliate"),
        "representative's name": ("Ana", "Ana María"),
    }
    assert (await register.records(made.organization_id))[5:] == [
        ("OrganizationReclassified", 2), ("OrganizationProfileChanged", 3), ("OrganizationState", 3),
        ("MembershipCategoryChanged", 2), ("StandingState", 2), ("PersonState", 2),
    ]  # fmt: skip
    note = await register.value("SELECT fields->'city'->>1 FROM change_log WHERE id = $1", made.organization_id)
    assert note == "Tala"


async def test_an_empty_cell_erases_nothing_and_capitals_change_nothing(register: Register) -> None:
    mail = f"a@{register.mark}.example"
    full = f"Peña Alta {register.mark}, S.A. de C.V.;{rfc(register.mark)};;;;Jalisco;Tala;;Ana Núñez;{mail};en"
    await register.take(full)
    before = await register.everything()
    assert outcomes(await register.take(f";{rfc(register.mark)};;;;;;;;;")) == ["same"]
    shouted = f"PENA ALTA {register.mark.upper()} SA DE CV;{rfc(register.mark)};;;;JAL;TALA;;ANA NUNEZ;{mail};"
    assert outcomes(await register.take(shouted)) == ["same"]
    assert await register.everything() == before


async def test_a_row_without_tax_number_is_found_by_name_and_state(register: Register) -> None:
    await register.take(f"Moldes {register.mark};;;;;Jalisco;;;;;", f"Moldes {register.mark};;;;;Sonora;;;;;")
    result = await register.take(f"MOLDES {register.mark}, S.A.;;;;;Sonora;Nogales;;;;")
    assert outcomes(result) == ["changed"]
    assert await register.value("SELECT state FROM organization WHERE id = $1", result.rows[0].organization_id) == "SON"
    ambiguous = await register.take(f"Moldes {register.mark};;;;;;;;;;")
    assert outcomes(ambiguous) == ["refused"]
    assert "2 organisations have this name" in ambiguous.rows[0].reasons[0]


async def test_a_tax_number_that_was_missing_is_taken_and_another_one_is_another_organisation(
    register: Register,
) -> None:
    name = f"Moldes {register.mark}"
    [made] = (await register.take(f"{name};;;;;Jalisco;;;;;")).rows
    [known] = (await register.take(f"{name};{rfc(register.mark)};;;;Jalisco;;;;;")).rows
    assert (known.organization_id, known.changes) == (made.organization_id, {"tax_number": (None, rfc(register.mark))})
    [other] = (await register.take(f"{name};{rfc(register.mark, 1)};;;;Jalisco;;;;;")).rows
    assert other.outcome == "new"
    assert any("a duplicate?" in warning for warning in other.warnings)


async def test_rows_that_mean_the_same_are_told_with_the_first_row(register: Register) -> None:
    row = f"Moldes {register.mark};{rfc(register.mark)};;;;Jalisco;;;;;"
    result = await register.take(row, row, f"Moldes {register.mark};{rfc(register.mark)};;;;Jalisco;Tala;;;;")
    assert outcomes(result) == ["new", "same", "refused"]
    assert result.rows[1].warnings == ("it repeats row 2",)
    assert "the same organisation as row 2" in result.rows[2].reasons[0]


async def test_organisations_of_one_name_get_slugs_of_their_own_in_table_and_state(register: Register) -> None:
    result = await register.take(*(f"Moldes {register.mark};;;;;{state};;;;;" for state in ("Jalisco", "Sonora", "NL")))
    assert outcomes(result) == ["new"] * 3
    slugs = set()
    for row in result.rows:
        assert await register.records(row.organization_id) == [
            ("OrganizationRegistered", 1), ("OrganizationState", 1), ("MembershipActivated", 1), ("StandingState", 1),
        ]  # fmt: skip
        stored = await register.value("SELECT slug FROM organization WHERE id = $1", row.organization_id)
        published = "SELECT payload->>'slug' FROM outbox WHERE aggregateid = $1 AND type LIKE '%OrganizationState%'"
        assert await register.value(published, str(row.organization_id)) == stored
        slugs.add(stored)
    assert len(slugs) == 3


async def test_the_same_rows_in_different_parts_are_told_too(register: Register) -> None:
    rows = [f"Moldes {n} {register.mark};;;;;Jalisco;;;;;" for n in range(7)]
    result = await register.take(*rows, *rows, chunk_rows=3)
    assert outcomes(result) == ["new"] * 7 + ["same"] * 7
    assert outcomes(await register.take(*rows, *rows, chunk_rows=4)) == ["same"] * 14


async def test_refused_rows_say_why_and_never_stop_the_others(register: Register) -> None:
    result = await register.take(
        f"Uno {register.mark};;;;;;;;;;",
        ";;empresa;;;;;;;;",
        f"Dos {register.mark};ABC;;;;;;;;;",
        f"Tres {register.mark};;;;;Jalisko;;32/01/2020;;;",
        "TOTAL;4;;;;;;;;;",
        "Fuente: padrón de 2025;;;;;;;;;;",
        f"Cuatro {register.mark};;;;;;;;;;",
    )
    assert outcomes(result) == ["new", "refused", "refused", "refused", "refused", "refused", "new"]
    reasons = {row.number: " | ".join(row.reasons) for row in result.rows}
    assert "names nobody" in reasons[3]
    assert "an RFC has 12" in reasons[4]
    assert "Jalisko" in reasons[5]
    assert "since" in reasons[5]
    assert "sums up" in reasons[6]
    assert "a note" in reasons[7]
    assert result.counts == {"new": 2, "changed": 0, "same": 0, "refused": 5, "warnings": 2, "absent": 0}


async def test_a_refused_row_claims_no_organisation(register: Register) -> None:
    """The good row is taken whether the organisation is new, known from another cluster or taken over before."""
    broken = f"Doble {register.mark};{rfc(register.mark)};;;;Atlantis;;;;;"
    good = f"Doble {register.mark};{rfc(register.mark)};;;;Jalisco;;;;;"
    third = f"Tercera {register.mark};{rfc(register.mark, 1)};;;;Jalisco;;;;;"
    assert outcomes(await register.take(broken, good, third)) == ["refused", "new", "new"]
    again = await register.take(broken, good, third)
    assert outcomes(again) == ["refused", "same", "same"]
    assert len(again.rows[0].reasons) == 1
    async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
        await found_cluster(unit, name="Other", slug=f"o-{register.mark}", country="MX", state="NLE", zone="UTC")
    other = Register(register.database, f"o-{register.mark}", register.mark)
    assert outcomes(await other.take(broken, good, good, chunk_rows=1)) == ["refused", "new", "same"]


async def test_a_row_refused_for_a_resignation_leaves_the_organisation_to_a_later_row(register: Register) -> None:
    name = f"Uno {register.mark}"
    [made] = (await register.take(f"{name};;;;;;;01/01/2020;;;")).rows
    membership = await register.value("SELECT id FROM membership WHERE organization_id = $1", made.organization_id)
    async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
        await memberships.resign_membership(unit, membership, effective=date(2025, 1, 1))
    result = await register.take(f"{name};;;;;;;01/01/2020;;;", f"{name};;;;;;;01/02/2026;;;")
    assert outcomes(result) == ["refused", "changed"]


async def test_a_member_in_a_refused_row_is_named_by_the_file(register: Register) -> None:
    await register.take(f"Uno {register.mark};;;;;;;;;;", f"Dos {register.mark};;;;;;;;;;")
    result = await register.take(f"Uno {register.mark};;planeta;;;;;;;;", f"Tres {register.mark};;;;;;;;;;")
    assert outcomes(result) == ["refused", "new"]
    assert [absent.name for absent in result.absent] == [f"Dos {register.mark}"]


async def test_a_row_with_a_bad_byte_is_refused_and_the_others_keep_their_accents(register: Register) -> None:
    head = f"Razón social,RFC,Ciudad,Notas\nPeñón Compañía {register.mark},,León,\n".encode()
    bad = f"Caf\xe9 {register.mark},,x,\nDos {register.mark},,y,ni\xf1o\n".encode("latin-1")
    result = await register.take_bytes(head + bad)
    assert outcomes(result) == ["new", "refused", "new"]  # what stands in a column nobody knows does no harm
    assert "cannot be read" in result.rows[1].reasons[0]
    name = "SELECT legal_name FROM organization WHERE id = $1"
    assert await register.value(name, result.rows[0].organization_id) == f"Peñón Compañía {register.mark}"


async def test_a_cell_of_any_length_refuses_only_its_row(register: Register) -> None:
    result = await register.take(f"Uno {register.mark};;;;;;;;;;", "x" * 200_000 + ";;;;;;;;;;")
    assert outcomes(result) == ["new", "refused"]
    assert result.rows[1].reasons == ("legal_name: has 200000 characters; at most 300",)
    assert result.rows[1].name == "x" * 59 + "…"


@pytest.mark.parametrize("rows", [(), ("", "- ; "), ("Legal name;Tax ID",)])
async def test_a_file_without_rows_is_refused_and_nobody_is_absent(register: Register, rows: tuple[str, ...]) -> None:
    await register.take(f"Uno {register.mark};;;;;;;;;;")
    before = await register.everything()
    with pytest.raises(EmptyFile, match="no rows below its headers in row 1"):
        await register.take(*rows)
    assert await register.everything() == before


async def test_a_joining_day_far_ahead_is_taken_with_a_warning(register: Register) -> None:
    rows = [f"Uno {register.mark};;;;;;;01/01/2199;;;", f"Dos {register.mark};;;;;;;01/03/2027;;;"]
    for outcome in ("new", "same"):
        first, second = (await register.take(*rows)).rows
        assert (first.outcome, second.outcome) == (outcome, outcome)
        assert first.warnings == ("since: 2199-01-01 lies more than a year ahead; is it meant?",)
        assert "ahead" not in " ".join(second.warnings)


async def test_members_absent_from_the_file_are_listed_and_stay(register: Register) -> None:
    await register.take(f"Uno {register.mark};;;;;;;;;;", f"Dos {register.mark};;;;;;;;;;")
    result = await register.take(f"Uno {register.mark};;;;;;;;;;")
    assert [absent.name for absent in result.absent] == [f"Dos {register.mark}"]
    standing = await register.value(
        "SELECT standing FROM membership WHERE organization_id = $1", result.absent[0].organization_id
    )
    assert standing == "active"


async def test_who_resigned_comes_back_only_with_a_later_joining_date(register: Register) -> None:
    name = f"Uno {register.mark}"
    [made] = (await register.take(f"{name};;;;;;;01/01/2020;;;")).rows
    membership = await register.value("SELECT id FROM membership WHERE organization_id = $1", made.organization_id)
    async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
        await memberships.resign_membership(unit, membership, effective=date(2025, 1, 1))
    [old] = (await register.take(f"{name};;;;;;;01/01/2020;;;")).rows
    assert old.outcome == "refused"
    assert "until 2025-01-01" in old.reasons[0]
    [back] = (await register.take(f"{name};;;;;;;01/02/2026;;;")).rows
    assert (back.outcome, back.changes) == ("changed", {"standing": ("resigned", "active")})
    bands = await register.value("SELECT count(*) FROM membership_band WHERE membership_id = $1", membership)
    assert bands == 2


async def test_another_joining_date_is_a_warning(register: Register) -> None:
    await register.take(f"Uno {register.mark};;;;;;;01/01/2020;;;")
    [row] = (await register.take(f"Uno {register.mark};;;;;;;01/01/2021;;;")).rows
    assert row.outcome == "same"
    assert "a member since 2020-01-01" in row.warnings[0]


async def test_one_firm_in_two_clusters_is_one_organisation(register: Register, databases: dict[str, Database]) -> None:
    [first] = (await register.take(f"Uno {register.mark};{rfc(register.mark)};;;;;;;;;")).rows
    async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
        await found_cluster(unit, name="Other", slug=f"o-{register.mark}", country="MX", state="NLE", zone="UTC")
    other = Register(register.database, f"o-{register.mark}", register.mark)
    [second] = (await other.take(f"Uno {register.mark};{rfc(register.mark)};;;;;;;;;")).rows
    assert (second.outcome, second.organization_id) == ("new", first.organization_id)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n" + bytes(50), b"", b"PK\x03\x04", b"a,b\n1,2\n"])
async def test_a_file_that_is_no_register_changes_nothing(register: Register, content: bytes) -> None:
    before = await register.everything()
    from shared.refusal import Refusal

    with pytest.raises(Refusal):
        await register.take_bytes(content)
    with pytest.raises(FileRefused):
        await register.take(*["a;b"] * 30, limits=Limits(1, 10))
    assert await register.everything() == before


async def test_two_imports_of_one_file_at_once_make_everything_once(register: Register) -> None:
    rows = [f"Moldes {n} {register.mark};{rfc(register.mark, n) if n % 2 else ''};;;;Jalisco;;;;;" for n in range(60)]
    results = await asyncio.gather(*(register.take(*rows, chunk_rows=7) for _ in range(3)))
    assert sorted(result.counts["new"] for result in results) != [0, 0, 0]
    assert sum(result.counts["new"] for result in results) == 60
    assert sum(result.counts["refused"] for result in results) == 0
    count = await register.value("SELECT count(*) FROM organization WHERE legal_name LIKE '%' || $1", register.mark)
    assert count == 60


async def test_an_import_against_registering_by_hand_ends_with_one_organisation(register: Register) -> None:
    numbers = [rfc(register.mark, n) for n in range(40)]

    async def by_hand() -> int:
        made = 0
        for number in reversed(numbers):
            try:
                async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
                    await organizations.register_organization(
                        unit, legal_name=f"A mano {number}", tax_number=number, state="JAL"
                    )
                made += 1
            except TaxNumberTaken:
                pass
        return made

    made, result = await asyncio.gather(
        by_hand(), register.take(*(f"Hoja {n};{n};;;;Jalisco;;;;;" for n in numbers), chunk_rows=4)
    )
    assert result.counts["refused"] == 0
    assert result.counts["new"] == 40  # each is a new member, whoever registered the organisation
    found = await register.value("SELECT count(*) FROM organization WHERE tax_number = ANY ($1)", numbers)
    assert (found, made <= 40) == (40, True)


async def test_an_import_against_an_edit_by_hand_loses_neither(register: Register) -> None:
    numbers = range(30)
    await register.take(*(f"Firma {n} {register.mark};{rfc(register.mark, n)};;;;Jalisco;Tala;;;;" for n in numbers))
    async with register.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT id, version FROM organization WHERE legal_name LIKE 'Firma %' || $1", register.mark
        )
    assert len(rows) == 30

    async def by_hand() -> set[uuid.UUID]:
        changed = set()
        for row in reversed(rows):
            try:
                async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
                    await organizations.change_organization(
                        unit, row["id"], {"trade_name": "A mano"}, expected=row["version"]
                    )
                changed.add(row["id"])
            except ChangedMeanwhile:
                pass
        return changed

    changed, result = await asyncio.gather(
        by_hand(),
        register.take(
            *(f"Firma {n} {register.mark};{rfc(register.mark, n)};;;;Jalisco;Tequila;;;;" for n in numbers),
            chunk_rows=3,
        ),
    )
    assert (result.counts["changed"], result.counts["refused"]) == (30, 0)
    async with register.database.connection() as connection:
        after = await connection.fetch(
            "SELECT o.id, o.trade_name, o.city, o.version, count(*) AS logged FROM organization o JOIN change_log l"
            " ON l.aggregate = 'organization' AND l.id = o.id WHERE o.id = ANY ($1) GROUP BY o.id",
            [row["id"] for row in rows],
        )
    assert {row["city"] for row in after} == {"Tequila"}
    assert {row["id"] for row in after if row["trade_name"] == "A mano"} == changed
    assert all(row["version"] == 1 + row["logged"] for row in after)  # each step one version and one line


async def test_an_erased_person_is_gone_and_leaves_a_record_without_a_value(register: Register) -> None:
    [row] = (await register.take(f"Uno {register.mark};;;;;;;;Ana;a@{register.mark}.example;")).rows
    person = await register.value("SELECT id FROM person WHERE organization_id = $1", row.organization_id)
    async with register.database.unit(actor="test", cause="test", now=NOW) as unit:
        await erase_person(unit, person)
    assert await register.value("SELECT count(*) FROM person WHERE id = $1", person) == 0
    assert await register.value(
        "SELECT version FROM outbox WHERE aggregateid = $1 AND payload IS NULL", str(person)
    ) == 2  # fmt: skip


async def test_the_example_is_taken_whole_without_a_warning(register: Register) -> None:
    result = await register.take_bytes(EXAMPLE.read_bytes(), dry_run=True)
    assert (result.counts["refused"], result.counts["warnings"]) == (0, 0)
    assert len(result.rows) == 10
    assert isinstance(result.rows[0], RowResult)


async def test_one_mail_in_two_companies_is_one_person_who_speaks_for_both(register: Register) -> None:
    mail = f"ana@{register.mark}.example"
    rows = [
        f"{name} {register.mark};;;;;;;;Ana;{mail.upper() if n else mail};" for n, name in enumerate(("Uno", "Dos"))
    ]
    await register.take(*rows)
    speaks = "SELECT count(*) FROM person_organization r JOIN person p ON p.id = r.person_id WHERE p.mail_key = $1"
    assert await register.value(speaks, mail) == 2
    key = await register.value("SELECT id FROM person WHERE mail_key = $1", mail)
    await register.take(f"Tres {register.mark};;;;;;;;Otra Ana;{mail};", *rows)
    assert await register.value(speaks, mail) == 3
    sent = "SELECT string_agg(version || ':' || jsonb_array_length(payload->'represents'), ' ' ORDER BY position)"
    assert await register.value(f"{sent} FROM outbox WHERE aggregateid = $1", str(key)) == "1:2 2:3"
    assert await register.value("SELECT name FROM person WHERE id = $1", key) == "Ana"
    before = await register.everything()
    await register.take(*rows)
    assert await register.everything() == before
