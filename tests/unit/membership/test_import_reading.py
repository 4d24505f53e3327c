"""Headers and cells as people write them, in Spanish and English."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.membership.imports.domain import values
from services.membership.imports.domain.columns import FIELDS, NoHeaderRow, columns_of
from services.membership.imports.domain.entries import Entry, Reader
from services.membership.imports.domain.values import UnreadableCell

HEADER = ["Razón social", "Nombre comercial", "RFC", "Tipo", "Posición", "Categoría", "Estado", "Ciudad",
          "Fecha de ingreso", "Representante", "Correo", "Idioma", "País"]  # fmt: skip


def read(**cells: str) -> Entry:
    """The entry of one row; cells by English header."""
    columns = columns_of([(1, [name.replace("_", " ") for name in cells])])
    entry = Reader(columns, "MX").entry(2, list(cells.values()))
    assert entry is not None
    return entry


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        ["RAZON SOCIAL", "NOMBRE COMERCIAL", "R.F.C.", "TIPO", "POSICION", "CATEGORIA", "ESTADO", "CIUDAD",
         "FECHA DE INGRESO", "REPRESENTANTE", "CORREO ELECTRÓNICO", "IDIOMA", "PAIS"],
        ["Legal name", "Trade name", "Tax ID", "Type", "Tier", "Category", "State", "City", "Member since", "Contact",
         "E-mail", "Language", "Country"],
        ["  legal_name", "trade_name ", "tax_number", "type", "positions", "category", "state", "city", "member since",
         "contact name", "email", "language", "country"],
    ],
)  # fmt: skip
def test_headers_in_spanish_and_english(header: list[str]) -> None:
    found = columns_of([(1, header)])
    assert set(found.places) == set(FIELDS)
    assert found.ignored == ()


def test_the_header_row_is_found_below_a_title_and_a_row_of_groups() -> None:
    rows = [(1, ["Padrón de asociados 2026"]), (3, ["Empresa", "", "", "Contacto"]), (4, HEADER), (5, ["Arneses"])]
    assert columns_of(rows).row == 4


def test_unknown_and_repeated_columns_are_told() -> None:
    found = columns_of([(1, ["Razón social", "RFC", "Color favorito", "Correo", "E-mail"])])
    assert (found.ignored, found.repeated, found.places["mail"]) == (("Color favorito",), ("E-mail",), 3)


def test_a_table_without_names_is_refused() -> None:
    with pytest.raises(NoHeaderRow, match="Razón social"):
        columns_of([(1, ["a", "b"]), (2, ["1", "2"])])
    with pytest.raises(NoHeaderRow):
        columns_of([(1, ["RFC", "Correo"])])


def test_a_second_header_row_and_blank_rows_are_no_rows() -> None:
    reader = Reader(columns_of([(1, HEADER)]), "MX")
    assert reader.entry(2, ["Legal name", "Trade name", "Tax ID"]) is None
    assert reader.entry(3, ["", " ", "-"]) is None


def test_a_totals_row_says_that_it_is_one() -> None:
    reader = Reader(columns_of([(1, HEADER)]), "MX")
    for cells in (["TOTAL", "24"], ["", "", "", "", "Total general: 24"], ["Total de asociados"]):
        entry = reader.entry(9, cells)
        assert entry is not None
        assert "sums up" in entry.reasons[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [("Empresa", "company"), ("UNIVERSIDAD", "university"), ("Centro de investigación", "research_centre"),
     ("Research center", "research_centre"), ("gobierno", "government"), ("Cámara", "association")],
)  # fmt: skip
def test_types(text: str, code: str) -> None:
    assert values.organization_type(text) == code


@pytest.mark.parametrize(
    ("text", "codes"),
    [("OEM", {"oem"}), ("Armadora", {"oem"}), ("Tier 1", {"tier1"}), ("TIER-2", {"tier2"}), ("T1", {"tier1"}),
     ("Tier 1 / Tier 2", {"tier1", "tier2"}), ("Tier 1 y 2", {"tier1", "tier2"}), ("tier2, tier3", {"tier2", "tier3"}),
     ("Tier II", {"tier2"}), ("2", {"tier2"}), ("raw_material", {"raw_material"}), ("Materia prima", {"raw_material"}),
     ("Servicios", {"service"}), ("OEM and Tier 1", {"oem", "tier1"})],
)  # fmt: skip
def test_positions(text: str, codes: set[str]) -> None:
    assert values.positions(text) == codes


@pytest.mark.parametrize(
    ("text", "day"),
    [("2020-03-01", date(2020, 3, 1)), ("2020-03-01 00:00:00", date(2020, 3, 1)), ("01/03/2020", date(2020, 3, 1)),
     ("1/3/20", date(2020, 3, 1)), ("1-3-1998", date(1998, 3, 1)), ("15.08.2021", date(2021, 8, 15)),
     ("43891", date(2020, 3, 1)), ("43891.0", date(2020, 3, 1)), ("1 de marzo de 2020", date(2020, 3, 1)),
     ("15-ago-2021", date(2021, 8, 15)), ("5 March 2020", date(2020, 3, 5)), ("2020/3/1", date(2020, 3, 1))],
)  # fmt: skip
def test_days(text: str, day: date) -> None:
    assert values.day("since", text) == day


@pytest.mark.parametrize("text", ["03/25/2020", "31/02/2020", "soon", "2020", "1890-01-01", "99999999", "0", "1/1/1"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCell, match="since"):
        values.day("since", text)


def test_mails() -> None:
    assert values.mail("ana@x.example") == ("ana@x.example", None)
    assert values.mail("Ana Ruiz <ana@x.example>") == ("ana@x.example", None)
    taken, warning = values.mail("ana@x.example; eva@x.example")
    assert taken == "ana@x.example"
    assert warning is not None
    assert values.mail("ana at x")[0] is None


def test_everything_wrong_with_a_row_is_said_at_once() -> None:
    entry = read(legal_name="Arneses", type="banda", state="Jalisko", tier="Tier 9", tax_id="XAXX010101000")
    assert len(entry.reasons) == 4
    assert {reason.split(":")[0] for reason in entry.reasons} == {"type", "state", "positions", "tax number"}


def test_warnings_are_not_refusals() -> None:
    entry = read(legal_name="Arneses", type="empresa", tax_id="GODE561231GR9", contact="Ana", mail="ana at x")
    assert entry.reasons == []
    assert len(entry.warnings) == 3


def test_an_rfc_with_spaces_and_a_name_with_odd_spaces() -> None:
    entry = read(legal_name=" Arneses \u200b del\u00a0 Nazas,  S.A. de C.V. ", tax_id=" gode 561231 gr8 ")
    assert (entry.legal_name, entry.tax_number) == ("Arneses del Nazas, S.A. de C.V.", "GODE561231GR8")
    assert entry.name_key == "arneses del nazas"


@pytest.mark.parametrize(
    ("cell", "why"),
    [("=HYPERLINK(1)", "formula"), ("#REF!", "error #REF!"), ("a\x00b", "control"), ("x" * 301, "301 characters")],
)
def test_cells_that_hold_no_value(cell: str, why: str) -> None:
    assert why in read(legal_name=cell, city="Zapopan").reasons[0]


def test_a_character_that_cannot_be_read_refuses_its_row_and_says_where() -> None:
    entry = read(legal_name="Caf\ufffd Tostado", city="Zapopan")
    assert entry.reasons == [
        "legal_name: a character of 'Caf\ufffd Tostado' cannot be read; mend it, or save the file as CSV UTF-8"
    ]
    assert entry.name == "Caf\ufffd Tostado"
    assert "city: a character" in read(legal_name="Uno", city="Le\ufffdn").reasons[0]


def test_a_header_that_cannot_be_read_refuses_the_file_and_names_the_row() -> None:
    with pytest.raises(NoHeaderRow, match="row 2: a character of the header 'Categor\ufffda' cannot be read"):
        columns_of([(1, ["Padr\ufffdn"]), (2, ["Empresa", "Categor\ufffda"])])
    with pytest.raises(NoHeaderRow, match="row 1: a character of the header 'Raz\ufffdn social' cannot be read"):
        columns_of([(1, ["Raz\ufffdn social", "RFC"]), (2, ["Uno", ""])])


@pytest.mark.parametrize("name", ["0", "2", "12.50", "-1", "***", "2026-01-01"])
@pytest.mark.parametrize("field", ["legal_name", "trade_name"])
def test_a_name_without_a_letter_is_none(field: str, name: str) -> None:
    entry = read(**{field: name}, city="Zapopan")
    assert entry.reasons == [f"{field}: {name!r} has no letter; is it a number, or what a formula gave?"]


@pytest.mark.parametrize("name", ["3M", "Ñ", "7-Eleven", "МАЗ", "豊田"])
def test_a_name_with_a_letter_is_one(name: str) -> None:
    assert read(legal_name=name, city="Zapopan").reasons == []


@pytest.mark.parametrize("size", [303, 200_000])
def test_a_cell_too_long_is_the_only_reason_and_its_row_keeps_a_short_name(size: int) -> None:
    entry = read(legal_name="Moldes " + "x" * (size - 7), city="Zapopan")
    assert entry.reasons == [f"legal_name: has {size} characters; at most 300"]
    assert entry.name == "Moldes " + "x" * 52 + "…"


def test_a_row_that_is_refused_for_its_tax_number_is_recognised_by_it() -> None:
    entry = read(legal_name="", tax_id="ABC", city="Zapopan")
    assert entry.name == "ABC"
    assert len(entry.reasons) == 1


def test_a_mail_beside_something_in_brackets_is_taken_with_a_warning() -> None:
    taken, warning = values.mail("x@y.example <script>")
    assert (taken, warning) == ("x@y.example", "mail: of 'x@y.example <script>' x@y.example was taken")
    assert values.mail("Ana <ana at x>") == (
        None, "mail: 'Ana <ana at x>' is not an address; no representative was kept"
    )  # fmt: skip


def test_states_elsewhere_that_are_not_known_are_left_out() -> None:
    entry = read(legal_name="Moldes", country="India", state="Karnataka")
    assert (entry.country, entry.state, entry.reasons) == ("IN", None, [])
    assert "Karnataka" in entry.warnings[0]


@given(st.lists(st.text(max_size=40), min_size=13, max_size=13))
def test_no_row_raises_whatever_it_holds(cells: list[str]) -> None:
    Reader(columns_of([(1, HEADER)]), "MX").entry(2, cells)
