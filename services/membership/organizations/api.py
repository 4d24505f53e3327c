"""Organisations over HTTP: parse, call one command or one read, answer."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.membership.edges import After, Limit, Meant, NeededVersion, Page, tagged
from services.membership.organizations import commands, store, views
from services.membership.organizations.domain import NoSuchOrganization, Organization
from shared.contracts.membership import Category, ChainPosition, OrganizationType, Standing
from shared.http.edge import unit_of
from shared.http.inputs import Country, Day, Line, OptionalLine, Unfit
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in

router = APIRouter(prefix="/membership/organizations", tags=["organizations"], route_class=Route)

listing = APIRouter(prefix="/membership/register", tags=["organizations"], route_class=Route)

Positions = Annotated[set[ChainPosition], Field(max_length=6)]
Reader = Annotated[Allowed, May("organizations.read")]
Private = Annotated[Allowed, Sees("organizations.private")]
State = Annotated[str | None, Query(pattern=r"^[A-Z0-9]{1,3}$")]


class NewOrganization(BaseModel):
    """What registering takes. `state` is a name or an ISO 3166-2 code without the country."""

    model_config = ConfigDict(extra="forbid")

    legal_name: Line
    trade_name: OptionalLine = None
    type: OrganizationType = "company"
    country: Country = "MX"
    state: OptionalLine = None
    city: OptionalLine = None
    tax_number: OptionalLine = None
    positions: Positions = set()
    effective: Day | None = None


class OrganizationChange(BaseModel):
    """New values of some fields; what is not named stays as it is. `note` says why."""

    model_config = ConfigDict(extra="forbid")

    legal_name: Line | None = None
    trade_name: Line | None = None
    type: OrganizationType | None = None
    country: Country | None = None
    state: OptionalLine = None
    city: OptionalLine = None
    tax_number: OptionalLine = None
    positions: Positions | None = None
    effective: Day | None = None
    note: OptionalLine = None

    @model_validator(mode="after")
    def _not_emptied(self) -> "OrganizationChange":
        for name in ("legal_name", "trade_name", "type", "country", "positions"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise Unfit("{name} cannot be empty", name=name)
        return self

    def values(self) -> dict[str, Any]:
        """The fields of the profile that were named."""
        return {
            name: getattr(self, name)
            for name in ("legal_name", "trade_name", "type", "country", "state", "city", "tax_number")
            if name in self.model_fields_set
        }


class PositionView(BaseModel):
    """A position in the chain; `until` is the first day without it."""

    position: ChainPosition
    since: date
    until: date | None


class OrganizationView(BaseModel):
    """An organisation as it is answered; `warnings` stand only in the answer to what caused them."""

    id: UUID
    slug: Annotated[str, Field(examples=["troquelados-del-bravo"])]
    legal_name: str
    trade_name: str
    type: OrganizationType
    country: str
    state: str | None
    city: str | None
    tax_number: str | None
    positions: list[PositionView]
    version: int
    warnings: list[str] = []


def _view(organization: Organization, warnings: tuple[str, ...] = (), *, private: bool = True) -> OrganizationView:
    """`private` shows what is for the organisation, its clusters and the network only."""
    return OrganizationView(
        id=organization.id, slug=organization.slug, legal_name=organization.legal_name,
        trade_name=organization.trade_name, type=organization.type, country=organization.country,
        state=organization.state, city=organization.city,
        tax_number=organization.tax_number if private else None,
        positions=[PositionView(position=p.position, since=p.since, until=p.until) for p in organization.positions],
        version=organization.version, warnings=list(warnings),
    )  # fmt: skip


@router.post("", status_code=201, summary="Register an organisation")
async def register(
    request: Request,
    response: Response,
    caller: Annotated[Allowed, May("organizations.register")],
    body: NewOrganization,
) -> OrganizationView:
    async with unit_of(request, caller.actor) as unit:
        organization, warnings = await commands.register_organization(unit, **body.model_dump())
    tagged(response, organization.version)
    return _view(organization, warnings)


@router.get("", summary="Organisations, a page at a time")
async def organizations(
    service: Serving, reader: Reader, private: Private, after: After = None, limit: Limit = 100,
    country: Annotated[Country | None, Query()] = None, state: State = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    name: Annotated[OptionalLine, Query(description="without case, accents and legal form")] = None,
) -> Page[OrganizationView]:  # fmt: skip
    async with service.database.connection() as connection:
        rows = await store.page(connection, after, limit + 1, country=country, state=state, type_=type, name=name)
        covered = await views.covered(connection, private, [row.id for row in rows[:limit]])
    return Page(
        items=[_view(row, private=row.id in covered) for row in rows[:limit]],
        next=rows[limit - 1].id if len(rows) > limit else None,
    )


@router.get("/{organization_id}", summary="One organisation")
async def organization(
    service: Serving, response: Response, reader: Reader, private: Private, organization_id: Meant
) -> OrganizationView:
    async with service.database.connection() as connection:
        rows = await store.load(connection, [organization_id])
        covered = await views.covered(connection, private, [organization_id])
    if not rows:
        raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
    tagged(response, rows[0].version)
    return _view(rows[0], private=organization_id in covered)


@router.patch("/{organization_id}", summary="Change an organisation")
async def change(
    request: Request, response: Response, caller: Annotated[Allowed, May("organizations.change")],
    organization_id: Meant, expected: NeededVersion, body: OrganizationChange,
) -> OrganizationView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        await views.require(unit.connection, caller, organization_id)
        changed, warnings = await commands.change_organization(
            unit, organization_id, body.values(), positions=body.positions, effective=body.effective, note=body.note,
            expected=expected,
        )  # fmt: skip
    tagged(response, changed.version)
    return _view(changed, warnings)


class Belonging(BaseModel):
    """A membership of a row of the register, by its cluster's slug."""

    cluster: str
    standing: Standing
    category: Category
    since: date | None


class RegisterRow(BaseModel):
    """An organisation as the register lists it; applications and the past within the caller's reach only."""

    id: UUID
    slug: str
    trade_name: str
    legal_name: str
    type: OrganizationType
    state: str | None
    city: str | None
    positions: list[ChainPosition]
    memberships: list[Belonging]


class RegisterPage(BaseModel):
    """`next` is the `after` of the following page, null at the end; `total` counts all of them."""

    items: list[RegisterRow]
    next: str | None
    total: int


@listing.get("", summary="The register, filtered and in an order", operation_id="list_register")
async def the_register(
    service: Serving, reader: Reader, memberships: Annotated[Allowed, Sees("memberships.read")],
    q: Annotated[OptionalLine, Query(description="within the names, without case and accents")] = None,
    cluster: Annotated[str | None, Query(pattern=r"^[a-z0-9-]{1,60}$")] = None,
    type: Annotated[OrganizationType | None, Query()] = None,  # noqa: A002
    position: Annotated[ChainPosition | None, Query()] = None,
    category: Annotated[Category | None, Query()] = None,
    standing: Annotated[Standing | None, Query(description="without it: in force")] = None,
    sort: Annotated[str, Query(max_length=20, description="name, cluster or since; -since for the reverse")] = "name",
    after: Annotated[str | None, Query(max_length=2000, description="`next` of the page before")] = None,
    limit: Limit = 100,
) -> RegisterPage:  # fmt: skip
    wanted = views.Wanted(q, cluster, type, position, category, standing)
    key, falling = views.order_of(sort)
    place = views.place_at(after, "after") if after else None
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        rows = [row async for row in views.register(
            connection, wanted, today, reader=reader, memberships=memberships, sort=key, falling=falling, after=place,
            limit=limit + 1,
        )]  # fmt: skip
        total = await views.count(connection, wanted, today, reader=reader, memberships=memberships)
    items = [
        RegisterRow(
            id=row["id"], slug=row["slug"], trade_name=row["trade_name"], legal_name=row["legal_name"],
            type=row["type"], state=row["state"], city=row["city"], positions=list(row["positions"] or ()),
            memberships=[Belonging(cluster=slug, standing=held, category=as_, since=since)
                         for slug, _, held, as_, since in row["memberships"] or ()],
        )
        for row in rows[:limit]
    ]  # fmt: skip
    return RegisterPage(items=items, next=views.cursor_of(rows[limit - 1]) if len(rows) > limit else None, total=total)
