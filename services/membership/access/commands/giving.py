"""How far a caller may give roles: everybody's by the network, staff and representatives by a cluster's director.

What the caller may only prepare waits for another; a program's token never carries a person's role.
"""

from dataclasses import replace
from typing import Literal
from uuid import UUID

from services.membership.access import store
from services.membership.access.domain import BY_A_DIRECTOR, SCOPES, Grant
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.organizations import store as organization_store
from services.membership.organizations import views as organizations
from services.membership.organizations.domain import NoSuchOrganization
from shared.contracts.membership import Role
from shared.http.policy import Allowed, NotYours
from shared.messaging.outbox import record
from shared.postgres.pool import Connection, Unit

TokenRole = Literal["service", "partner"]


async def require_giving(
    connection: Connection, caller: Allowed, role: Role, cluster: UUID | None, organization: UUID | None
) -> None:
    """Raises `NotYours` when the caller does not give this role over this scope."""
    if caller.everything:
        return
    if role not in BY_A_DIRECTOR:
        raise NotYours("this role is given by the network", roles=("coordinator",), field="role")
    if SCOPES[role] == "cluster" and cluster is not None:
        caller.require(cluster=cluster)
    elif organization is not None:
        await organizations.require(connection, caller, organization)


async def may_release(
    connection: Connection, releasing: Allowed, role: Role, cluster: UUID | None, organization: UUID | None
) -> bool:
    """Whether the caller need not ask another."""
    try:
        await require_giving(connection, releasing, role, cluster, organization)
    except NotYours:
        return False
    return releasing.everything or bool(releasing.clusters)


async def carry_over(unit: Unit, from_id: UUID, to_id: UUID) -> None:
    """Who may act for one organisation may act for another on the same days: the two are one."""
    for account in await store.lock(unit.connection, await store.holders(unit.connection, from_id)):
        kept: list[Grant] = []
        for grant in account.grants:
            moved = replace(grant, scope_id=to_id) if grant.scope_id == from_id else grant
            beside = next((n for n, one in enumerate(kept) if _touch(one, moved)), None)
            if beside is None:
                kept.append(moved)
            else:
                ends = {kept[beside].until, moved.until}
                kept[beside] = replace(kept[beside], since=min(kept[beside].since, moved.since),
                                       until=None if None in ends else max(end for end in ends if end))  # fmt: skip
        after = replace(account, grants=tuple(kept), version=account.version + 1)
        await store.update(unit.connection, after)
        await record(unit, [store.access_record(after)])


def _touch(one: Grant, other: Grant) -> bool:
    """Whether two grants are of one role over one scope on common days."""
    same = (one.role, one.scope, one.scope_id) == (other.role, other.scope, other.scope_id)
    return same and (one.until is None or other.since < one.until) and (other.until is None or one.since < other.until)


async def require_known_scope(connection: Connection, cluster: UUID | None, organization: UUID | None) -> None:
    """Raises `NoSuchCluster` or `NoSuchOrganization` when a role would be given over nothing."""
    if cluster is not None and not await clusters.load(connection, [cluster]):
        raise NoSuchCluster("there is no cluster {id}", id=cluster, field="cluster_id")
    if organization is not None and not await organization_store.existing(connection, [organization]):
        raise NoSuchOrganization("there is no organisation {id}", id=organization, field="organization_id")
