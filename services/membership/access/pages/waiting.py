"""What was prepared and waits for another to release it, as Inicio and the page of people show it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.membership.access import views
from services.membership.access.commands import giving, prepared
from services.membership.access.commands.inviting import Invitation
from services.membership.access.pages.parts import over, reaches, who
from shared.http.identity import Viewer
from shared.http.policy import Allowed, NotYours, allowed
from shared.postgres.pool import Connection
from shared.runtime.service import Service
from shared.web.language import Language
from shared.web.navigation import ROLE_WORDS

MOST = 100
"""So many are shown, the oldest first."""


class Waiting(NamedTuple):
    """An invitation that waits: for whom, as what over what, by whom since when, and what the viewer may do."""

    id: UUID
    name: str
    mail: str
    role: str
    over: str
    by: str
    at: datetime
    own: bool
    may_release: bool
    may_drop: bool


async def waiting(connection: Connection, preparing: Allowed, releasing: Allowed, said: Language) -> list[Waiting]:
    """What waits within the reach of who prepares, the oldest first."""
    found = [
        (one, Invitation.model_validate(one.payload))
        for one in await prepared.waiting(connection, preparing, None, MOST)
    ]
    names = await views.named(
        connection,
        clusters_={asked.cluster_id for _, asked in found if asked.cluster_id},
        organizations_={asked.organization_id for _, asked in found if asked.organization_id},
    )
    called = await views.actors(connection, {one.prepared_by for one, _ in found})
    made = []
    for one, asked in found:
        own = one.prepared_by == preparing.actor
        scope = (asked.role, asked.cluster_id, asked.organization_id)
        made.append(
            Waiting(
                one.id, asked.name or asked.mail.partition("@")[0], asked.mail, said(ROLE_WORDS[asked.role]),
                over(said, asked.cluster_id or asked.organization_id, names),
                who(said, one.prepared_by, called), one.prepared_at, own,
                not own and await giving.may_release(connection, releasing, *scope),
                own or await _gives(connection, preparing, asked),
            )
        )  # fmt: skip
    return made


async def _gives(connection: Connection, caller: Allowed, asked: Invitation) -> bool:
    try:
        await giving.require_giving(connection, caller, asked.role, asked.cluster_id, asked.organization_id)
    except NotYours:
        return False
    return True


async def releasable(service: Service, viewer: Viewer, said: Language) -> list[Waiting]:
    """What the viewer may release, the oldest first; empty for who releases nothing."""
    policy = service.definition.policy
    try:
        preparing, releasing = (allowed(policy, action, viewer) for action in ("access.prepare", "access.release"))
    except NotYours:
        return []
    if not reaches(releasing):
        return []
    async with service.database.connection() as connection:
        return [one for one in await waiting(connection, preparing, releasing, said) if one.may_release]
