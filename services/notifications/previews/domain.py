"""What a preview of a template is filled with: invented people, companies and events, the same for every subject."""

from datetime import UTC, date, datetime

from services.notifications.subjects.domain import Subject
from services.notifications.subjects.views import Announcement, Certificate, Contact, Gathering, Known, blocks

DOOR = "https://red.example"
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""A mail carries its styles in its elements, and nothing else runs or loads."""
TICKET = f"{DOOR}/ticket/8K2M-Q4TZ-71XD-9RWE"
TEXTS = {
    "es": ("Foro de proveeduría: abre el registro",
           "El registro abre el lunes a las nueve.\n\n- Cupo: 120 lugares\n- Sin costo\n\nMás en https://red.example/agenda"),
    "en": ("Supply forum: registration opens",
           "Registration opens on Monday at nine.\n\n- 120 places\n- Free of charge\n\nMore at https://red.example/agenda"),
}  # fmt: skip
GATHERINGS: tuple[Subject, ...] = (
    "registered", "waiting", "offered", "offer_lapsed", "unregistered", "changed", "postponed", "cancelled",
    "reminder_week", "reminder_day",
)  # fmt: skip


def sample(subject: Subject, language: str) -> Known:
    """What the templates of this subject may say. No real firm or person."""
    gathering = None
    if subject in GATHERINGS:
        gathering = Gathering(
            "Encuentro de proveeduría", None if subject == "postponed" else datetime(2027, 5, 14, 15, tzinfo=UTC),
            None if subject == "postponed" else datetime(2027, 5, 14, 23, tzinfo=UTC), "America/Mexico_City",
            "Centro de convenciones, sala B", None, f"{DOOR}/agenda/encuentro-de-proveeduria-2027",
            TICKET if subject in ("registered", "reminder_day", "reminder_week") else None,
            "850.00 MXN" if subject in ("registered", "waiting", "offered") else None,
            datetime(2027, 5, 10, 15, tzinfo=UTC) if subject == "offered" else None, subject,
        )  # fmt: skip
    return Known(
        "Lucía Montes Ferrer", "Inyectora Tres Cerros", "Clúster Costa y Agave", "associate", date(2027, 5, 10),
        begins_later=False, answered=True, gathering=gathering,
        contact=Contact("Sofía Arrieta", "Despacho Tres Puentes", "¿Podrían cotizar 40,000 piezas al mes?")
        if subject == "contact" else None,
        certificate=Certificate("IATF 16949", "Certificadora Demo", f"{DOOR}/organizations/tres-cerros/capabilities")
        if subject == "certificate" else None,
        announcement=Announcement(TEXTS[language][0], blocks(TEXTS[language][1]), f"{DOOR}/announcement/…", asks=True)
        if subject == "announcement" else None,
    )  # fmt: skip
