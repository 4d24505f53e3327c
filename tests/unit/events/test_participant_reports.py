"""Participant reports as the meeting programs write them: joins added up, matched by mail and then by name."""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.events.reports.domain.matching import Participant, Registered, matched, usual_least
from services.events.reports.domain.reading import Join, NotAParticipantReport, Report, read
from shared.contracts.events import RegistrationStatus
from shared.runtime import spreadsheets
from shared.runtime.spreadsheets import Limits

ZONE = ZoneInfo("America/Mexico_City")
DAY = date(2027, 5, 14)

ZOOM = """\
Meeting ID,Topic,Start Time,End Time,User Email,Duration (Minutes),Participants
812 3344 5566,Taller de costos,05/14/2027 08:55:00 AM,05/14/2027 11:01:00 AM,red@cumulo.example,126,3

Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest,Recording Consent
Ana Ruiz (Moldes Sur),ana@empresa.example,05/14/2027 09:02:10 AM,05/14/2027 09:40:10 AM,38,Yes,
Ana Ruiz,ana@empresa.example,05/14/2027 09:45:00 AM,05/14/2027 10:30:00 AM,45,Yes,
iPhone de Beto,,05/14/2027 09:00:00 AM,05/14/2027 10:00:00 AM,60,Yes,
"""
ZOOM_ES = """\
Nombre (nombre original);Correo electrónico del usuario;Hora de ingreso;Hora de salida;Duración (minutos);Invitado
Ana Ruiz;ana@empresa.example;14/05/2027 09:02:10;14/05/2027 09:40:10;38;Sí
Ana Ruiz;ana@empresa.example;14/05/2027 09:45:00;14/05/2027 10:30:00;45;Sí
iPhone de Beto;;14/05/2027 09:00:00;14/05/2027 10:00:00;60;Sí
"""
TEAMS = """\
1. Summary
Meeting title\tTaller de costos
Attended participants\t2
Start time\t5/14/27, 8:55:00 AM

2. Participants
Name\tFirst Join\tLast Leave\tIn-Meeting Duration\tEmail\tParticipant ID (UPN)\tRole
Ana Ruiz\t5/14/27, 9:02:10 AM\t5/14/27, 10:30:00 AM\t1h 23m\tana@empresa.example\tana@empresa.example\tAttendee
iPhone de Beto\t5/14/27, 9:00:00 AM\t5/14/27, 10:00:00 AM\t1h\t\t\tAttendee

3. In-Meeting Activities
Name\tJoin Time\tLeave Time\tDuration\tEmail\tRole
Ana Ruiz\t5/14/27, 9:02:10 AM\t5/14/27, 9:40:10 AM\t38m\tana@empresa.example\tAttendee
Ana Ruiz\t5/14/27, 9:45:00 AM\t5/14/27, 10:30:00 AM\t45m\tana@empresa.example\tAttendee
iPhone de Beto\t5/14/27, 9:00:00 AM\t5/14/27, 10:00:00 AM\t1h\t\tAttendee
"""
TEAMS_ES = """\
1. Resumen
Título de la reunión\tTaller de costos

2. Participantes
Nombre\tPrimera unión\tÚltima salida\tDuración de la reunión\tCorreo electrónico\tId. de participante (UPN)\tRol
Ana Ruiz\t14/5/27, 9:02:10\t14/5/27, 10:30:00\t1 h 23 min 0 s\tana@empresa.example\t\tAsistente
iPhone de Beto\t14/5/27, 9:00:00\t14/5/27, 10:00:00\t1 h\t\t\tAsistente
"""
MEET = """\
First name,Last name,Email,Duration,Time joined,Time exited
Ana,Ruiz,ana@empresa.example,1 hr 23 min,9:02 AM,10:30 AM
iPhone,de Beto,,1 hr,9:00 AM,10:00 AM
"""
MEET_ES = """\
Nombre,Apellidos,Correo electrónico,Duración,Hora a la que se unió,Hora a la que salió
Ana,Ruiz,ana@empresa.example,1 h 23 min,9:02 a. m.,10:30 a. m.
iPhone,de Beto,,1 h,9:00 a. m.,10:00 a. m.
"""
OLD_TEAMS = """\
Full Name\tUser Action\tTimestamp
Ana Ruiz\tJoined\t5/14/2027, 9:02:00 AM
iPhone de Beto\tJoined before\t5/14/2027, 9:00:00 AM
Ana Ruiz\tLeft\t5/14/2027, 9:40:00 AM
Ana Ruiz\tJoined\t5/14/2027, 9:45:00 AM
iPhone de Beto\tLeft\t5/14/2027, 10:00:00 AM
Ana Ruiz\tLeft\t5/14/2027, 10:30:00 AM
"""


def report(text: str, encoding: str = "utf-8") -> Report:
    with spreadsheets.read(text.encode(encoding), Limits()) as table:
        return read(table.rows(), DAY, ZONE)


def somebody(
    number: int, name: str, mail: str, status: RegistrationStatus = "confirmed", *, seen: bool = False
) -> Registered:
    return Registered(UUID(int=number), name, mail, status, seen)


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2027, 5, 14, hour, minute, second, tzinfo=ZONE)


def only(people: list[Participant], name: str) -> Participant:
    [one] = [one for one in people if one.name.startswith(name)]
    return one


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ZOOM, "utf-8-sig"), (ZOOM_ES, "cp1252"), (TEAMS, "utf-16"), (TEAMS_ES, "utf-16"), (MEET, "utf-8"),
        (MEET_ES, "utf-8"), (OLD_TEAMS, "utf-16"),
    ],
    ids=["zoom", "zoom in Spanish", "teams", "teams in Spanish", "meet", "meet in Spanish", "older teams"],
)  # fmt: skip
def test_each_program_says_that_ana_was_there_for_83_minutes_and_beto_for_60(text: str, encoding: str) -> None:
    found = report(text, encoding)
    people = matched(found.joins, [somebody(1, "Ana Ruiz", "ana@empresa.example")], 45)
    ana, beto = only(people, "Ana"), only(people, "iPhone")
    assert (ana.minutes, ana.outcome, ana.registered and ana.registered.id) == (83, "new", UUID(int=1))
    assert (beto.minutes, beto.outcome) == (60, "unknown")
    assert ana.first is not None
    assert ana.first.replace(second=0) == at(9, 2)
    assert not found.unread
    assert not found.other_day


def test_two_devices_at_the_same_time_are_one_person_for_that_time() -> None:
    joins = [
        Join("Ana Ruiz", "ana@empresa.example", at(9, 0), at(10, 0), 3600),
        Join("Ana Ruiz", None, at(9, 30), at(10, 15), 2700),
    ]
    [ana] = matched(joins, [somebody(1, "Ana Ruiz", "ANA@empresa.example")], 30)
    assert ana.minutes == 75


def test_mail_goes_before_name_and_a_name_is_read_without_what_people_add_to_it() -> None:
    known = [somebody(1, "María José Muñoz", "mj@uno.example"), somebody(2, "Otra Persona", "ana@dos.example")]
    joins = [
        Join("maria jose munoz - Moldes Sur", None, None, None, 3600),
        Join("María José Muñoz", "ana@dos.example", None, None, 3600),
    ]
    found = {one.registered.id: one for one in matched(joins, known, 30) if one.registered}
    assert {id_.int: one.outcome for id_, one in found.items()} == {1: "new", 2: "new"}


def test_what_only_resembles_or_is_not_clear_is_left_to_a_person() -> None:
    known = [
        somebody(1, "Ana Ruiz López", "ana@uno.example"), somebody(2, "Luis Paz", "luis@uno.example"),
        somebody(3, "Luis Paz", "luis@dos.example"),
    ]  # fmt: skip
    people = matched(
        [Join("Ana Ruiz", None, None, None, 3600), Join("Luis Paz", None, None, None, 3600)], known, 30
    )  # fmt: skip
    assert only(people, "Ana").outcome == "similar"
    assert only(people, "Luis").outcome == "unclear"


def test_who_was_there_too_short_without_a_place_or_was_noted_before_is_told_so() -> None:
    known = [
        somebody(1, "Ana Ruiz", "a@uno.example"), somebody(2, "Eva Sol", "e@uno.example", "waiting"),
        somebody(3, "Ivo Mar", "i@uno.example", seen=True), somebody(4, "Uma Rey", "u@uno.example", "cancelled"),
    ]  # fmt: skip
    joins = [Join(name, None, None, None, seconds) for name, seconds in
             (("Ana Ruiz", 1799), ("Eva Sol", 3600), ("Ivo Mar", 3600), ("Uma Rey", 3600))]  # fmt: skip
    outcomes = {one.name: one.outcome for one in matched(joins, known, 30)}
    assert outcomes == {"Ana Ruiz": "short", "Eva Sol": "no_place", "Ivo Mar": "seen", "Uma Rey": "no_place"}


def test_days_are_read_as_the_reading_nearest_to_the_event() -> None:
    text = "Name,Join time,Leave time\nAna Ruiz,06/05/2027 09:00,06/05/2027 10:00\n"
    with spreadsheets.read(text.encode(), Limits()) as table:
        [join] = read(table.rows(), date(2027, 5, 6), ZONE).joins
    assert join.start == datetime(2027, 5, 6, 9, 0, tzinfo=ZONE)


def test_a_report_of_another_day_is_doubted_and_a_row_without_a_time_is_named() -> None:
    text = "Name,Join time,Leave time\nAna Ruiz,2027-03-01 09:00,2027-03-01 10:00\nEva Sol,soon,later\n"
    found = report(text)
    assert found.other_day
    assert found.unread == [3]
    assert [join.name for join in found.joins] == ["Ana Ruiz"]


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "Name,Mail\nAna,ana@uno.example\n", "Minutes\n58\n", "Name,Duration\n"])
def test_a_table_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(NotAParticipantReport):
        report(text)


def test_a_program_that_names_who_did_not_come_is_believed() -> None:
    text = (
        "Attended,User Name (Original Name),Email,Join Time,Leave Time,Time in Session (minutes)\n"
        "Yes,Ana Ruiz,ana@uno.example,05/14/2027 09:00:00 AM,05/14/2027 10:00:00 AM,60\n"
        "No,Eva Sol,eva@uno.example,--,--,--\n"
    )
    found = report(text)
    assert [join.name for join in found.joins] == ["Ana Ruiz"]
    assert found.unread == []


@given(st.lists(st.lists(st.text(max_size=20), max_size=8), max_size=20))
def test_no_table_whatever_breaks_the_reader(rows: list[list[str]]) -> None:
    header = ["Name", "Email", "Join Time", "Leave Time", "Duration", "User Action", "Timestamp"]
    for head in ([], header[:5], [*header[:2], *header[5:]]):
        try:
            found = read(enumerate([head, *rows], start=1), DAY, ZONE)
        except NotAParticipantReport:
            continue
        assert len(found.joins) + len(found.unread) <= len(rows) + 1
        for one in matched(found.joins, [somebody(1, "Ana", "a@b.example")], 1):
            assert one.minutes >= 0


def test_half_of_an_event_counts_but_never_more_than_an_hour() -> None:
    assert usual_least(at(9, 0), at(10, 30)) == 45
    assert usual_least(at(9, 0), at(17, 0)) == 60
    assert usual_least(at(9, 0), at(9, 1)) == 1
