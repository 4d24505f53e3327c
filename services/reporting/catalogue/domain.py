"""What can be asked: the catalogue of indicators, the dimensions by which each divides, what must stay hidden.

Pure data and rules. An entry is its codes, words of both languages, formula, source facts and what SQL counts
(catalogue/views.py); adding one asks for nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from shared.refusal import NotFound, Refusal

Code = Literal[
    "organizations", "members", "joined", "left", "category_changed", "membership_age", "churn", "retention",
    "applications", "decision_days", "gatherings", "registrations", "attendance", "no_shows", "reach",
    "certificates_ending", "notices", "notices_answered",
]  # fmt: skip
Dimension = Literal[
    "cluster", "category", "type", "position", "state", "sector", "age", "kind", "mode", "price_group", "standard",
    "subject",
]  # fmt: skip
Group = Literal["membership", "movement", "events", "profiles", "notices"]
Family = Literal["members", "gatherings", "profiles", "notices"]
"""Whose facts move a figure; figures of a family are computed together."""

UNKNOWN = "unknown"
"""The group of what is not known: an organisation that has not been heard of, a state or sector that was not said."""
NO_POSITION = "none"
"""The group of organisations that are known and hold no position in the chain."""
FEWEST = 5
"""Fewer organisations than these are not shown where an indicator tells how somebody does (DOMAIN section 5)."""


class Words(NamedTuple):
    """A text in both languages."""

    es: str
    en: str


class UnknownIndicator(NotFound):
    """No indicator has this code."""


class UnknownDimension(Refusal):
    """The indicator does not divide by this."""


class NotAPeriod(Refusal):
    """A period that ends before it begins, or a beginning for what has none."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One entry. `source` names what is counted, `flow` says that it counts a period and not a day.

    `definition` says exactly what is counted, `formula` how; `decimals` of the value; `hides`: groups of fewer than
    five organisations are not shown; `published`: it moves live and goes out as `reporting.indicator`.
    """

    code: Code
    name: Words
    definition: Words
    unit: Words
    dimensions: tuple[Dimension, ...]
    formula: Words = field(kw_only=True)
    group: Group = "membership"
    family: Family = "members"
    source: str = "in_force"
    facts: tuple[str, ...] = ()
    flow: bool = False
    decimals: int = 0
    hides: bool = False
    published: bool = False


GROUPS: dict[Group, Words] = {
    "membership": Words("Membresía", "Membership"),
    "movement": Words("Movimiento", "Movement"),
    "events": Words("Eventos", "Events"),
    "profiles": Words("Capacidades", "Capabilities"),
    "notices": Words("Avisos", "Notices"),
}
DIMENSIONS: dict[Dimension, Words] = {
    "cluster": Words("clúster", "cluster"),
    "category": Words("categoría", "category"),
    "type": Words("tipo de organización", "type of organisation"),
    "position": Words("posición en la cadena", "position in the chain"),
    "state": Words("estado", "state"),
    "sector": Words("sector", "sector"),
    "age": Words("antigüedad", "age"),
    "kind": Words("tipo de evento", "kind of event"),
    "mode": Words("modalidad", "how it is held"),
    "price_group": Words("de quién vienen", "who they are"),
    "standard": Words("norma", "standard"),
    "subject": Words("asunto", "subject"),
}
_OF_ORGANIZATION: tuple[Dimension, ...] = ("type", "position", "state", "sector")
_OF_MEMBERSHIP: tuple[Dimension, ...] = ("cluster", "category", *_OF_ORGANIZATION)
_MEMBER_FACTS = (
    "MembershipActivated", "MembershipCategoryChanged", "MembershipResigned", "MembershipExpelled",
    "MembershipReinstated",
)  # fmt: skip
_EVENT_FACTS = ("GatheringPublished", "GatheringHeld", "RegistrationConfirmed", "AttendanceRecorded")
_NOTICE_FACTS = ("MessageSent", "MessageAnswered")
_SHARE = Words("%", "%")

_ENTRIES = (
    Indicator(
        "organizations", Words("Organizaciones", "Organisations"),
        Words("Organizaciones distintas con al menos una membresía vigente ese día.",
              "Distinct organisations with at least one membership in force on that day."),
        Words("organizaciones", "organisations"), _OF_MEMBERSHIP, facts=_MEMBER_FACTS, published=True,
        formula=Words("cuenta de organizaciones distintas", "count of distinct organisations"),
    ),
    Indicator(
        "members", Words("Membresías", "Memberships"),
        Words("Membresías vigentes ese día. Una organización en dos clústeres cuenta dos veces.",
              "Memberships in force on that day. An organisation in two clusters counts twice."),
        Words("membresías", "memberships"), _OF_MEMBERSHIP, facts=_MEMBER_FACTS, published=True,
        formula=Words("cuenta de pares de organización y clúster", "count of pairs of organisation and cluster"),
    ),
    Indicator(
        "membership_age", Words("Antigüedad media", "Average age of memberships"),
        Words("Años desde la primera alta en el clúster, de las membresías vigentes ese día.",
              "Years since first joining the cluster, of the memberships in force on that day."),
        Words("años", "years"), (*_OF_MEMBERSHIP, "age"), source="age", decimals=1, hides=True, facts=_MEMBER_FACTS,
        formula=Words("promedio de días desde la primera alta / 365.25", "average of days since joining / 365.25"),
    ),
    Indicator(
        "joined", Words("Altas", "Joined"),
        Words("Membresías que empezaron en el periodo, sin venir de una membresía de la víspera.",
              "Memberships that began in the period and did not go on from one of the day before."),
        Words("altas", "joined"), _OF_MEMBERSHIP, group="movement", source="joined", flow=True, facts=_MEMBER_FACTS,
        formula=Words("cuenta de pares que empiezan", "count of pairs that begin"),
    ),
    Indicator(
        "left", Words("Bajas", "Left"),
        Words("Membresías que terminaron en el periodo y no siguieron.",
              "Memberships that ended in the period and did not go on."),
        Words("bajas", "left"), _OF_MEMBERSHIP, group="movement", source="left", flow=True, facts=_MEMBER_FACTS,
        formula=Words("cuenta de pares que terminan", "count of pairs that end"),
    ),
    Indicator(
        "category_changed", Words("Cambios de categoría", "Changes of category"),
        Words("Membresías que pasaron a otra categoría en el periodo.",
              "Memberships that went into another category in the period."),
        Words("cambios", "changes"), _OF_MEMBERSHIP, group="movement", source="changed", flow=True,
        facts=("MembershipCategoryChanged",),
        formula=Words("cuenta de pares con otra categoría que la víspera", "count of pairs with another category"),
    ),
    Indicator(
        "churn", Words("Tasa de bajas", "Churn"),
        Words("De las membresías vigentes al empezar el periodo, la parte que ya no lo está al terminar.",
              "Of the memberships in force when the period begins, the share that is not when it ends."),
        _SHARE, _OF_MEMBERSHIP, group="movement", source="base", flow=True, decimals=1, hides=True,
        facts=_MEMBER_FACTS, formula=Words("100 × perdidas / vigentes al inicio", "100 × lost / in force at the start"),
    ),
    Indicator(
        "retention", Words("Retención", "Retention"),
        Words("De las membresías vigentes al empezar el periodo, la parte que sigue al terminar.",
              "Of the memberships in force when the period begins, the share that still is when it ends."),
        _SHARE, _OF_MEMBERSHIP, group="movement", source="base", flow=True, decimals=1, hides=True,
        facts=_MEMBER_FACTS, formula=Words("100 × siguen / vigentes al inicio", "100 × kept / in force at the start"),
    ),
    Indicator(
        "applications", Words("Solicitudes", "Applications"),
        Words("Solicitudes de ingreso entregadas en el periodo.", "Applications handed in in the period."),
        Words("solicitudes", "applications"), _OF_MEMBERSHIP, group="movement", source="applications", flow=True,
        facts=("MembershipApplied",), formula=Words("cuenta de solicitudes", "count of applications"),
    ),
    Indicator(
        "decision_days", Words("Días hasta decidir", "Days to decide"),
        Words("Mediana de días entre la solicitud y su primera decisión, de lo decidido en el periodo.",
              "Median of days between an application and its first decision, of what was decided in the period."),
        Words("días", "days"), _OF_MEMBERSHIP, group="movement", source="decisions", flow=True, decimals=1, hides=True,
        facts=("MembershipApplied", "MembershipApproved", "MembershipRefused"),
        formula=Words("mediana de días", "median of days"),
    ),
    Indicator(
        "gatherings", Words("Eventos realizados", "Events held"),
        Words("Eventos del periodo que se realizaron, por quien los organiza.",
              "Events of the period that were held, by who holds them."),
        Words("eventos", "events"), ("cluster", "kind", "mode"), group="events", family="gatherings", source="held",
        flow=True, published=True, facts=("GatheringPublished", "GatheringHeld"),
        formula=Words("cuenta de eventos realizados", "count of events held"),
    ),
    Indicator(
        "registrations", Words("Inscripciones", "Registrations"),
        Words("Lugares confirmados en eventos desde el inicio del periodo, también en los que vienen.",
              "Confirmed places in events since the period began, those to come included."),
        Words("inscripciones", "registrations"), ("cluster", "kind", "mode", "price_group", *_OF_ORGANIZATION),
        group="events", family="gatherings", source="registrations", flow=True, published=True, facts=_EVENT_FACTS,
        formula=Words("cuenta de lugares confirmados", "count of confirmed places"),
    ),
    Indicator(
        "attendance", Words("Asistencias", "Attendances"),
        Words("Personas que asistieron a eventos del periodo; quien va a dos cuenta dos veces.",
              "People who came to events of the period; who comes to two counts twice."),
        Words("asistencias", "attendances"), ("cluster", "kind", "mode", "price_group", *_OF_ORGANIZATION),
        group="events", family="gatherings", source="attendance", flow=True, published=True, facts=_EVENT_FACTS,
        formula=Words("cuenta de asistencias", "count of attendances"),
    ),
    Indicator(
        "no_shows", Words("Inasistencias", "No-shows"),
        Words("De los lugares confirmados en eventos realizados, la parte que nadie ocupó.",
              "Of the confirmed places in events that were held, the share that nobody took."),
        _SHARE, ("cluster", "kind", "mode", "price_group", *_OF_ORGANIZATION), group="events", family="gatherings",
        source="places", flow=True, decimals=1, hides=True, facts=_EVENT_FACTS,
        formula=Words("100 × ausentes / confirmados", "100 × absent / confirmed"),
    ),
    Indicator(
        "reach", Words("Alcance del calendario", "Reach of the calendar"),
        Words("De las organizaciones vigentes, la parte que asistió a algún evento de la red en el periodo.",
              "Of the organisations in force, the share that came to any event of the network in the period."),
        _SHARE, _OF_MEMBERSHIP, group="events", family="gatherings", source="reached", flow=True, decimals=1,
        hides=True, facts=(*_MEMBER_FACTS, "AttendanceRecorded"),
        formula=Words("100 × con asistencia / vigentes", "100 × that came / in force"),
    ),
    Indicator(
        "certificates_ending", Words("Certificados por vencer", "Certificates about to end"),
        Words("Certificados vigentes ese día, de miembros, que vencen en 60 días o menos.",
              "Certificates of members in force on that day that end within 60 days."),
        Words("certificados", "certificates"), ("cluster", "standard", *_OF_ORGANIZATION), group="profiles",
        family="profiles", source="ending", published=True, facts=("CertificateRecorded", "CertificateRemoved"),
        formula=Words("cuenta de certificados", "count of certificates"),
    ),
    Indicator(
        "notices", Words("Avisos enviados", "Notices sent"),
        Words("Correos que el servidor de correo aceptó en el periodo; cada uno va a una persona.",
              "Mails that the mail server took in the period; each goes to one person."),
        Words("avisos", "notices"), ("cluster", "subject", *_OF_ORGANIZATION), group="notices", family="notices",
        source="notices", flow=True, published=True, facts=_NOTICE_FACTS,
        formula=Words("cuenta de mensajes enviados", "count of messages sent"),
    ),
    Indicator(
        "notices_answered", Words("Avisos atendidos", "Notices answered"),
        Words("De los avisos enviados en el periodo, la parte que alguien abrió en Cumulo o confirmó de enterado.",
              "Of the notices sent in the period, the share that somebody opened in Cumulo or took note of."),
        _SHARE, ("cluster", "subject", *_OF_ORGANIZATION), group="notices", family="notices", source="notices",
        flow=True, decimals=1, hides=True, facts=_NOTICE_FACTS,
        formula=Words("100 × atendidos / enviados", "100 × answered / sent"),
    ),
)  # fmt: skip
CATALOGUE: dict[str, Indicator] = {entry.code: entry for entry in _ENTRIES}
PUBLISHED: dict[Family, tuple[Code, ...]] = {
    family: tuple(entry.code for entry in _ENTRIES if entry.published and entry.family == family)
    for family in ("members", "gatherings", "profiles", "notices")
}

SEVERAL_POSITIONS = Words(
    "Una organización cuenta en cada posición que ocupa ese día: las filas pueden sumar más que el total.",
    "An organisation counts for every position it holds on that day: rows may add up to more than the total.",
)
SEVERAL_SECTORS = Words(
    "Una organización cuenta en cada sector que atiende: las filas pueden sumar más que el total.",
    "An organisation counts for every sector it supplies: rows may add up to more than the total.",
)
SEVERAL_CLUSTERS = Words(
    "Una organización cuenta en cada clúster y categoría en que participa: las filas pueden sumar más que el total.",
    "An organisation counts in every cluster and category it belongs to: rows may add up to more than the total.",
)
HIDDEN = Words("Menos de 5 empresas: no se muestra.", "Fewer than 5 companies: not shown.")

LABELS: dict[Dimension, dict[str, Words]] = {
    "cluster": {"": Words("la red", "the network")},
    "category": {
        "associate": Words("asociado", "associate"),
        "affiliate": Words("afiliado", "affiliate"),
        "honorary": Words("honorario", "honorary"),
    },
    "type": {
        "company": Words("empresa", "company"),
        "university": Words("universidad", "university"),
        "research_centre": Words("centro de investigación", "research centre"),
        "government": Words("gobierno", "government"),
        "association": Words("asociación", "association"),
        UNKNOWN: Words("por conocer", "not known yet"),
    },
    "position": {
        "oem": Words("armadora", "vehicle maker (OEM)"),
        "tier1": Words("proveedor Tier 1", "Tier 1 supplier"),
        "tier2": Words("proveedor Tier 2", "Tier 2 supplier"),
        "tier3": Words("proveedor Tier 3", "Tier 3 supplier"),
        "service": Words("servicios", "services"),
        "raw_material": Words("materia prima", "raw material"),
        NO_POSITION: Words("sin posición en la cadena", "no position in the chain"),
        UNKNOWN: Words("por conocer", "not known yet"),
    },
    "state": {UNKNOWN: Words("por conocer", "not known yet")},
    "sector": {UNKNOWN: Words("por conocer", "not known yet")},
    "age": {
        "0": Words("menos de 1 año", "under 1 year"), "1": Words("1 a 3 años", "1 to 3 years"),
        "3": Words("3 a 5 años", "3 to 5 years"), "5": Words("5 a 10 años", "5 to 10 years"),
        "10": Words("10 años o más", "10 years and more"),
    },
    "kind": {
        "webinar": Words("webinar", "webinar"), "course": Words("curso", "course"),
        "diploma_course": Words("diplomado", "diploma course"), "workshop": Words("taller", "workshop"),
        "conference": Words("conferencia", "conference"), "forum": Words("foro", "forum"),
        "business_round": Words("encuentro de negocios", "business round"),
        "supplier_fair": Words("feria de proveedores", "supplier fair"),
        "plant_visit": Words("visita a planta", "plant visit"),
        "advisory_session": Words("asesoría", "advisory session"),
        "open_doors_day": Words("puertas abiertas", "open doors day"),
        "study_tour": Words("gira técnica", "study tour"), "mission": Words("misión", "mission"),
        "committee_meeting": Words("sesión de comité", "committee meeting"),
        "board_meeting": Words("sesión de consejo", "board meeting"),
        "annual_assembly": Words("asamblea anual", "annual assembly"),
    },
    "mode": {"online": Words("en línea", "online"), "in_place": Words("presencial", "in place"),
             "both": Words("presencial y en línea", "in place and online")},
    "price_group": {
        "own": Words("miembros propios", "own members"), "network": Words("de otros clústeres", "of other clusters"),
        "public": Words("público", "public"), UNKNOWN: Words("por conocer", "not known yet"),
    },
    "standard": {},
    "subject": {
        "welcome": Words("bienvenida", "welcome"), "contact": Words("consulta por el directorio", "enquiry"),
        "application": Words("solicitud recibida", "application received"),
        "approved": Words("solicitud aprobada", "application approved"),
        "refused": Words("solicitud rechazada", "application refused"),
        "registered": Words("lugar confirmado", "place confirmed"), "waiting": Words("lista de espera", "waiting list"),
        "offered": Words("lugar ofrecido", "place offered"), "offer_lapsed": Words("oferta vencida", "offer ended"),
        "unregistered": Words("inscripción cancelada", "registration cancelled"),
        "changed": Words("evento cambiado", "event changed"), "postponed": Words("evento pospuesto", "event put off"),
        "cancelled": Words("evento cancelado", "event called off"),
        "reminder_week": Words("recordatorio, una semana antes", "reminder, a week before"),
        "reminder_day": Words("recordatorio, un día antes", "reminder, the day before"),
        "certificate": Words("certificado por vencer", "certificate about to end"),
        "announcement": Words("anuncio", "announcement"),
    },
}  # fmt: skip


def indicator_named(code: str) -> Indicator:
    """Raises `UnknownIndicator`."""
    found = CATALOGUE.get(code)
    if found is None:
        raise UnknownIndicator(
            "there is no indicator {code!r}; there are {known}",
            code=code,
            known=", ".join(CATALOGUE),
            field="indicator",
        )
    return found


def checked_dimensions(
    indicator: Indicator, names: Sequence[str], *, of_cluster: bool = False
) -> tuple[Dimension, ...]:
    """The dimensions by which to divide, at most two different ones. Raises `UnknownDimension`.

    Where small groups are hidden only one, and none within one cluster: two answers could be subtracted else.
    """
    known = {str(name): name for name in indicator.dimensions}
    for name in names:
        if name not in known:
            allowed = ", ".join(known)
            raise UnknownDimension(
                "{indicator} does not divide by {name!r}; it does by {allowed}",
                indicator=indicator.code,
                name=name,
                allowed=allowed,
                field="by",
            )
    if len(names) > 2 or len(set(names)) < len(names):
        raise UnknownDimension("a figure divides by at most two different dimensions", field="by")
    if indicator.hides and len(names) > (0 if of_cluster else 1):
        raise UnknownDimension(
            "{indicator} hides small groups: it divides by one dimension, and not within one cluster",
            indicator=indicator.code, field="by",
        )  # fmt: skip
    return tuple(known[name] for name in names)


def notes_on(indicator: Indicator, by: Sequence[Dimension]) -> list[Words]:
    """What one has to know so as not to add up rows that do not add up."""
    notes = [SEVERAL_POSITIONS] if "position" in by else []
    if "sector" in by:
        notes.append(SEVERAL_SECTORS)
    if indicator.code == "organizations" and {"cluster", "category"} & set(by):
        notes.append(SEVERAL_CLUSTERS)
    return notes


def hidden(sizes: Sequence[int]) -> set[int]:
    """Which groups are not shown, by place: those of fewer than five organisations.

    So that what is hidden is not the difference of the total and the rest, the smallest others are hidden too until
    those that are hidden hold five together.
    """
    places = {place for place, size in enumerate(sizes) if size < FEWEST}
    others = sorted((place for place in range(len(sizes)) if place not in places), key=lambda place: sizes[place])
    while places and others and sum(sizes[place] for place in places) < FEWEST:
        places.add(others.pop(0))
    return places


def period_of(indicator: Indicator, as_of: date, since: date | None) -> date:
    """The first day that counts: for what counts a period, the beginning of the year unless it is said.

    Raises `NotAPeriod`.
    """
    if since is not None and not indicator.flow:
        raise NotAPeriod("{indicator} speaks of one day, not of a period", indicator=indicator.code, field="since")
    first = since or date(as_of.year, 1, 1)
    if first > as_of:
        raise NotAPeriod("the period begins after it ends", field="since")
    return first if indicator.flow else as_of
