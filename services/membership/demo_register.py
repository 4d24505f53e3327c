"""Takes the invented register over, through the same import and commands that a cluster uses; greets nobody.

Begun again it goes on where it was: what is there is left as it is. Progress counts organisations.
"""

import csv
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from uuid import UUID

from services.membership.clusters import store as clusters
from services.membership.demo import CLUSTERS, COMPANIES
from services.membership.demo_invented import Belonging, Invented, network
from services.membership.importing import import_members
from services.membership.memberships import commands as memberships
from services.membership.memberships import store as belongings
from services.membership.organizations import commands as organizations
from services.membership.organizations import store as register
from services.membership.places import STATES
from services.membership.profiles import commands as profiles
from services.membership.profiles import store as profile_rows
from shared.postgres.pool import Unit
from shared.runtime.service import Service
from shared.runtime.tasks import Words

Advance = Callable[[int], Awaitable[None]]
"""Told that so many organisations more are done."""
KIND = "demo"
TITLE = Words("Cargando demo", "Loading the demo")
AT_ONCE = 20
ORGANIZATIONS = 612
"""Distinct organisations in force, the demo's own companies among them: what progress counts to."""
MEMBERSHIPS = 640
APPLICANTS = (
    ("inyectora-tres-cerros", None, 4),
    ("resortes-llano-quieto", ("Resortes Llano Quieto, S.A. de C.V.", "Resortes Llano Quieto", "Ocotlán"), 2),
)
"""Who asks to join Costa y Agave, for how many days: a company of another cluster, and a new one."""
ASKED_CLUSTER = "costa-y-agave"

_HEADERS = ("Razón social", "Nombre comercial", "RFC", "Tipo", "Posición", "Categoría", "Ciudad", "Estado",
            "Fecha de ingreso",
            "Representante", "Correo")  # fmt: skip
_STATE_OF = {one.slug: STATES[one.state] for one in CLUSTERS}
_TYPES = {"company": "Empresa", "university": "Universidad", "research_centre": "Centro de investigación",
          "government": "Gobierno", "association": "Asociación"}  # fmt: skip
_POSITIONS = {"oem": "Armadora", "tier1": "Tier 1", "tier2": "Tier 2", "tier3": "Tier 3", "service": "Servicio",
              "raw_material": "Materia prima"}  # fmt: skip
_CATEGORIES = {"associate": "Asociado", "affiliate": "Afiliado", "honorary": "Honorario"}


def invented(today: date) -> list[Invented]:
    """The network as of a day, without the demo's own companies."""
    taken: dict[str, int] = {}
    kinds: dict[str | None, int] = {}
    for one in COMPANIES:
        taken[one.cluster] = taken.get(one.cluster, 0) + 1
        kind = one.positions[0] if one.positions else one.type
        kinds[kind] = kinds.get(kind, 0) + 1
    return network(today, founded={one.slug: one.since for one in CLUSTERS}, taken=taken, kinds_taken=kinds)


async def take_over(service: Service, today: date, advance: Advance) -> None:
    """The registers of all clusters, one file each, then what each can do, then what has happened since."""
    found = invented(today)
    await advance(len(COMPANIES))
    for slug in (one.slug for one in CLUSTERS):
        here = [(one, held) for one in found for held in one.belongs if held.cluster == slug]
        here.sort(key=lambda pair: pair[0].home != slug)
        done = await import_members(
            service.database, _sheet(here), cluster=slug, announce=False, actor="demo", clock=service.clock
        )
        if refused := [row for row in done.rows if row.outcome == "refused"]:
            raise ValueError(f"{slug}: {refused[0].name}: {', '.join(refused[0].reasons)}")
        await advance(sum(one.home == slug and one.belongs[0].until is None for one, _ in here))
    ids = await _ids(service, found)
    for some in _portions(found, AT_ONCE):
        async with service.unit(actor="demo", cause="demo") as unit:
            for one in some:
                await _describe(unit, ids[one.tax_number], one, today)
    for some in _portions([one for one in found if _moved(one)], AT_ONCE):
        async with service.unit(actor="demo", cause="demo") as unit:
            for one in some:
                await _move(unit, ids[one.tax_number], one)
    async with service.unit(actor="demo", cause="demo") as unit:
        await _applicants(unit, today)


def _sheet(rows: Iterable[tuple[Invented, Belonging]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADERS)
    for one, held in rows:
        contact = (one.contact, one.mail) if one.mail else ("", "")
        writer.writerow(
            (one.legal_name, one.trade_name, one.tax_number, _TYPES[one.type],
             " / ".join(_POSITIONS[position] for position in one.positions),
             _CATEGORIES[held.was or held.category], one.city, _STATE_OF[one.home],
             held.since.isoformat(), *contact)
        )  # fmt: skip
    return text.getvalue().encode()


async def _ids(service: Service, found: Sequence[Invented]) -> Mapping[str, UUID]:
    async with service.database.connection() as connection:
        known = await register.candidates(connection, [("MX", one.tax_number) for one in found], [])
        return {one.tax_number: one.id for one in known if one.tax_number is not None}


async def _describe(unit: Unit, id_: UUID, one: Invented, today: date) -> None:
    if (await profile_rows.load(unit.connection, [id_]))[id_].version:
        return  # a start before was broken off behind this one
    values = {"size": one.size, "processes": one.processes, "sectors": one.sectors}
    await profiles.describe_capabilities(unit, id_, values)
    for standard, days in one.ends_in:
        until = today + timedelta(days=days)
        await profiles.record_certificate(
            unit, id_, None, standard=standard, body="Certificadora Demo", since=until - timedelta(days=3 * 365),
            until=until,
        )  # fmt: skip


def _moved(one: Invented) -> bool:
    return any(held.until or held.changed for held in one.belongs)


async def _move(unit: Unit, id_: UUID, one: Invented) -> None:
    held = one.belongs[0]
    cluster = await clusters.by_slug(unit.connection, held.cluster)
    assert cluster is not None
    for membership in await belongings.lock_pairs(unit.connection, cluster.id, [id_]):
        if membership.standing != "active":
            continue
        if held.changed is not None and membership.category != held.category:
            await memberships.change_category(
                unit, membership.id, category=held.category, effective=held.changed, note="Así lo pidió la empresa"
            )
        if held.until is not None:
            await memberships.resign_membership(
                unit, membership.id, effective=held.until, note="Cerró la planta o cambió de estado"
            )


async def _applicants(unit: Unit, today: date) -> None:
    cluster = await clusters.by_slug(unit.connection, ASKED_CLUSTER)
    assert cluster is not None
    for slug, new, days in APPLICANTS:
        id_ = await register.id_of_slug(unit.connection, slug)
        if id_ is None:
            assert new is not None, slug
            legal, trade, city = new
            organization, _ = await organizations.register_organization(
                unit, legal_name=legal, trade_name=trade, type="company", country="MX", state=cluster.state,
                city=city, positions={"tier3"},
            )  # fmt: skip
            id_ = organization.id
        if not await belongings.lock_pairs(unit.connection, cluster.id, [id_]):
            await memberships.apply_for_membership(
                unit, organization_id=id_, cluster_id=cluster.id, effective=today - timedelta(days=days)
            )


def _portions(found: Sequence[Invented], size: int) -> Iterable[list[Invented]]:
    rest = iter(found)
    while some := list(islice(rest, size)):
        yield some
