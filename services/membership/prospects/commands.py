"""Use cases of prospects: note one, say what comes next, have it apply, give it up.

Never opens, commits or reads a clock.
"""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat as uuid_utils
from pydantic import BaseModel, BeforeValidator, ConfigDict

from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.decisions import Decided
from services.membership.memberships import commands as memberships
from services.membership.organizations import commands as organizations
from services.membership.prospects import domain, store
from services.membership.prospects.domain import NoSuchProspect, Prospect
from services.membership.recording import Logged, log_changes
from shared.contracts.membership import ProspectSource
from shared.http.inputs import Day, Line, Mail, OptionalLine
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Unit
from shared.postgres.values import day_in


def _blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class ProspectChange(BaseModel):
    """A company that may join, whom one speaks with there, and what comes next until when."""

    model_config = ConfigDict(extra="forbid")

    name: Line
    source: ProspectSource = "other"
    city: OptionalLine = None
    contact_name: OptionalLine = None
    contact_mail: Annotated[Mail | None, BeforeValidator(_blank)] = None
    contact_phone: OptionalLine = None
    next_step: OptionalLine = None
    due: Annotated[Day | None, BeforeValidator(_blank)] = None


async def note_prospect(unit: Unit, cluster_id: UUID, values: Mapping[str, Any]) -> Prospect:
    """A company that may join a cluster. Raises `NoSuchCluster`."""
    found = await clusters.load(unit.connection, [cluster_id])
    if not found:
        raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
    made, facts = domain.noted(uuid_utils.uuid7(), cluster_id, values, day_in(found[0].zone, unit.now))
    await store.insert(unit.connection, made)
    await _record(unit, made, facts)
    return made


async def describe_prospect(unit: Unit, prospect_id: UUID, values: Mapping[str, Any]) -> Prospect:
    """Other values; what comes next. Raises `NoSuchProspect`, `NotOpen`."""
    before, _ = await _locked(unit, prospect_id)
    after = domain.described(before, values)
    await store.update(unit.connection, after)
    return after


async def apply_as_prospect(unit: Unit, prospect_id: UUID) -> Prospect:
    """It applies: the company is registered and its application handed in. Raises `NoSuchProspect`, `NotOpen`."""
    before, zone = await _locked(unit, prospect_id)
    before.require_open()
    [cluster] = await clusters.load(unit.connection, [before.cluster_id])
    organization, _ = await organizations.register_organization(
        unit, legal_name=before.name, city=before.city, country=cluster.country, state=cluster.state
    )
    await memberships.apply_for_membership(unit, organization_id=organization.id, cluster_id=before.cluster_id)
    after, facts = domain.applied(before, organization.id, day_in(zone, unit.now))
    await store.update(unit.connection, after)
    await _record(unit, after, facts)
    return after


async def lose_prospect(unit: Unit, prospect_id: UUID, reason: str) -> Prospect:
    """It does not join. Raises `NoSuchProspect`, `NotOpen`."""
    before, zone = await _locked(unit, prospect_id)
    after, facts = domain.lost(before, reason, day_in(zone, unit.now))
    await store.update(unit.connection, after)
    await log_changes(unit, [Logged("prospect", after.id, after.version, reason, {"state": ("open", "lost")})])
    await _record(unit, after, facts)
    return after


async def _locked(unit: Unit, prospect_id: UUID) -> tuple[Prospect, str]:
    found = await store.lock(unit.connection, prospect_id)
    if found is None:
        raise NoSuchProspect("there is no prospect {id}", id=prospect_id, field="prospect_id")
    [cluster] = await clusters.load(unit.connection, [found.cluster_id])
    return found, cluster.zone


async def _record(unit: Unit, prospect: Prospect, facts: list[Decided]) -> None:
    await record(unit, [Record(str(prospect.id), prospect.version, one.fact, one.effective) for one in facts])
