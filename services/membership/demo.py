"""The demo's clusters, a few of its organisations and its people, made through the public commands.

All names are invented. Run again it changes nothing: what is there stays.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID

from services.membership.access import store as access
from services.membership.access.commands import accounts
from services.membership.applications import commands as applications
from services.membership.applications.domain import USUAL, Requirements
from services.membership.clusters import commands as cluster_commands
from services.membership.clusters import store as clusters
from services.membership.memberships import commands as memberships
from services.membership.organizations import commands as organizations
from services.membership.people import commands as people
from services.membership.people.domain import Purpose
from services.membership.profiles import commands as profiles
from services.membership.prospects import commands as prospects
from services.membership.segments import commands as segment_commands
from services.membership.segments import store as segments
from shared.contracts.membership import (
    Category,
    ChainPosition,
    OrganizationType,
    PersonRole,
    ProspectSource,
    Role,
    Size,
)
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.runtime.service import Service


class DemoCluster(NamedTuple):
    """A cluster of the demo."""

    name: str
    slug: str
    state: str
    since: date


class DemoProfile(NamedTuple):
    """What an organisation of the demo can do. `certificates`: standard, and in how many days it ends."""

    size: Size
    processes: tuple[str, ...]
    sectors: tuple[str, ...]
    products: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    certificates: tuple[tuple[str, int], ...] = ()


class DemoCompany(NamedTuple):
    """An organisation of the demo and the cluster it belongs to."""

    key: str
    legal_name: str
    trade_name: str
    type: OrganizationType
    positions: tuple[ChainPosition, ...]
    cluster: str
    category: Category
    city: str
    does: DemoProfile | None = None
    since: date = date(2021, 3, 15)


class DemoPerson(NamedTuple):
    """A person of the demo. `card` names what the door says they can try."""

    card: str
    name: str
    mail: str
    role: Role
    cluster: str | None = None
    company: str | None = None


class DemoRepresentative(NamedTuple):
    """Somebody who speaks for these companies, the first among them as main contact."""

    name: str
    mail: str
    role: PersonRole
    companies: tuple[str, ...]
    phone: str | None = None
    agreed: tuple[Purpose, ...] = ()


_FOUNDING = date(2019, 3, 1)
CLUSTERS = (
    DemoCluster("Clúster Regiomontano Norte", "regiomontano-norte", "NLE", _FOUNDING),
    DemoCluster("Clúster Bajío Guanajuatense", "bajio-guanajuatense", "GUA", _FOUNDING),
    DemoCluster("Clúster Semidesierto", "semidesierto", "QUE", _FOUNDING),
    DemoCluster("Clúster Valle de Lerma", "valle-de-lerma", "MEX", _FOUNDING),
    DemoCluster("Clúster Altiplano", "altiplano", "SLP", _FOUNDING),
    DemoCluster("Clúster Sierra y Desierto", "sierra-y-desierto", "CHH", _FOUNDING),
    DemoCluster("Clúster Sureste del Desierto", "sureste-del-desierto", "COA", _FOUNDING),
    DemoCluster("Clúster Dos Volcanes", "dos-volcanes", "PUE", _FOUNDING),
    DemoCluster("Clúster Comarca del Nazas", "comarca-del-nazas", "DUR", _FOUNDING),
    DemoCluster("Clúster Costa y Agave", "costa-y-agave", "JAL", date(2020, 9, 1)),
    DemoCluster("Clúster Hidrocálido", "hidrocalido", "AGU", date(2022, 3, 1)),
)
COMPANIES = (
    DemoCompany("tres-cerros", "Inyectora Tres Cerros, S.A. de C.V.", "Inyectora Tres Cerros", "company", ("tier2",),
                "regiomontano-norte", "associate", "Apodaca",
                DemoProfile("medium", ("injection_moulding", "tooling"), ("light_vehicles", "medical"),
                            ("392690", "870829"), ("scian:326192",), (("iatf_16949", 410), ("iso_14001", 41)))),
    DemoCompany("penia-alta", "Troquelados Peña Alta, S.A. de C.V.", "Troquelados Peña Alta", "company", ("tier1",),
                "regiomontano-norte", "associate", "Santa Catarina",
                DemoProfile("large", ("stamping", "welding", "plating"), ("light_vehicles", "heavy_trucks"),
                            ("870829", "732690"), ("scian:336370",), (("iatf_16949", 622), ("iso_9001", 200)))),
    DemoCompany("tres-puentes", "Logística Tres Puentes, S. de R.L.", "Logística Tres Puentes", "company",
                ("service",), "bajio-guanajuatense", "affiliate", "Silao",
                DemoProfile("small", ("logistics", "packaging"), ("light_vehicles",), (), ("scian:484121",),
                            (("ctpat", 95),))),
    DemoCompany("nazas", "Arneses del Nazas, S.A. de C.V.", "Arneses del Nazas", "company", ("tier1", "tier2"),
                "comarca-del-nazas", "associate", "Gómez Palacio",
                DemoProfile("large", ("harnesses", "assembly"), ("light_vehicles", "electric_vehicles"), ("854430",),
                            ("scian:336320",), (("iatf_16949", 27),))),
    DemoCompany("canada", "Armadora Cañada Grande, S.A. de C.V.", "Armadora Cañada Grande", "company", ("oem",),
                "bajio-guanajuatense", "associate", "Irapuato",
                DemoProfile("large", ("assembly", "painting", "stamping"), ("light_vehicles", "electric_vehicles"),
                            ("870323", "870380"), ("scian:336110",), (("iso_14001", 500),))),
    DemoCompany("ut-semidesierto", "Universidad Tecnológica del Semidesierto", "UT del Semidesierto", "university", (),
                "semidesierto", "affiliate", "Querétaro",
                DemoProfile("large", ("training", "engineering", "metrology"), ("light_vehicles", "aerospace"))),
    DemoCompany("ocotillo", "Maquinados Ocotillo, S.A. de C.V.", "Maquinados Ocotillo", "company", ("tier2", "tier3"),
                "costa-y-agave", "associate", "Tlajomulco",
                DemoProfile("small", ("machining", "grinding", "fixtures"), ("light_vehicles", "farm_machinery"),
                            ("848340",), ("scian:332710",), (("iso_9001", -12),))),
    DemoCompany("nazas-otra", "Arneses de Nazas, S.A. de C.V.", "Arneses de Nazas", "company", ("tier2",),
                "sierra-y-desierto", "associate", "Ciudad Juárez"),
)  # fmt: skip
"""One of them twice under nearly the same name, as registers have it."""
APPLICANT = DemoCompany("valle-alto", "Estampados Valle Alto, S.A. de C.V.", "Estampados Valle Alto", "company",
                        ("tier3",), "regiomontano-norte", "associate", "Guadalupe")  # fmt: skip
ASKED = Requirements(USUAL[:1], vouchers=2, resolution=True)
PROSPECTS: tuple[tuple[str, ProspectSource, str], ...] = (
    ("Fundición Piedra Lisa", "event", "Enviar la carta de beneficios"),
    ("Rodamientos Loma Verde", "member", "Visita a la planta con Peña Alta"),
)
VOUCHING = ("tres-cerros", "penia-alta")
PEOPLE = (
    DemoPerson("coordinator", "Mariana Ibarra Quiroz", "mariana.ibarra@red.example", "coordinator"),
    DemoPerson("assistant", "Emilio Sosa Rangel", "emilio.sosa@red.example", "assistant"),
    DemoPerson("director", "Rebeca Treviño Salas", "rebeca.trevino@regiomontano.example", "cluster_director",
               cluster="regiomontano-norte"),
    DemoPerson("tier2", "Lucía Montes Ferrer", "lucia.montes@trescerros.example", "representative",
               company="tres-cerros"),
    DemoPerson("affiliate", "Octavio Lara Benítez", "octavio.lara@trespuentes.example", "representative",
               company="tres-puentes"),
    DemoPerson("buyer", "Jimena Robles Cantú", "jimena.robles@canadagrande.example", "buyer", company="canada"),
    DemoPerson("university", "Hugo Villaseñor Peña", "hugo.villasenor@utsemidesierto.example", "representative",
               company="ut-semidesierto"),
    DemoPerson("agency", "Carolina Meza Duarte", "carolina.meza@agencia.example", "partner"),
    DemoPerson("operator", "Ernesto Ayala Ríos", "ernesto.ayala@red.example", "operator"),
    DemoPerson("developer", "Noemí Salgado Prieto", "noemi.salgado@red.example", "developer"),
)  # fmt: skip
REPRESENTATIVES = (
    DemoRepresentative("Lucía Montes Ferrer", "lucia.montes@trescerros.example", "general_manager", ("tres-cerros",),
                       "+52 81 5550 1201", ("directory", "events", "announcements")),
    DemoRepresentative("Raúl Cepeda Nava", "raul.cepeda@trescerros.example", "quality", ("tres-cerros",), None,
                       ("events",)),
    DemoRepresentative("Inés Olmedo Vargas", "ines.olmedo@trescerros.example", "human_resources", ("tres-cerros",)),
    DemoRepresentative("Octavio Lara Benítez", "octavio.lara@trespuentes.example", "sales", ("tres-puentes",),
                       "+52 472 555 0144", ("directory",)),
    DemoRepresentative("Jimena Robles Cantú", "jimena.robles@canadagrande.example", "purchasing", ("canada",), None,
                       ("events", "announcements")),
    DemoRepresentative("Arturo Belmonte Ruiz", "arturo.belmonte@canadagrande.example", "plant", ("canada",)),
    DemoRepresentative("Sofía Arrieta Luna", "sofia.arrieta@despacho.example", "legal_representative",
                       ("penia-alta", "nazas", "nazas-otra"), "+52 81 5550 0399"),
    DemoRepresentative("Marcela Ochoa Reyes", "marcela.ochoa@vallealto.example", "legal_representative",
                       ("valle-alto",)),
    DemoRepresentative("Hugo Villaseñor Peña", "hugo.villasenor@utsemidesierto.example", "main_contact",
                       ("ut-semidesierto",), None, ("directory", "events")),
)  # fmt: skip


async def make(service: Service) -> int:
    """Makes what is missing of the demo, each thing in a transaction of its own. Returns how many things it made."""
    made = 0
    for cluster in CLUSTERS:
        async with service.unit(actor="demo", cause="demo") as unit:
            made += await _cluster(unit, cluster)
    async with service.database.connection() as connection:
        ids = {one.slug: one.id for one in await clusters.page(connection, None, 1000)}
        there = {one.demo for one in await access.demo_people(connection)}
    if there >= {person.card for person in PEOPLE}:
        return made
    companies: dict[str, UUID] = {}
    for company in COMPANIES:
        async with service.unit(actor="demo", cause="demo") as unit:
            companies[company.key] = await _company(unit, company, ids[company.cluster])
            made += 1
    async with service.unit(actor="demo", cause="demo") as unit:
        companies[APPLICANT.key] = await _applicant(unit, ids[APPLICANT.cluster], companies)
        made += 1
    for one in REPRESENTATIVES:
        async with service.unit(actor="demo", cause="demo") as unit:
            await _representative(unit, one, companies)
            made += 1
    for person in PEOPLE:
        async with service.unit(actor="demo", cause="demo") as unit:
            await accounts.invite(
                unit, person.mail, role=person.role, name=person.name, demo=person.card,
                today=day_in(service.settings.network_zone, unit.now),
                cluster=ids[person.cluster] if person.cluster else None,
                organization=companies[person.company] if person.company else None,
            )  # fmt: skip
            made += 1
    return made


async def _cluster(unit: Unit, cluster: DemoCluster) -> int:
    known = await clusters.page(unit.connection, None, 1000)
    if any(one.slug == cluster.slug for one in known):
        return 0
    await cluster_commands.found_cluster(
        unit, name=cluster.name, slug=cluster.slug, country="MX", state=cluster.state, zone="America/Mexico_City",
        since=cluster.since,
    )  # fmt: skip
    return 1


async def _applicant(unit: Unit, cluster: UUID, companies: Mapping[str, UUID]) -> UUID:
    """A company that asks to join, for whom two vouch and whose letter is still to come."""
    await applications.set_requirements(unit, cluster, ASKED)
    id_ = await _registered(unit, APPLICANT)
    membership = await memberships.apply_for_membership(unit, organization_id=id_, cluster_id=cluster)
    for key in VOUCHING:
        await applications.vouch(unit, membership.id, companies[key])
    today = day_in("America/Mexico_City", unit.now)
    for n, (name, source, step) in enumerate(PROSPECTS):
        values = {"name": name, "source": source, "next_step": step, "due": today + timedelta(days=5 * n - 3)}
        await prospects.note_prospect(unit, cluster, values)
    return id_


async def _registered(unit: Unit, company: DemoCompany) -> UUID:
    state = next(one.state for one in CLUSTERS if one.slug == company.cluster)
    organization, _ = await organizations.register_organization(
        unit, legal_name=company.legal_name, trade_name=company.trade_name, type=company.type, country="MX",
        state=state, city=company.city, positions=set(company.positions),
    )  # fmt: skip
    return organization.id


async def _company(unit: Unit, company: DemoCompany, cluster: UUID) -> UUID:
    id_ = await _registered(unit, company)
    state = next(one.state for one in CLUSTERS if one.slug == company.cluster)
    day = company.since
    membership = await memberships.apply_for_membership(
        unit, organization_id=id_, cluster_id=cluster, category=company.category, effective=day - timedelta(days=24)
    )
    membership = await memberships.approve_membership(unit, membership.id, effective=day - timedelta(days=6))
    await memberships.activate_membership(unit, membership.id, announce=False, effective=day)
    if company.does is not None:
        await _describe(unit, id_, company.does, company.city, state)
    return id_


async def _representative(unit: Unit, one: DemoRepresentative, companies: Mapping[str, UUID]) -> None:
    for company in one.companies:
        person = await people.add_representative(
            unit, companies[company], name=one.name, mail=one.mail, role=one.role, phone=one.phone
        )
    for purpose in one.agreed:
        await people.record_consent(unit, person.id, purpose=purpose, given=True, note="Lo dijo al inscribirse")


async def _describe(unit: Unit, organization_id: UUID, does: DemoProfile, city: str, state: str) -> None:
    await profiles.describe_capabilities(
        unit, organization_id, {name: getattr(does, name) for name in
                                ("size", "processes", "sectors", "products", "activities")},
    )  # fmt: skip
    today = day_in("America/Mexico_City", unit.now)
    for standard, days in does.certificates:
        until = today + timedelta(days=days)
        await profiles.record_certificate(
            unit, organization_id, None, standard=standard, body="Certificadora Demo", until=until,
            since=until - timedelta(days=3 * 365),
        )  # fmt: skip
    await profiles.record_site(unit, organization_id, None, name=f"Planta {city}", city=city, state=state)


SEGMENTS: Mapping[str, Mapping[str, str]] = {
    "Universidades": {"type": "university"},
    "Proveedores Tier 1": {"position": "tier1", "standing": "active"},
}
"""Segments of the network that the demo keeps, by name: their filters."""


async def keep_segments(service: Service, today: date) -> dict[str, UUID]:
    """Keeps the segments that are not there, as they hold now. Returns the ids by name."""
    async with service.unit(actor="demo", cause="demo") as unit:
        kept = {one.name: one.id for one in await segments.segments(unit.connection, True, [])}
        for name, filters in SEGMENTS.items():
            if name not in kept:
                kept[name] = (await segment_commands.keep_segment(unit, name, filters, None, today=today)).id
    return kept
