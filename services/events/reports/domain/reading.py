"""Participant reports as Zoom, Teams and Meet write them, in Spanish or English: who was in the meeting, and when.

Pure. Tables are known by the names of their columns, days are read as the reading that comes nearest to the event.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from shared.postgres.values import normalised_name
from shared.refusal import Refusal


class NotAParticipantReport(Refusal):
    """A table, but not one that says who was there for how long."""


@dataclass(frozen=True, slots=True)
class Join:
    """One row: somebody was in the meeting. `seconds` None: as long as from `start` to `end`."""

    name: str
    mail: str | None
    start: datetime | None
    end: datetime | None
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a file says. `unread`: rows whose time or duration cannot be read, by number."""

    joins: list[Join]
    unread: list[int] = field(default_factory=list)
    other_day: bool = False


_NAMES = {
    "name": ("name", "full name", "name original name", "user name original name", "user name", "display name",
             "participant", "participant name", "nombre", "nombre completo", "nombre nombre original",
             "nombre original", "nombre de usuario nombre original", "nombre de usuario", "participante",
             "nombre del participante"),
    "first": ("first name", "given name"),
    "last": ("last name", "surname", "family name", "apellido", "apellidos"),
    "mail": ("email", "e mail", "mail", "user email", "email address", "correo", "correo electronico",
             "correo electronico del usuario", "correo electronico de usuario", "direccion de correo electronico"),
    "upn": ("participant id upn", "id de participante upn", "id del participante upn", "upn"),
    "start": ("join time", "time joined", "joined at", "hora de union", "hora de ingreso", "hora de entrada",
              "hora de incorporacion", "hora para unirse", "hora en la que se unio", "hora a la que se unio",
              "se unio a las"),
    "end": ("leave time", "time exited", "left at", "hora de salida", "hora de abandono", "hora a la que salio",
            "hora en la que salio", "salio a las"),
    "first_join": ("first join", "first joined", "first join time", "primera union", "primera entrada",
                   "primera incorporacion"),
    "duration": ("duration", "duration minutes", "total duration minutes", "total duration", "in meeting duration",
                 "attendance duration", "time in session minutes", "time in meeting minutes", "minutes", "duracion",
                 "duracion minutos", "duracion total minutos", "duracion total", "duracion en la reunion",
                 "duracion de la reunion", "duracion de asistencia", "tiempo en sesion minutos",
                 "tiempo en la sesion minutos", "minutos"),
    "action": ("user action", "accion del usuario", "accion de usuario"),
    "stamp": ("timestamp", "marca de tiempo", "marca temporal"),
    "attended": ("attended", "asistio"),
}  # fmt: skip
_COLUMN = {name: key for key, names in _NAMES.items() for name in names}
_NO = ("no",)
_LEFT = ("left", "salio", "abandono", "se fue")


class _Table(NamedTuple):
    columns: dict[str, int]
    rows: list[tuple[int, list[str]]]

    @property
    def kind(self) -> Literal["joins", "actions", "totals"]:
        if "action" in self.columns:
            return "actions"
        return "joins" if {"start", "end"} <= self.columns.keys() else "totals"


def read(rows: Iterable[tuple[int, list[str]]], day: date, zone: ZoneInfo) -> Report:
    """What the numbered rows of a file say; days are read so that they come nearest to `day`.

    A report with a list of every join and another of totals (Teams) is read by its joins. Raises
    `NotAParticipantReport`.
    """
    tables = _tables(rows)
    for kind in ("joins", "actions", "totals"):
        chosen = [table for table in tables if table.kind == kind and table.rows]
        if chosen:
            break
    else:
        raise NotAParticipantReport(
            "this is no participant report of Zoom, Teams or Meet: it needs a column of names, and one of minutes or"
            " the times of joining and leaving", field="report",
        )  # fmt: skip
    joins: list[Join] = []
    unread: list[int] = []
    for table in chosen:
        found, wrong = _actions(table, day, zone) if kind == "actions" else _joins(table, day, zone)
        joins += found
        unread += wrong
    days = [join.start.date() for join in joins if join.start]
    return Report(joins, unread, bool(days) and all(abs(one - day) > timedelta(days=1) for one in days))


def _tables(rows: Iterable[tuple[int, list[str]]]) -> list[_Table]:
    tables: list[_Table] = []
    inside = False
    for number, cells in rows:
        if columns := _header(cells):
            tables.append(_Table(columns, []))
            inside = True
        elif sum(1 for cell in cells if cell.strip()) < 2:  # the title of the next part
            inside = False
        elif inside:
            tables[-1].rows.append((number, cells))
    return tables


def _header(cells: Sequence[str]) -> dict[str, int] | None:
    columns: dict[str, int] = {}
    for at, cell in enumerate(cells):
        plain = normalised_name(cell)
        # "Duración (minutos)", and what some programs add to a name of a column
        key = _COLUMN.get(plain)
        if key:
            columns.setdefault(key, at)
    named = "name" in columns or "first" in columns
    timed = "duration" in columns or {"start", "end"} <= columns.keys() or {"action", "stamp"} <= columns.keys()
    return columns if named and timed else None


def _joins(table: _Table, day: date, zone: ZoneInfo) -> tuple[list[Join], list[int]]:
    joins, unread = [], []
    for number, cells in table.rows:
        name, mail = _who(table, cells)
        if not name or _cell(table, cells, "attended").casefold() in _NO:
            continue
        start = _moment(_cell(table, cells, "start") or _cell(table, cells, "first_join"), day, zone)
        end = _moment(_cell(table, cells, "end"), day, zone)
        seconds = _duration(_cell(table, cells, "duration"))
        if seconds is None and not (start and end):
            unread.append(number)
            continue
        joins.append(Join(name, mail, start, end, seconds))
    return joins, unread


def _actions(table: _Table, day: date, zone: ZoneInfo) -> tuple[list[Join], list[int]]:
    """One row for each coming and going; who did not leave stayed until the last moment that the report knows."""
    came: dict[tuple[str, str | None], datetime] = {}
    joins: list[Join] = []
    unread: list[int] = []
    last: datetime | None = None
    for number, cells in table.rows:
        name, mail = _who(table, cells)
        at = _moment(_cell(table, cells, "stamp"), day, zone)
        if not name or at is None:
            unread.append(number)
            continue
        last = at if last is None else max(at, last)
        if normalised_name(_cell(table, cells, "action")).startswith(_LEFT):
            if start := came.pop((name, mail), None):
                joins.append(Join(name, mail, start, at, None))
        else:
            came.setdefault((name, mail), at)
    joins += [Join(name, mail, start, last, None) for (name, mail), start in came.items()]
    return joins, unread


def _who(table: _Table, cells: Sequence[str]) -> tuple[str, str | None]:
    name = " ".join(filter(None, (_cell(table, cells, part) for part in ("name", "first", "last"))))
    if "name" in table.columns and "first" in table.columns:  # a webinar of Zoom names both
        name = _cell(table, cells, "name") or name
    mail = next((text for text in (_cell(table, cells, "mail"), _cell(table, cells, "upn")) if "@" in text), None)
    return name[:200], mail.casefold()[:300] if mail else None


def _cell(table: _Table, cells: Sequence[str], key: str) -> str:
    at = table.columns.get(key)
    return cells[at].strip() if at is not None and at < len(cells) else ""


_PARTS = re.compile(r"(\d+)\s*(h|m|s)", re.IGNORECASE)


def _duration(text: str) -> int | None:
    """Seconds of "58", "1h 2m 3s", "1 hr 5 min", "0:58:12"; None when it is nothing of the kind."""
    text = text.strip()
    if re.fullmatch(r"\d{1,5}([.,]\d+)?", text):
        return int(float(text.replace(",", ".")) * 60)
    if clock := re.fullmatch(r"(\d{1,3}):(\d{2}):(\d{2})", text):
        hours, minutes, seconds = map(int, clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    parts: Counter[str] = Counter()
    for amount, unit in _PARTS.findall(text[:60]):
        parts[unit.lower()] += int(amount[:6])
    return parts["h"] * 3600 + parts["m"] * 60 + parts["s"] if parts else None


_DAY = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([ap])?", re.IGNORECASE)
_OFFSET = re.compile(r"(Z|[+-]\d{2}:?\d{2})$")


def _moment(text: str, day: date, zone: ZoneInfo) -> datetime | None:
    """A moment as people of that zone wrote it; of the readings of its day the one that is nearest to `day`."""
    text = " ".join(text.split())
    clock = _CLOCK.search(text)
    if not clock:
        return None
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].lower() == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    written = _DAY.search(text)
    if written:
        read_so = list(_days(*map(int, written.groups())))
        if not read_so:
            return None
        day = min(read_so, key=lambda one: abs(one - day))
    at = datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001  # the zone follows
    if written and (offset := _OFFSET.search(text)) and "T" in text:
        try:
            return datetime.fromisoformat(at.isoformat() + offset[1].replace("Z", "+00:00")).astimezone(zone)
        except (ValueError, OverflowError):
            return None
    return at.replace(tzinfo=zone)


def _days(first: int, second: int, third: int) -> Iterator[date]:
    for year, month, day in ((first, second, third), (third, first, second), (third, second, first)):
        try:
            yield date(year + 2000 if year < 100 else year, month, day)
        except ValueError:
            continue
