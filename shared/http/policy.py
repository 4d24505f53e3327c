"""What a role may do: data in one file per service, asked by every route through `May(action)`.

A policy maps an action to the roles that may do it and how far each reaches: everywhere, or over its own
cluster or organisation only. What is not in it is allowed to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, TypeAlias, get_args
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from shared.contracts.membership import Role
from shared.http.identity import COOKIE, NotSignedIn, Viewer, viewer_of
from shared.refusal import Refusal
from shared.runtime.service import Service

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NETWORK_ROLES: tuple[Role, ...] = ("coordinator", "assistant", "board_member", "treasurer")
CLUSTER_ROLES: tuple[Role, ...] = ("cluster_director", "cluster_president", "cluster_staff")
ORGANIZATION_ROLES: tuple[Role, ...] = ("representative", "buyer")
HAS_PARKED = "SELECT EXISTS (SELECT FROM parked WHERE consumer = $1)"


class Reach(StrEnum):
    """How far a role reaches in an action: everything, or what belongs to the scope of its grant."""

    ALL = "all"
    OWN = "own"


Span: TypeAlias = tuple[bool, list[UUID], list[UUID]]
"""A reach as three SQL parameters: everything, clusters, organisations."""
WHOLE: Span = (True, [], [])
Policy: TypeAlias = Mapping[str, Mapping[Role, Reach]]


def everywhere(*roles: Role) -> dict[Role, Reach]:
    """These roles reach everything."""
    return dict.fromkeys(roles, Reach.ALL)


def within(*roles: Role) -> dict[Role, Reach]:
    """These roles reach what belongs to their own cluster or organisation."""
    return dict.fromkeys(roles, Reach.OWN)


COMMON: Policy = {
    "feed.read": within("service"),
    "operations.read": everywhere("coordinator", "assistant", "operator", "developer"),
    "operations.records": everywhere("operator"),
    "operations.settle": everywhere("operator"),
    "tasks.own": everywhere(*get_args(Role)),
    "tasks.all": everywhere(*NETWORK_ROLES),
}
"""What holds for the routes that every service has; a service's own policy goes before it.

What was set aside may hold names and addresses (`operations.records`); how the bus does holds none.
"""


class UnknownParameter(Refusal):
    """A parameter that the route does not know; passed over, a list would seem filtered or sorted that is not."""


class NotYours(Refusal):
    """The caller's role does not allow it, or not there. `roles` are those that may."""

    status = 403

    def __init__(self, template: str, *, roles: tuple[Role, ...] = (), **more: Any) -> None:
        super().__init__(template, **more)
        self.roles = roles

    @property
    def members(self) -> dict[str, Any]:
        """The roles that may, so that the caller knows whom to ask."""
        return {"roles": list(self.roles)} if self.roles else {}


class FromElsewhere(Refusal):
    """A page of another origin sent this with the visitor's cookie."""

    status = 403


class RolesNotCurrent(Refusal):
    """The copy of roles lags or has set records aside: nothing is changed on the word of old roles."""

    status = 503


@dataclass(frozen=True, slots=True)
class Allowed:
    """A caller who may do `action`, and over what: everything, or these clusters and organisations."""

    viewer: Viewer
    action: str
    everything: bool
    clusters: frozenset[UUID] = field(default_factory=frozenset)
    organizations: frozenset[UUID] = field(default_factory=frozenset)

    @property
    def actor(self) -> str:
        """Who acts, as facts and change logs name them."""
        return self.viewer.actor

    def covers(self, *, cluster: UUID | None = None, organization: UUID | None = None) -> bool:
        """Whether what belongs to this cluster, or to this organisation, lies within reach."""
        return self.everything or cluster in self.clusters or organization in self.organizations

    def require(self, *, cluster: UUID | None = None, organization: UUID | None = None) -> None:
        """Raises `NotYours` when what belongs to them lies out of reach."""
        if not self.covers(cluster=cluster, organization=organization):
            raise NotYours("this belongs to another cluster or organisation")

    def span(self) -> Span:
        """The reach as SQL parameters."""
        return self.everything, sorted(self.clusters), sorted(self.organizations)


def allowed(policy: Policy, action: str, viewer: Viewer) -> Allowed:
    """What the viewer's roles together reach in this action. Raises `NotYours` when none has it."""
    if viewer.kind == "installation":
        return Allowed(viewer, action, everything=True)
    roles = policy.get(action) or COMMON.get(action, {})
    clusters: set[UUID] = set()
    organizations: set[UUID] = set()
    everything = False
    for held in viewer.held:
        reach = roles.get(held.role)
        if reach is None:
            continue
        if reach is Reach.ALL or held.scope == "network":
            everything = True
        elif held.id is not None:
            (clusters if held.scope == "cluster" else organizations).add(held.id)
    if not (everything or clusters or organizations):
        raise NotYours("your role does not allow this", roles=tuple(sorted(roles)))
    return Allowed(viewer, action, everything, frozenset(clusters), frozenset(organizations))


def service_of(request: Request) -> Service:
    """The running service behind a request. Raises 503 before it has started."""
    service: Service | None = getattr(request.app.state, "service", None)
    if service is None:
        raise HTTPException(503, "the service is starting")
    return service


Serving = Annotated[Service, Depends(service_of)]
_bearer = HTTPBearer(auto_error=False, description="a program's token, or the installation's as `cumulo status` tells")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="the session of somebody who signed in")


async def _viewer(
    request: Request,
    service: Serving,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Viewer | None:
    viewer = await viewer_of(service, bearer=bearer.credentials if bearer else None, cookie=cookie)
    if viewer is not None:
        request.state.viewer = viewer
        if viewer.by_cookie and request.method not in SAFE:
            check_same_origin(request)
    return viewer


async def present(viewer: Annotated[Viewer | None, Depends(_viewer)]) -> Viewer:
    """Whoever calls. Raises `NotSignedIn` when nobody does."""
    if viewer is None:
        raise NotSignedIn("sign in, or send a bearer token")
    return viewer


MaybeViewing = Annotated[Viewer | None, Depends(_viewer)]
"""Whoever calls; None when nobody is signed in. For pages that everybody may open."""
Viewing = Annotated[Viewer, Depends(present)]
"""Whoever calls, with whatever role. Raises 401 when nobody is signed in."""


def check_same_origin(request: Request) -> None:
    """Raises `FromElsewhere` unless a browser says that a page of ours sends this. For what a cookie opens."""
    if not is_from_here(request):
        raise FromElsewhere("this was sent from a page of another site; open the page here and send it again")


def check_not_from_elsewhere(request: Request) -> None:
    """Raises `FromElsewhere` when a browser says that another site sends this. For what needs no cookie."""
    if is_from_here(request) is False:
        raise FromElsewhere("this was sent from a page of another site; open the page here and send it again")


def is_from_here(request: Request) -> bool | None:
    """Whether a page of ours sends this, as the browser says; None when nothing says so (no browser)."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := request.headers.get("origin")) is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return None


class Permission:
    """The dependency behind `May`: `action` is what a route asks of the policy."""

    def __init__(self, action: str) -> None:
        self.action = action

    async def __call__(self, request: Request, service: Serving, viewer: Viewing) -> Allowed:
        found = allowed(service.definition.policy, self.action, viewer)
        if request.method not in SAFE and viewer.kind != "installation":
            await _check_current(service)
        _check_parameters(request)
        return found


def _check_parameters(request: Request) -> None:
    unknown, known = getattr(request.state, "unknown", ((), ()))
    if not unknown:
        return
    if not known:
        raise UnknownParameter("{name}: there is no such parameter here, and no other", name=unknown[0],
                               field=unknown[0])  # fmt: skip
    raise UnknownParameter("{name}: there is no such parameter here; there are {known}", name=unknown[0],
                           known=", ".join(known), field=unknown[0])  # fmt: skip


def May(action: str) -> Any:  # noqa: N802  # reads as a type: Annotated[Allowed, May("memberships.approve")]
    """Asks the service's policy for this action. Raises 401, `NotYours`, `RolesNotCurrent`."""
    return Depends(Permission(action))


class Glimpse(Permission):
    """The dependency behind `Sees`: what is out of reach is left out of the answer instead of refused."""

    async def __call__(self, request: Request, service: Serving, viewer: Viewing) -> Allowed:
        try:
            return allowed(service.definition.policy, self.action, viewer)
        except NotYours:
            return Allowed(viewer, self.action, everything=False)


def Sees(action: str) -> Any:  # noqa: N802
    """What of a row the caller sees: `Allowed` that covers nothing when the role has not this action."""
    return Depends(Glimpse(action))


async def _check_current(service: Service) -> None:
    name = f"{service.name}.access"
    consumer = next((one for one in service.consumers if one.name == name), None)
    if consumer is None:
        return
    stale = consumer.not_ready() is not None
    if not stale:
        async with service.database.connection() as connection:
            stale = bool(await connection.fetchval(HAS_PARKED, name))
    if stale:
        raise RolesNotCurrent("the roles known here may be out of date; nothing was changed, try again in a moment")
