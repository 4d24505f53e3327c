"""Letters: what is given is printed as it stands, read back from the PDF itself."""

import hashlib
import os
import re
import subprocess
import sys
import zlib
from datetime import date
from typing import Any

import pytest

from shared.contracts.publish import ROOT
from shared.runtime import pdf
from shared.runtime.pdf import (
    Column,
    Facts,
    Heading,
    LetterTooLong,
    LetterTooSlow,
    Listing,
    Paragraph,
    Signature,
    Table,
    letter,
)

MARKUP = [
    '#include "/etc/passwd"', "#panic() ]) #pagebreak()", "$x^2$ @label <label> *no* _no_ `no` ~ \\u{41}",
    "= no heading", "- no point", "/* no comment */ // none", "--- ... \"no\" 'no'", "https://red.example/x",
    "\\", "{{ x }} %s %(a)s",
]  # fmt: skip


def pages(content: bytes) -> list[str]:
    """The text of each page, one line for each run of glyphs, by the PDF's own tables of characters."""
    objects: dict[int, bytes] = {
        int(found[1]): found[2] for found in re.finditer(rb"(\d+) 0 obj\n(.*?)\nendobj", content, re.DOTALL)
    }

    def stream(number: int) -> bytes:
        head, _, body = objects[number].partition(b"stream\n")
        body = body.rpartition(b"\nendstream")[0]
        return zlib.decompress(body) if b"FlateDecode" in head else body

    def reference(text: bytes, name: bytes) -> int:
        found = re.search(rb"/" + name + rb" (\d+) 0 R", text)
        assert found
        return int(found[1])

    def characters(font: int) -> dict[int, str]:
        table = stream(reference(objects[font], b"ToUnicode"))
        return {
            int(code, 16): bytes.fromhex(shown.decode()).decode("utf-16-be")
            for code, shown in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", table.partition(b"beginbfchar")[2])
        }

    def text(page: bytes) -> str:
        resources = objects[reference(page, b"Resources")]
        fonts = {name: characters(int(font)) for name, font in re.findall(rb"/(f\d+) (\d+) 0 R", resources)}
        lines, shown = [], dict[int, str]()
        token = rb"/(f\d+) [\d.]+ Tf|\[((?:\((?:\\.|[^\\)])*\)|[^\]()])*)\]TJ|(\((?:\\.|[^\\)])*\)) ?Tj"
        for font, many, one in re.findall(token, stream(reference(page, b"Contents")), re.DOTALL):
            if font:
                shown = fonts[font]
                continue
            codes = b"".join(unescaped(each) for each in re.findall(rb"\(((?:\\.|[^\\)])*)\)", many or one, re.DOTALL))
            lines.append("".join(shown.get(int.from_bytes(codes[at : at + 2]), "□") for at in range(0, len(codes), 2)))
        return "\n".join(lines)

    kids = re.search(rb"/Type/Pages/Count \d+/Kids\[([^\]]*)\]", content)
    assert kids
    return [text(objects[int(number)]) for number in re.findall(rb"(\d+) 0 R", kids[1])]


def unescaped(literal: bytes) -> bytes:
    """A string of a PDF without its escapes."""
    named = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

    def plain(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1], 8)]) if found[1][:1].isdigit() else named.get(found[1], found[1])

    return re.sub(rb"\\([0-7]{1,3}|.)", plain, literal, flags=re.DOTALL)


async def test_a_letter_says_who_when_to_whom_and_what_in_its_language() -> None:
    given: dict[str, Any] = {
        "network": "Red de Clústeres",
        "day": date(2026, 3, 1),
        "to": "Ing. Xóchitl Ñúñez\nCalle 1",
    }
    blocks: list[pdf.Block] = [
        Paragraph("Se aprobó el presupuesto de 1,200.50 € (≈ 25 000 MXN)."), Heading("Acuerdos"),
        Listing(["Uno", "Dos"]), Facts([("Folio", "A-1")]), Signature("Ana Pérez\nPresidenta"),
    ]  # fmt: skip
    [page] = pages(await letter("Acta de la sesión", blocks, **given, footer="red.example"))
    for line in ("Red de Clústeres", "1 de marzo de 2026", "Ing. Xóchitl Ñúñez", "Calle 1", "Acta de la sesión",
                 "Se aprobó el presupuesto de 1,200.50 € (≈ 25 000 MXN).", "Acuerdos", "Uno", "Dos", "Folio", "A-1",
                 "Ana Pérez", "Presidenta", "red.example"):  # fmt: skip
        assert line in page.splitlines(), line
    assert "Página 1 de 1" in page.replace("\n", " ")
    [page] = pages(await letter("Minutes", blocks, **given, language="en", paper="a4"))
    assert "March 1, 2026" in page
    assert "Page 1 of 1" in page.replace("\n", " ")


async def test_text_that_looks_like_markup_is_printed_as_it_is() -> None:
    blocks: list[pdf.Block] = [
        *(Paragraph(each) for each in MARKUP), *(Heading(each) for each in MARKUP), Listing(MARKUP),
        Facts([(each, each) for each in MARKUP]), Table([Column(MARKUP[0])], [[each] for each in MARKUP]),
        Signature("\n".join(MARKUP)),
    ]  # fmt: skip
    said = "\n".join(pages(await letter("#title *x*", blocks, network="#net", to="#to", footer="$f$")))
    for each in MARKUP:
        # paragraph, heading, point, name, value, cell, signature; the first one is a column's title too
        assert said.splitlines().count(each) >= (8 if each == MARKUP[0] else 7), (each, said)
    for each in ("#title *x*", "#net", "#to", "$f$"):
        assert each in said.splitlines()


async def test_a_long_table_carries_its_titles_onto_each_page() -> None:
    columns = [Column("Empresa", wide=True), Column("Cuota", number=True)]
    rows = [[f"Compañía {number}", f"{number:,}.00"] for number in range(150)]
    said = pages(await letter("Cuotas", [Table(columns, rows)], network="Red"))
    assert len(said) > 3
    for number, page in enumerate(said, 1):
        assert {"Empresa", "Cuota", "Red"} <= set(page.splitlines())
        assert f"Página {number} de {len(said)}" in page.replace("\n", " ")
    printed = [line for page in said for line in page.splitlines() if line.startswith("Compañía")]
    assert printed == [row[0] for row in rows]


async def test_the_same_letter_is_the_same_bytes_on_every_machine() -> None:
    blocks: list[pdf.Block] = [Paragraph("uno"), Table([Column("a")], [["b"]])]
    first = await letter("Acta", blocks, network="Red", day=date(2026, 3, 1))
    await letter("Otra", [Paragraph("dos")], network="Red")
    assert await letter("Acta", blocks, network="Red", day=date(2026, 3, 1)) == first
    program = (
        "import asyncio, hashlib\nfrom datetime import date\nfrom shared.runtime.pdf import *\n"
        "made = asyncio.run(letter('Acta', [Paragraph('uno'), Table([Column('a')], [['b']])], network='Red',"
        " day=date(2026, 3, 1)))\nprint(hashlib.sha256(made).hexdigest())"
    )
    elsewhere = {
        **os.environ,
        "TZ": "Asia/Tokyo",
        "LANG": "ja_JP.UTF-8",
        "HOME": "/nonexistent",
        "PYTHONPATH": str(ROOT),
    }
    told = subprocess.run([sys.executable, "-c", program], env=elsewhere, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == hashlib.sha256(first).hexdigest()
    fonts = set(re.findall(rb"/BaseFont/[A-Z]{6}\+([A-Za-z]+)", first))
    assert fonts == {b"LibertinusSerif"}


async def test_what_no_font_shows_does_not_stop_a_letter() -> None:
    strange = "a\x00b\x07c\ud800d\te\r\nf \U0001f600 文 \u202e \u200b"
    said = pages(await letter(strange, [Paragraph(strange), Table([], []), Listing([])], network=strange))
    assert "d e" in said[0]
    assert "文" not in said[0]


@pytest.mark.parametrize(
    "blocks",
    [
        [Table([Column("a"), Column("b")], [["x", "y"]] * (pdf.MAX_CELLS // 2 + 1))],
        [Paragraph("x" * pdf.MAX_CHARACTERS)],
        [Paragraph("\n" * (pdf.MAX_LINES + 1))],
    ],
    ids=["cells", "characters", "lines"],
)
async def test_more_than_a_letter_takes_is_refused(blocks: list[pdf.Block]) -> None:
    with pytest.raises(LetterTooLong, match="at most"):
        await letter("Acta", blocks, network="Red")


async def test_a_row_that_does_not_fit_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="3 cells, its table 2 columns"):
        await letter("Acta", [Table([Column("a"), Column("b")], [["1", "2", "3"]])], network="Red")


async def test_a_letter_that_takes_too_long_is_given_up_and_the_next_one_comes() -> None:
    with pytest.raises(LetterTooSlow, match=r"0\.01 seconds"):
        await letter("Acta", [Table([Column("a")], [["x"]] * 4000)], network="Red", seconds=0.01)
    assert pages(await letter("Acta", [Paragraph("sigue")], network="Red"))
