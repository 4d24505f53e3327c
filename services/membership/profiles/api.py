"""Profiles over HTTP: what an organisation can do, its certificates and sites, and the lists their codes are from."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.membership.edges import Meant, NeededVersion, tagged
from services.membership.organizations import store as organization_store
from services.membership.organizations import views as organizations
from services.membership.organizations.domain import NoSuchOrganization
from services.membership.profiles import commands, domain, store, views
from services.membership.profiles.commands import CertificateChange, SiteChange
from services.membership.profiles.domain import MOST, Level, Profile, codes
from services.membership.profiles.domain.codes import Kind
from shared.contracts.membership import Size
from shared.http.edge import unit_of
from shared.http.inputs import Line, OptionalLine, Unfit
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route

router = APIRouter(prefix="/membership", tags=["profiles"], route_class=Route)

Reader = Annotated[Allowed, May("organizations.read")]
Private = Annotated[Allowed, Sees("organizations.private")]
Changing = Annotated[Allowed, May("organizations.change")]


def _product(text: str) -> str:
    code = codes.product(text)
    if code is None:
        raise Unfit("{code!r} is no heading or subheading of the Harmonized System", code=text[:40])
    return code


Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$", examples=["stamping"])]
Product = Annotated[Line, Field(max_length=300, examples=["8708.29"]), AfterValidator(_product)]
Activity = Annotated[str, Field(pattern=r"^(naics|scian):[0-9]{2,6}$", examples=["scian:336370"])]
Part = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]


class CapabilitiesChange(BaseModel):
    """New values of some parts; what is not named stays.

    `visibility` is whole: what it does not name, the network sees.
    """

    model_config = ConfigDict(extra="forbid")

    size: Size | None = None
    parent_id: UUID | None = None
    processes: list[Code] = Field(default=[], max_length=MOST)
    sectors: list[Code] = Field(default=[], max_length=MOST)
    products: list[Product] = Field(default=[], max_length=MOST)
    activities: list[Activity] = Field(default=[], max_length=MOST)
    visibility: dict[Part, Level] = Field(default={}, max_length=20, examples=[{"sites": "cluster"}])
    note: OptionalLine = None

    def values(self) -> dict[str, Any]:
        """The parts that were named."""
        return {name: getattr(self, name) for name in self.model_fields_set if name != "note"}


class CertificateView(BaseModel):
    """A certificate; `days_left` is 0 or less when it ended."""

    id: UUID
    standard: str
    body: str
    number: str | None
    scope: str | None
    since: date
    until: date
    days_left: int


class SiteView(BaseModel):
    """A plant or office."""

    id: UUID
    name: str
    address: str | None
    postcode: str | None
    city: str | None
    state: str | None
    country: str
    zone: str | None


class ProfileView(BaseModel):
    """What the caller may see of a profile; `visibility` only for who sees all of it."""

    organization_id: UUID
    size: Size | None
    parent_id: UUID | None
    processes: list[str]
    sectors: list[str]
    products: list[str]
    activities: list[str]
    certificates: list[CertificateView]
    sites: list[SiteView]
    visibility: dict[str, Level] | None
    version: int


class KnownCode(BaseModel):
    """A code of a list and what it is called; where its source has one language, both say the same."""

    code: str
    es: str
    en: str


def _view(profile: Profile, level: Level, today: date) -> ProfileView:
    seen = profile.seen(level)
    return ProfileView(
        organization_id=seen.organization_id, size=seen.size, parent_id=seen.parent_id,
        processes=list(seen.processes), sectors=list(seen.sectors), products=list(seen.products),
        activities=list(seen.activities),
        certificates=[
            CertificateView(id=c.id, standard=c.standard, body=c.body, number=c.number, scope=c.scope, since=c.since,
                            until=c.until, days_left=views.days_left(c.until, today))
            for c in seen.certificates
        ],
        sites=[SiteView(id=s.id, name=s.name, address=s.address, postcode=s.postcode, city=s.city, state=s.state,
                        country=s.country, zone=s.zone) for s in seen.sites],
        visibility={part: profile.level(part) for part in domain.PARTS} if level == "own" else None,
        version=seen.version,
    )  # fmt: skip


async def _own(service: Serving, caller: Changing, organization_id: Meant) -> Allowed:
    """The caller, when the organisation is theirs to change; asked before the body is read."""
    async with service.database.connection() as connection:
        if not await organization_store.existing(connection, [organization_id]):
            raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
        await organizations.require(connection, caller, organization_id)
    return caller


Own = Annotated[Allowed, Depends(_own)]


@router.get("/organizations/{organization_id}/profile", summary="What an organisation can do",
            operation_id="read_profile")  # fmt: skip
async def profile(
    service: Serving, response: Response, _reader: Reader, private: Private, organization_id: Meant
) -> ProfileView:
    async with service.database.connection() as connection:
        if not await organization_store.existing(connection, [organization_id]):
            raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
        found = (await store.load(connection, [organization_id]))[organization_id]
        level = await views.level_of(connection, private, organization_id)
    tagged(response, found.version)
    return _view(found, level, service.clock().date())


@router.patch("/organizations/{organization_id}/profile", summary="Say what an organisation can do",
              operation_id="describe_profile")  # fmt: skip
async def describe(
    request: Request, response: Response, service: Serving, caller: Own, private: Private, organization_id: Meant,
    expected: NeededVersion, body: CapabilitiesChange,
) -> ProfileView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        if (
            body.parent_id is not None
            and body.parent_id != (await store.load(unit.connection, [organization_id]))[organization_id].parent_id
        ):
            await organizations.require_parent(unit.connection, caller, body.parent_id)
        changed = await commands.describe_capabilities(
            unit, organization_id, body.values(), note=body.note, expected=expected
        )
        level = await views.level_of(unit.connection, private, organization_id)
    tagged(response, changed.version)
    return _view(changed, level, service.clock().date())


@router.post("/organizations/{organization_id}/certificates", status_code=201, summary="Record a certificate",
             operation_id="add_certificate")  # fmt: skip
async def add_certificate(
    request: Request, response: Response, service: Serving, caller: Own, private: Private, organization_id: Meant,
    body: CertificateChange,
) -> ProfileView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.record_certificate(unit, organization_id, None, **body.model_dump())
        level = await views.level_of(unit.connection, private, organization_id)
    tagged(response, changed.version)
    return _view(changed, level, service.clock().date())


@router.put("/organizations/{organization_id}/certificates/{certificate_id}", summary="Correct a certificate",
            operation_id="change_certificate")  # fmt: skip
async def change_certificate(
    request: Request, response: Response, service: Serving, caller: Own, private: Private, organization_id: Meant,
    certificate_id: UUID, expected: NeededVersion, body: CertificateChange,
) -> ProfileView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.record_certificate(
            unit, organization_id, certificate_id, **body.model_dump(), expected=expected
        )
        level = await views.level_of(unit.connection, private, organization_id)
    tagged(response, changed.version)
    return _view(changed, level, service.clock().date())


@router.delete("/organizations/{organization_id}/certificates/{certificate_id}", status_code=204,
               summary="Take a certificate out", operation_id="remove_certificate")  # fmt: skip
async def remove_certificate(
    request: Request, caller: Own, organization_id: Meant, certificate_id: UUID, expected: NeededVersion
) -> None:
    async with unit_of(request, caller.actor) as unit:
        await commands.remove_certificate(unit, organization_id, certificate_id, expected=expected)


@router.post("/organizations/{organization_id}/sites", status_code=201, summary="Record a plant or office",
             operation_id="add_site")  # fmt: skip
async def add_site(
    request: Request, response: Response, service: Serving, caller: Own, private: Private, organization_id: Meant,
    body: SiteChange,
) -> ProfileView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.record_site(unit, organization_id, None, **body.model_dump())
        level = await views.level_of(unit.connection, private, organization_id)
    tagged(response, changed.version)
    return _view(changed, level, service.clock().date())


@router.put("/organizations/{organization_id}/sites/{site_id}", summary="Correct a plant or office",
            operation_id="change_site")  # fmt: skip
async def change_site(
    request: Request, response: Response, service: Serving, caller: Own, private: Private, organization_id: Meant,
    site_id: UUID, expected: NeededVersion, body: SiteChange,
) -> ProfileView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.record_site(unit, organization_id, site_id, **body.model_dump(), expected=expected)
        level = await views.level_of(unit.connection, private, organization_id)
    tagged(response, changed.version)
    return _view(changed, level, service.clock().date())


@router.delete("/organizations/{organization_id}/sites/{site_id}", status_code=204,
               summary="Close a plant or office", operation_id="close_site")  # fmt: skip
async def close_site(
    request: Request, caller: Own, organization_id: Meant, site_id: UUID, expected: NeededVersion
) -> None:
    async with unit_of(request, caller.actor) as unit:
        await commands.close_site(unit, organization_id, site_id, expected=expected)


@router.get("/codes/{kind}", summary="Codes of a list, by their names", operation_id="search_codes")
async def search_codes(
    _reader: Reader, kind: Kind, q: Annotated[Line, Query(max_length=100, description="words, or the first digits")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[KnownCode]:  # fmt: skip
    return [KnownCode(code=one.code, es=one.es, en=one.en) for one in codes.search(kind, q, limit)]
