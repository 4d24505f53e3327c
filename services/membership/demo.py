"""The demo's clusters, a few of its organisations and its people, made through the public commands.

All names are invented. Run again it changes nothing: what is there stays.
"""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.membership.access import store as access
from services.membership.access.commands import accounts
from services.membership.clusters import commands as cluster_commands
from services.membership.clusters import store as clusters
from services.membership.memberships import commands as memberships
from services.membership.organizations import commands as organizations
from shared.contracts.membership import Category, ChainPosition, OrganizationType, Role
from shared.postgres.pool import Unit
from shared.postgres.values import day_in
from shared.runtime.service import Service


class DemoCluster(NamedTuple):
    """A cluster of the demo."""

    name: str
    slug: str
    state: str
    since: date


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


class DemoPerson(NamedTuple):
    """A person of the demo. `card` names what the door says they can try."""

    card: str
    name: str
    mail: str
    role: Role
    cluster: str | None = None
    company: str | None = None


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
                "regiomontano-norte", "associate", "Apodaca"),
    DemoCompany("penia-alta", "Troquelados Peña Alta, S.A. de C.V.", "Troquelados Peña Alta", "company", ("tier1",),
                "regiomontano-norte", "associate", "Santa Catarina"),
    DemoCompany("tres-puentes", "Logística Tres Puentes, S. de R.L.", "Logística Tres Puentes", "company",
                ("service",), "bajio-guanajuatense", "affiliate", "Silao"),
    DemoCompany("nazas", "Arneses del Nazas, S.A. de C.V.", "Arneses del Nazas", "company", ("tier1", "tier2"),
                "comarca-del-nazas", "associate", "Gómez Palacio"),
    DemoCompany("canada", "Armadora Cañada Grande, S.A. de C.V.", "Armadora Cañada Grande", "company", ("oem",),
                "bajio-guanajuatense", "associate", "Irapuato"),
    DemoCompany("ut-semidesierto", "Universidad Tecnológica del Semidesierto", "UT del Semidesierto", "university", (),
                "semidesierto", "affiliate", "Querétaro"),
    DemoCompany("ocotillo", "Maquinados Ocotillo, S.A. de C.V.", "Maquinados Ocotillo", "company", ("tier2", "tier3"),
                "costa-y-agave", "associate", "Tlajomulco"),
)  # fmt: skip
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


async def _company(unit: Unit, company: DemoCompany, cluster: UUID) -> UUID:
    state = next(one.state for one in CLUSTERS if one.slug == company.cluster)
    organization, _ = await organizations.register_organization(
        unit, legal_name=company.legal_name, trade_name=company.trade_name, type=company.type, country="MX",
        state=state, city=company.city, positions=set(company.positions),
    )  # fmt: skip
    membership = await memberships.apply_for_membership(
        unit, organization_id=organization.id, cluster_id=cluster, category=company.category
    )
    membership = await memberships.approve_membership(unit, membership.id)
    await memberships.activate_membership(unit, membership.id, announce=False)
    return organization.id
