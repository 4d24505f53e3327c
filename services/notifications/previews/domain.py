"""What a preview of a template is filled with: invented people, companies and events, the same for every subject."""

from datetime import UTC, date, datetime

from services.notifications.subjects.domain import Subject
from services.notifications.subjects.views import Certificate, Contact, Gathering, Known

DOOR = "https://red.example"
TICKET = f"{DOOR}/ticket/8K2M-Q4TZ-71XD-9RWE"
GATHERINGS: tuple[Subject, ...] = (
    "registered", "waiting", "offered", "offer_lapsed", "unregistered", "changed", "postponed", "cancelled",
    "reminder_week", "reminder_day",
)  # fmt: skip


def sample(subject: Subject) -> Known:
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
    )  # fmt: skip
