"""Importar padrón in four steps: upload, columns, review, apply; and undo while nobody has changed anything since.

Every step has its address, the page may be left at each, and a second click does nothing twice.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.datastructures import UploadFile

from services.membership import uploading
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import Cluster
from services.membership.imports.domain.columns import FIELDS, columns_of, field_of
from services.membership.imports.domain.values import short
from services.membership.imports.store import remembered
from services.membership.places import state_name
from services.membership.uploads import commands, store
from services.membership.uploads import domain as rules
from services.membership.uploads.domain import FROM, NoSuchUpload, Upload, Work
from services.membership.uploads.store import Result
from services.membership.words import CATEGORIES, POSITIONS, STANDINGS, TYPES
from shared.http.edge import unit_of
from shared.http.exports import Ending, exported
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.pool import Connection
from shared.refusal import Refusal
from shared.runtime import tasks
from shared.runtime.files import proper_name
from shared.runtime.service import Service
from shared.runtime.spreadsheets import FileRefused, Limits
from shared.runtime.tasks import Known, NoSuchTask
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.refusals import reason, sentence
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Preparing = Annotated[Allowed, May("uploads.prepare")]
Applying = Annotated[Allowed, May("uploads.apply")]
MayApply = Annotated[Allowed, Sees("uploads.apply")]
Tab = Literal["new", "changed", "same", "refused", "absent"]

PAGE_ROWS = 50
RECENT = 20
MOST_COLUMNS = 200
SAMPLES = 3
TABS: dict[Tab, str] = {
    "new": mark("New rows"), "changed": mark("Changed rows"), "same": mark("Same rows"),
    "refused": mark("Refused rows"),
    "absent": mark("Not in the sheet"),
}  # fmt: skip
STEPS: dict[str, tuple[str, str]] = {
    "columns": (mark("columns to choose"), "warn"), "reviewing": (mark("being reviewed"), "calm"),
    "reviewed": (mark("reviewed, not applied"), "warn"), "applying": (mark("being applied"), "calm"),
    "applied": (mark("applied"), "good"), "undoing": (mark("being undone"), "calm"),
    "undone": (mark("undone"), "plain"),
}  # fmt: skip
FIELD_WORDS: dict[str, str] = {
    "legal_name": mark("Legal name"), "trade_name": mark("Trade name"), "tax_number": mark("Tax number"),
    "type": mark("Type"), "positions": mark("Positions in the chain"), "category": mark("Category"),
    "state": mark("State"), "city": mark("City"), "country": mark("Country"), "since": mark("Member since"),
    "contact": mark("Representative"), "mail": mark("Mail of the representative"),
    "language": mark("Language of the representative"),
}  # fmt: skip
CHANGE_WORDS: dict[str, str] = {
    **FIELD_WORDS, "standing": mark("Standing"), "representative": mark("Representative"),
    "representative's name": mark("Representative"),
    "representative's language": mark("Language of the representative"),
}  # fmt: skip
COLUMNS = (
    Column("number", mark("Row")), Column("name", mark("Organisation")), Column("what", mark("What")),
)  # fmt: skip
LIST_COLUMNS = (
    Column("name", mark("Sheet")), Column("cluster", mark("Cluster")), Column("step", mark("State")),
    Column("rows", mark("Rows"), numeric=True), Column("at", mark("When"), minor=True),
)  # fmt: skip
ABSENT_COLUMNS = (Column("name", mark("Organisation")), Column("tax_number", mark("Tax number"), minor=True),
                  Column("act", mark("Do")))  # fmt: skip
NO_FILE = mark("Choose the file: a spreadsheet (.xlsx) or CSV")
NO_CLUSTER = mark("Choose the cluster whose register this is")
DOING: dict[Work, str] = {
    "reviewing": mark("Reviewing the sheet"), "applying": mark("Importing the register"),
    "undoing": mark("Undoing the import"),
}  # fmt: skip


@router.get("/import", response_class=HTMLResponse)
async def begin(request: Request, service: Serving, caller: Preparing) -> Response:
    """A file to upload, and the sheets before it."""
    return await _first(request, service, caller, Form())


@router.post("/import", response_class=HTMLResponse)
async def upload(request: Request, service: Serving, caller: Preparing) -> Response:
    """Takes in a file; what it holds is shown before anything is changed."""
    speak = pages.language(request, caller.viewer)
    form = await request.form()
    file, chosen = form.get("file"), form.get("cluster")
    mine = await _clusters(service, caller)
    cluster = next((one for one in mine if str(one.id) == chosen), mine[0] if len(mine) == 1 else None)
    values = {"cluster": chosen if isinstance(chosen, str) else ""}
    wrong: dict[str, str] = {}
    if not isinstance(file, UploadFile) or not file.filename:
        wrong["file"] = speak(NO_FILE)
    if cluster is None:
        wrong["cluster"] = speak(NO_CLUSTER)
    if wrong:
        return await _first(request, service, caller, Form(values, wrong), 422)
    assert isinstance(file, UploadFile) and cluster is not None
    limits = Limits(service.settings.import_max_megabytes, service.settings.import_max_rows)
    try:
        content = await file.read(limits.megabytes * 1024 * 1024 + 1)
        rows, head, parts = await asyncio.to_thread(uploading.read_sheet, content, limits)
    except FileRefused as refusal:
        shown = Form(values, {"file": reason(speak, refusal)})
        return await _first(request, service, caller, shown, refusal.status)
    async with unit_of(request, caller.actor) as unit:
        made = await commands.receive_upload(unit, cluster.id, proper_name(file.filename or ""), rows, head, parts)
    return turn(f"/import/{made.id}")


@router.get("/import/template.{ending}")
async def template(request: Request, service: Serving, caller: Preparing, ending: Ending) -> StreamingResponse:
    """An empty sheet with the headers that need no choosing."""
    speak = pages.language(request, caller.viewer)

    async def nothing() -> AsyncIterator[Sequence[Any]]:
        return
        yield ()

    return await exported(ending, "template", [_header(name, speak) for name in FIELDS], nothing())


@router.get("/import/{upload_id}", response_class=HTMLResponse)
async def shown(
    request: Request, service: Serving, caller: Preparing, applying: MayApply, upload_id: UUID,
    tab: Annotated[Tab | None, Query()] = None, row: Annotated[int | None, Query(ge=1, le=10_000_000)] = None,
    after: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:  # fmt: skip
    """One sheet at the step where it is."""
    async with service.database.connection() as connection:
        one = await _within(connection, caller, upload_id)
        task = await _task(service, connection, one)
    if one.step in FROM and task is not None and task.state == "running":
        return _working(request, caller, one, task)
    if one.step in ("columns", "reviewing") or (row is not None and one.step == "reviewed"):
        return await _columns(request, service, caller, one, Form(), row=row, failed=task)
    return await _review(request, service, caller, applying, one, tab, after, task)


@router.post("/import/{upload_id}/columns", response_class=HTMLResponse)
async def choose(request: Request, service: Serving, caller: Preparing, upload_id: UUID) -> Response:
    """Keeps which column is which and begins the review."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _within(connection, caller, upload_id)
    typed = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    header_row = (
        int(text) if (text := typed.get("header_row", "")).isascii() and text.isdigit() and len(text) < 9 else 0
    )
    fields = {
        int(name[7:]): value
        for name, value in typed.items()
        if name.startswith("column-") and name[7:].isascii() and name[7:].isdigit() and len(name) < 12 and value
    }
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.choose_columns(unit, one.id, header_row, fields, announce=typed.get("announce") == "yes")
            await uploading.start(service, unit, one.id, "reviewing")
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        shown = Form(typed, {refusal.field or "": reason(speak, refusal)})
        return await _columns(request, service, caller, one, shown, row=header_row or None, status=refusal.status)
    return turn(f"/import/{one.id}")


@router.post("/import/{upload_id}/apply", response_class=HTMLResponse)
async def apply(request: Request, service: Serving, caller: Applying, upload_id: UUID) -> Response:
    """Begins to import what was reviewed."""
    return await _begin(request, service, caller, upload_id, "applying")


@router.post("/import/{upload_id}/undo", response_class=HTMLResponse)
async def undo(request: Request, service: Serving, caller: Applying, upload_id: UUID) -> Response:
    """Begins to put everything back as it was before the import."""
    return await _begin(request, service, caller, upload_id, "undoing")


@router.post("/import/{upload_id}/discard", response_class=HTMLResponse)
async def discard(request: Request, service: Serving, caller: Preparing, upload_id: UUID) -> Response:
    """Forgets a sheet; what was applied stays."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _within(connection, caller, upload_id)
    try:
        async with unit_of(request, caller.actor) as unit:
            await commands.discard(unit, one.id)
    except rules.StillWorking as refusal:
        return turn(f"/import/{one.id}", said=reason(speak, refusal))
    return turn("/import", said=speak(mark("The sheet is forgotten; nothing else was changed")))


@router.get("/import/{upload_id}/refused.{ending}")
async def refused(
    request: Request, service: Serving, caller: Preparing, upload_id: UUID, ending: Ending
) -> StreamingResponse:
    """The refused rows as they came, under their own headers, with why; mended, it is uploaded again."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _within(connection, caller, upload_id)
        head = await store.first_rows(connection, one.id)
    headers = next((cells for number, cells in head if number == one.header_row), [])

    async def lines() -> AsyncIterator[Sequence[Any]]:
        async with service.database.connection() as connection:
            why = {r.number: r.reasons async for r in _results(connection, one.id, "refused")}
            async for part in store.parts(connection, one.id):
                for number, cells in orjson.loads(part):
                    if number in why:
                        told = "; ".join(sentence(speak, said) for said in why[number])
                        yield (*cells[: len(headers)], *[""] * (len(headers) - len(cells)), told)

    return await exported(ending, "refused", [*headers, speak(mark("motivo"))], lines())


@router.get("/import/{upload_id}/rows.{ending}")
async def as_file(
    request: Request, service: Serving, caller: Preparing, upload_id: UUID, ending: Ending,
    tab: Annotated[Tab | None, Query()] = None,
) -> StreamingResponse:  # fmt: skip
    """What becomes of the rows, as a file."""
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _within(connection, caller, upload_id)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        async with service.database.connection() as connection:
            if tab == "absent":
                for absent in await store.absent(connection, one.id, limit=1_000_000):
                    yield None, speak(TABS["absent"]), absent.name, None
                return
            async for result in _results(connection, one.id, tab):
                yield (result.number, speak(TABS[result.outcome]), result.name, _told(result, speak))  # type: ignore[index]

    columns = [speak(words) for words in (mark("Row"), mark("Outcome"), mark("Organisation"), mark("What"))]
    return await exported(ending, "import", columns, lines())


# --- what the steps share ------------------------------------------------------------------------


async def _clusters(service: Service, caller: Allowed) -> list[Cluster]:
    async with service.database.connection() as connection:
        found = await clusters.page(connection, None, 500)
    return sorted((one for one in found if caller.covers(cluster=one.id)), key=lambda one: one.name)


async def _within(connection: Connection, caller: Allowed, upload_id: UUID) -> Upload:
    one = await store.load(connection, upload_id)
    if one is None or not caller.covers(cluster=one.cluster_id):
        raise NoSuchUpload("there is no upload {id}", id=upload_id, field="upload_id")
    return one


async def _task(service: Service, connection: Connection, one: Upload) -> Known | None:
    if one.task_id is None:
        return None
    try:
        return await tasks.task_by_id(connection, one.task_id, now=service.clock())
    except NoSuchTask:
        return None


async def _begin(request: Request, service: Service, caller: Allowed, upload_id: UUID, work: Work) -> Response:
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        one = await _within(connection, caller, upload_id)
    try:
        async with unit_of(request, caller.actor) as unit:
            await uploading.start(service, unit, one.id, work)
    except (rules.NotTheTime, rules.StillWorking):
        return turn(f"/import/{one.id}")  # a second click: it is under way, or done
    except rules.ChangedSince as refusal:
        async with service.database.connection() as connection:
            task = await _task(service, connection, one)
        return await _review(request, service, caller, caller, one, None, None, task, reason(speak, refusal), 409)
    return turn(f"/import/{one.id}")


async def _first(request: Request, service: Service, caller: Allowed, form: Form, status: int = 200) -> Response:
    speak = pages.language(request, caller.viewer)
    mine = await _clusters(service, caller)
    everything, ids, _ = caller.span()
    async with service.database.connection() as connection:
        found = await store.recent(connection, everything, ids, before=None, limit=RECENT)
    names = {one.id: one.name for one in mine}
    rows = [{"id": one.id, "name": one.name, "cluster": names.get(one.cluster_id, ""), "rows": one.rows, "at": one.at,
             "step": (speak(STEPS[one.step][0]), STEPS[one.step][1])} for one in found]  # fmt: skip
    return pages.render(
        request, caller.viewer, "intake.html", status, form=form, clusters=[(str(one.id), one.name) for one in mine],
        listing=Listing(LIST_COLUMNS, rows), megabytes=service.settings.import_max_megabytes,
        most=service.settings.import_max_rows,
    )  # fmt: skip


def _working(request: Request, caller: Allowed, one: Upload, task: Known) -> Response:
    speak = pages.language(request, caller.viewer)
    work: Work = one.step  # type: ignore[assignment]
    return pages.render(request, caller.viewer, "working.html", one=one, task=task, words=speak(DOING[work]),
                        own=task.actor == caller.actor)  # fmt: skip


async def _columns(
    request: Request, service: Service, caller: Allowed, one: Upload, form: Form, *, row: int | None = None,
    failed: Known | None = None, status: int = 200,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        head = await store.first_rows(connection, one.id)
        known = await remembered(connection, one.cluster_id)
        [cluster] = await clusters.load(connection, [one.cluster_id])
    header_row = row if row in {number for number, _ in head} else one.header_row
    cells = next((cells for number, cells in head if number == header_row), [])
    samples = [below for number, below in head if number > header_row and number != header_row][:50]
    width = min(max([len(cells), *(len(below) for below in samples)], default=0), MOST_COLUMNS)
    if form.values:
        chosen = {n: str(form.values.get(f"column-{n}", "")) for n in range(width)}
    elif header_row == one.header_row:
        chosen = {column: name for name, column in one.places.items()}
    else:
        chosen = _guessed(cells, known)
    columns = [
        {"n": n, "header": short(cells[n]) if n < len(cells) else "", "field": chosen.get(n, ""),
         "samples": [short(below[n]) for below in samples if n < len(below) and below[n].strip()][:SAMPLES]}
        for n in range(width)
    ]  # fmt: skip
    return pages.render(
        request, caller.viewer, "columns.html", status, one=one, cluster=cluster.name, form=form, header_row=header_row,
        columns=[one for one in columns if one["header"] or one["samples"]],
        rows=[(number, " · ".join(short(cell) for cell in cells if cell.strip())[:80]) for number, cells in head[:15]],
        fields=[(name, speak(FIELD_WORDS[name])) for name in FIELDS],
        announce=form.values.get("announce") == "yes" if form.values else one.announce,
        reason=sentence(speak, failed.reason) if failed is not None and failed.reason else None,
    )  # fmt: skip


def _guessed(cells: Sequence[str], known: Mapping[str, str | None]) -> dict[int, str]:
    found: dict[int, str] = {}
    for n, cell in enumerate(cells):
        name = field_of(cell, known)
        if name is not None and name not in found.values():
            found[n] = name
    return found


async def _review(
    request: Request, service: Service, caller: Allowed, applying: Allowed, one: Upload, tab: Tab | None,
    after: str | None, task: Known | None, wrong: str | None = None, status: int = 200,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    async with service.database.connection() as connection:
        counts = await store.counted(connection, one.id) if one.step in FROM else one.counts
        first: Tab = next((name for name in TABS if counts.get(name)), "new")
        current = tab or first
        listing = await _listing(connection, one, current, after, speak)
        [cluster] = await clusters.load(connection, [one.cluster_id])
        undoable = one.step in ("applied", "applying", "undoing") and await store.count_effects(connection, one.id)
        stays = undoable and await store.changed_since(connection, one.id, 1)
    broken = one.step in FROM and (task is None or task.state != "running")
    return pages.render(
        request, caller.viewer, "review.html", status, one=one, cluster=cluster.name, counts=counts, tab=current,
        kinds=[(key, speak(words), f"/import/{one.id}?tab={key}", counts.get(key, 0)) for key, words in TABS.items()],
        listing=listing, may_apply=applying.covers(cluster=one.cluster_id), undoable=bool(undoable) and not stays,
        stays=bool(stays), broken=broken, wrong=wrong, ignored=await _ignored(service, one),
        reason=sentence(speak, task.reason) if broken and task is not None and task.reason else None,
        left=(task.result or {}).get("stays", []) if task is not None and one.step == "undone" else [],
    )  # fmt: skip


async def _ignored(service: Service, one: Upload) -> list[str]:
    async with service.database.connection() as connection:
        head = await store.first_rows(connection, one.id)
    cells = next((cells for number, cells in head if number == one.header_row), [])
    chosen = set(one.places.values())
    return [short(cell) for n, cell in enumerate(cells) if cell.strip() and n not in chosen]


async def _listing(connection: Connection, one: Upload, tab: Tab, after: str | None, speak: Language) -> Listing:
    if tab == "absent":
        try:
            behind = UUID(after) if after else None
        except ValueError:
            behind = None
        found = await store.absent(connection, one.id, behind=behind, limit=PAGE_ROWS + 1)
        more = str(found[PAGE_ROWS - 1].organization_id) if len(found) > PAGE_ROWS else None
        rows: list[dict[str, Any]] = [
            {"id": a.organization_id, "name": a.name, "tax_number": a.tax_number or ""} for a in found[:PAGE_ROWS]
        ]
        return Listing(ABSENT_COLUMNS, rows, next=more)
    number = int(after) if after and after.isascii() and after.isdigit() and len(after) < 10 else -1
    results = await store.results(connection, one.id, tab, behind=number, limit=PAGE_ROWS + 1)
    rows = [
        {"number": r.number, "name": r.name,
         "id": r.organization_id if r.outcome != "new" or one.step == "applied" else None,
         "changes": _changes(r, speak), "reasons": [sentence(speak, said) for said in r.reasons],
         "warnings": [sentence(speak, said) for said in r.warnings]}
        for r in results[:PAGE_ROWS]
    ]  # fmt: skip
    return Listing(COLUMNS, rows, next=str(results[PAGE_ROWS - 1].number) if len(results) > PAGE_ROWS else None)


async def _results(connection: Connection, id_: UUID, tab: str | None) -> AsyncIterator[Result]:
    behind = -1
    while found := await store.results(connection, id_, tab, behind=behind, limit=1000):
        for one in found:
            yield one
        behind = found[-1].number


def _changes(result: Result, speak: Language) -> list[tuple[str, str, str]]:
    # a membership may be new of an organisation that is not: what of it would change is shown as of any other
    return [
        (speak(CHANGE_WORDS.get(name, name)), _value(name, old, speak), _value(name, new, speak))
        for name, (old, new) in result.changes.items()
        if result.outcome != "new" or old
    ]


def _told(result: Result, speak: Language) -> str:
    changes = [f"{words}: {old or '–'} → {new or '–'}" for words, old, new in _changes(result, speak)]
    return "; ".join([*changes, *(sentence(speak, said) for said in (*result.reasons, *result.warnings))])


def _value(name: str, value: Any, speak: Language) -> str:
    if value is None:
        return ""
    called: dict[str, Mapping[Any, str]] = {"type": TYPES, "category": CATEGORIES}
    words = called.get(name, {})
    if name == "standing":
        return speak(STANDINGS[value][0]) if value in STANDINGS else str(value)
    if name == "positions":
        return ", ".join(speak(POSITIONS[one]) if one in POSITIONS else str(one) for one in value)
    if name == "state":
        return state_name("MX", value) or str(value)
    return speak(words[value]) if value in words else str(value)


def _header(name: str, speak: Language) -> str:
    return TEMPLATE_HEADERS[name][speak.code == "en"]


TEMPLATE_HEADERS: dict[str, tuple[str, str]] = {
    "legal_name": ("Razón social", "Legal name"), "trade_name": ("Nombre comercial", "Trade name"),
    "tax_number": ("RFC", "Tax ID"), "type": ("Tipo", "Type"), "positions": ("Posición en la cadena", "Position"),
    "category": ("Categoría", "Category"), "state": ("Estado", "State"), "city": ("Ciudad", "City"),
    "country": ("País", "Country"), "since": ("Miembro desde", "Member since"),
    "contact": ("Representante", "Representative"), "mail": ("Correo", "Email"), "language": ("Idioma", "Language"),
}  # fmt: skip
"""Headers that the import knows by itself, in Spanish and English."""

assert all(field_of(word) == name for name, both in TEMPLATE_HEADERS.items() for word in both)
assert columns_of([(1, [es for es, _ in TEMPLATE_HEADERS.values()])]).places.keys() == TEMPLATE_HEADERS.keys()
