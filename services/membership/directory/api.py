"""The directory over HTTP: companies by words and facets, and the counts beside the facets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.membership.directory import views
from services.membership.directory.domain import Asked, Facet
from shared.contracts.membership import ChainPosition, OrganizationType, Size
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in

router = APIRouter(prefix="/membership/directory", tags=["directory"], route_class=Route)

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
SlugOf = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
StateOf = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,3}$")]
Several = Query(max_length=40)


def asked(
    q: Annotated[OptionalLine, Query(description="words of names, processes, products, places, in either language")]
    = None,
    process: Annotated[list[Code], Several] = [],  # noqa: B006  # FastAPI copies them
    standard: Annotated[list[Code], Several] = [],  # noqa: B006
    sector: Annotated[list[Code], Several] = [],  # noqa: B006
    position: Annotated[list[ChainPosition], Several] = [],  # noqa: B006
    type: Annotated[list[OrganizationType], Several] = [],  # noqa: A002, B006
    size: Annotated[list[Size], Several] = [],  # noqa: B006
    state: Annotated[list[StateOf], Several] = [],  # noqa: B006
    cluster: Annotated[list[SlugOf], Several] = [],  # noqa: B006
) -> Asked:  # fmt: skip
    """What an address asks of the directory."""
    return Asked(q, tuple(process), tuple(standard), tuple(sector), tuple(position), tuple(type), tuple(size),
                 tuple(state), tuple(cluster))  # fmt: skip


class CompanyView(BaseModel):
    """A company as the whole network sees it. `standards` are those whose certificates count today."""

    id: UUID
    slug: str
    trade_name: str
    legal_name: str
    type: OrganizationType
    country: str
    state: str | None
    city: str | None
    clusters: list[str]
    positions: list[ChainPosition]
    processes: list[str]
    sectors: list[str]
    products: list[str]
    standards: list[str]
    size: Size | None


class DirectoryPage(BaseModel):
    """Companies by name. `facets` says how many there would be with each value, all other facets as they are."""

    items: list[CompanyView]
    total: int
    facets: Annotated[dict[Facet, dict[str, int]], Field(examples=[{"process": {"stamping": 12, "tooling": 3}}])]
    next: str | None


@router.get("", summary="Companies by words and facets", operation_id="search_directory")
async def directory(
    service: Serving, _reader: Annotated[Allowed, May("organizations.read")], wanted: Annotated[Asked, Depends(asked)],
    after: Annotated[str | None, Query(pattern=r"^[^\x00]{0,700}$", description="cursor: `next` of the page before")]
    = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> DirectoryPage:  # fmt: skip
    today = day_in(service.settings.network_zone, service.clock())
    key, _, id_ = (after or "").rpartition(" ")
    async with service.database.connection() as connection:
        counted = await views.counts(connection, wanted, today, "network")
        found = await views.rows(connection, wanted, today, "network", after=(key, id_) if after else None,
                                 limit=limit + 1)  # fmt: skip
    items = [
        CompanyView(
            id=row["id"], slug=row["slug"], trade_name=row["trade_name"], legal_name=row["legal_name"],
            type=row["type"], country=row["country"], state=row["state"], city=row["city"], clusters=row["names"],
            positions=row["positions"], processes=row["processes"], sectors=row["sectors"], products=row["products"],
            standards=row["standards"], size=row["size"],
        )
        for row in found[:limit]
    ]  # fmt: skip
    last = found[limit - 1] if len(found) > limit else None
    return DirectoryPage(
        items=items, total=counted.total, facets={facet: dict(values) for facet, values in counted.facets.items()},
        next=f"{last['sort_key']} {last['id']}" if last else None,
    )  # fmt: skip
