"""Clusters over HTTP: parse, call one command or one read, answer."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.membership.clusters import commands, store
from services.membership.clusters.domain import Cluster, Language, NoSuchCluster
from services.membership.edges import After, ExpectedVersion, Limit, Page, tagged
from shared.http.edge import unit_of
from shared.http.inputs import Country, Day, Line, OptionalLine, Slug, Unfit
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/membership/clusters", tags=["clusters"], route_class=Route)

Reader = Annotated[Allowed, May("clusters.read")]
Manager = Annotated[Allowed, May("clusters.manage")]


def _short(text: str) -> str:
    if len(text) > 64:
        raise Unfit("has more than {most} characters", most=64)
    return text


class NewCluster(BaseModel):
    """What founding a cluster takes. `state` is a name or an ISO 3166-2 code without the country."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Line, Field(examples=["Automotriz de Nuevo León"])]
    slug: Slug
    state: Line
    country: Country = "MX"
    zone: Annotated[Line, AfterValidator(_short)] = "America/Mexico_City"
    language: Language = "es"
    since: Day | None = None
    network: Slug = commands.DEFAULT_NETWORK


class Move(BaseModel):
    """Joining or leaving the network: from which day, and why."""

    model_config = ConfigDict(extra="forbid")

    effective: Day | None = None
    note: OptionalLine = None


class ClusterView(BaseModel):
    """A cluster as it is answered."""

    id: UUID
    network_id: UUID
    slug: str
    name: Annotated[str, Field(examples=["Automotriz de Nuevo León"])]
    country: str
    state: str
    zone: str
    language: Language
    in_network_since: date | None
    in_network_until: date | None
    version: int


def _view(cluster: Cluster) -> ClusterView:
    last = cluster.stays[-1] if cluster.stays else None
    return ClusterView(
        id=cluster.id, network_id=cluster.network_id, slug=cluster.slug, name=cluster.name, country=cluster.country,
        state=cluster.state, zone=cluster.zone, language=cluster.language,
        in_network_since=last.since if last else None, in_network_until=last.until if last else None,
        version=cluster.version,
    )  # fmt: skip


@router.post("", status_code=201, summary="Found a cluster")
async def found(request: Request, response: Response, caller: Manager, body: NewCluster) -> ClusterView:
    async with unit_of(request, caller.actor) as unit:
        cluster = await commands.found_cluster(unit, **body.model_dump())
    tagged(response, cluster.version)
    return _view(cluster)


@router.get("", summary="Clusters, a page at a time")
async def clusters(
    service: Serving, reader: Reader, after: After = None, limit: Limit = 100,
    as_of: Annotated[Day | None, Query(description="only those that belonged to the network on this day")] = None,
) -> Page[ClusterView]:  # fmt: skip
    async with service.database.connection() as connection:
        rows = await store.page(connection, after, limit + 1, on=as_of)
    return Page(items=[_view(row) for row in rows[:limit]], next=rows[limit - 1].id if len(rows) > limit else None)


@router.get("/{cluster_id}", summary="One cluster")
async def cluster(service: Serving, response: Response, reader: Reader, cluster_id: UUID) -> ClusterView:
    async with service.database.connection() as connection:
        rows = await store.load(connection, [cluster_id])
    if not rows:
        raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
    tagged(response, rows[0].version)
    return _view(rows[0])


@router.post("/{cluster_id}/join", summary="The cluster joins the network", operation_id="join_network")
async def join(
    request: Request, response: Response, caller: Manager, cluster_id: UUID, expected: ExpectedVersion, body: Move
) -> ClusterView:
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.join_network(
            unit, cluster_id, effective=body.effective, note=body.note, expected=expected
        )
    tagged(response, changed.version)
    return _view(changed)


@router.post("/{cluster_id}/leave", summary="The cluster leaves the network", operation_id="leave_network")
async def leave(
    request: Request, response: Response, caller: Manager, cluster_id: UUID, expected: ExpectedVersion, body: Move
) -> ClusterView:
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.leave_network(
            unit, cluster_id, effective=body.effective, note=body.note, expected=expected
        )
    tagged(response, changed.version)
    return _view(changed)
