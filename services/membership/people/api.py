"""People over HTTP: who speaks for an organisation, their consent, what is held of them. Parse, call one, answer.

What concerns all of a person (name, mail, export, erasure) is for who reaches all they speak for.
"""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.edges import ExpectedVersion, Meant, NeededVersion, tagged
from services.membership.organizations import store as organization_store
from services.membership.organizations import views as organizations
from services.membership.organizations.domain import NoSuchOrganization
from services.membership.people import commands, store, views
from services.membership.people.commands import ConsentGiven, NewRepresentative, Phone
from services.membership.people.domain import MOST, Consent, Language, NoSuchPerson, Person, Purpose
from shared.contracts.membership import PersonRole
from shared.http.edge import unit_of
from shared.http.inputs import Day, Line, Mail, OptionalLine
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in

router = APIRouter(prefix="/membership", tags=["people"], route_class=Route)

Reader = Annotated[Allowed, May("people.read")]
Changing = Annotated[Allowed, May("people.change")]
Erasing = Annotated[Allowed, May("people.erase")]
Exporting = Annotated[Allowed, May("people.export")]
Capping = Annotated[Allowed, May("people.cap")]


class Correction(BaseModel):
    """New values of some fields; what is not named, or null, stays."""

    model_config = ConfigDict(extra="forbid")

    name: OptionalLine = None
    mail: Mail | None = None
    language: Language | None = None
    note: OptionalLine = None


class Placement(BaseModel):
    """As what, and under which number, somebody is reached at one organisation; a phone of null takes it out."""

    model_config = ConfigDict(extra="forbid")

    role: PersonRole | None = None
    phone: Phone = None
    note: OptionalLine = None


class Choice(BaseModel):
    """Why somebody became the main contact."""

    model_config = ConfigDict(extra="forbid")

    note: OptionalLine = None


class Ending(BaseModel):
    """From which day on somebody does not speak for it any more, and why."""

    model_config = ConfigDict(extra="forbid")

    note: Line
    effective: Day | None = None


class CapChange(BaseModel):
    """How many may speak for a member of a cluster, from a day on."""

    model_config = ConfigDict(extra="forbid")

    most: Annotated[int, Field(ge=1, le=500)]
    since: Day | None = None


class CapView(BaseModel):
    """How many may speak for a member of a cluster on a day."""

    cluster_id: UUID
    most: int
    on: date


class RepresentationView(BaseModel):
    """For whom somebody speaks; `until` is the first day on which they do not."""

    organization_id: UUID
    role: PersonRole
    main: bool
    phone: str | None
    since: date
    until: date | None


class PersonView(BaseModel):
    """A representative with what they are at the organisations that the caller reaches."""

    id: UUID
    name: str
    mail: str
    language: Language
    represents: list[RepresentationView]
    version: int


class ConsentView(BaseModel):
    """One line of the history of consent."""

    id: UUID
    purpose: Purpose
    given: bool
    at: datetime
    note: str
    actor: str


class PersonWithConsents(PersonView):
    """A representative with the history of what they agreed to, the oldest first."""

    consents: list[ConsentView]


class ChangeView(BaseModel):
    """When something was changed, by whom and why; `fields` names what."""

    version: int
    at: datetime
    actor: str
    note: str | None
    fields: list[str]


class PersonExport(PersonWithConsents):
    """Everything that the register holds of a person, for them to have."""

    changes: list[ChangeView]


def _values(person: Person, reached: set[UUID], *, past: bool = False) -> dict[str, Any]:
    represents = person.represents if past else person.present
    return {
        "id": person.id, "name": person.name, "mail": person.mail, "language": person.language,
        "version": person.version,
        "represents": [one._asdict() for one in represents if past or one.organization_id in reached],
    }  # fmt: skip


def _consent(line: Consent) -> dict[str, Any]:
    return line._asdict()


async def _of(service: Serving, caller: Allowed, organization_id: UUID) -> Allowed:
    """The caller, when the organisation lies within reach; asked before the body is read."""
    async with service.database.connection() as connection:
        if not await organization_store.existing(connection, [organization_id]):
            raise NoSuchOrganization("there is no organisation {id}", id=organization_id, field="organization_id")
        await organizations.require(connection, caller, organization_id)
    return caller


async def _changing_of(service: Serving, caller: Changing, organization_id: Meant) -> Allowed:
    return await _of(service, caller, organization_id)


async def _reading_of(service: Serving, caller: Reader, organization_id: Meant) -> Allowed:
    return await _of(service, caller, organization_id)


async def _changing_all(service: Serving, caller: Changing, person_id: UUID) -> Allowed:
    async with service.database.connection() as connection:
        await views.require_all(connection, caller, person_id)
    return caller


async def _erasing_all(service: Serving, caller: Erasing, person_id: UUID) -> Allowed:
    async with service.database.connection() as connection:
        await views.require_all(connection, caller, person_id)
    return caller


async def _capping(service: Serving, caller: Capping, cluster_id: UUID) -> Allowed:
    caller.require(cluster=cluster_id)
    return caller


ChangingOf = Annotated[Allowed, Depends(_changing_of)]


@router.get("/organizations/{organization_id}/people", summary="Who speaks for an organisation",
            operation_id="list_representatives")  # fmt: skip
async def representatives(
    service: Serving, caller: Annotated[Allowed, Depends(_reading_of)], organization_id: Meant
) -> list[PersonView]:
    async with service.database.connection() as connection:
        found = await store.of(connection, organization_id)
    return [PersonView.model_validate(_values(one, {organization_id})) for one in found]


@router.post("/organizations/{organization_id}/people", status_code=201, summary="Add a representative",
             operation_id="add_representative")  # fmt: skip
async def add(
    request: Request, response: Response, caller: ChangingOf, organization_id: Meant, body: NewRepresentative
) -> PersonView:
    async with unit_of(request, caller.actor) as unit:
        made = await commands.add_representative(unit, organization_id, **body.model_dump())
    tagged(response, made.version)
    return PersonView.model_validate(_values(made, {organization_id}))


@router.patch("/organizations/{organization_id}/people/{person_id}", summary="Change a representative's role or phone",
              operation_id="place_representative")  # fmt: skip
async def place(
    request: Request, response: Response, caller: ChangingOf, organization_id: Meant, person_id: UUID,
    expected: NeededVersion, body: Placement,
) -> PersonView:  # fmt: skip
    values = {name: getattr(body, name) for name in body.model_fields_set & {"role", "phone"}}
    if values.get("role", "") is None:
        del values["role"]
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.place_representative(
            unit, organization_id, person_id, values, note=body.note, expected=expected
        )
    tagged(response, changed.version)
    return PersonView.model_validate(_values(changed, {organization_id}))


@router.post("/organizations/{organization_id}/people/{person_id}/main", summary="Make them the main contact",
             operation_id="set_main_contact")  # fmt: skip
async def make_main(
    request: Request, response: Response, caller: ChangingOf, organization_id: Meant, person_id: UUID,
    expected: ExpectedVersion, body: Choice | None = None,
) -> PersonView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.set_main_contact(
            unit, organization_id, person_id, note=body.note if body else None, expected=expected
        )
    tagged(response, changed.version)
    return PersonView.model_validate(_values(changed, {organization_id}))


@router.post("/organizations/{organization_id}/people/{person_id}/end", summary="End that they speak for it",
             operation_id="end_representation")  # fmt: skip
async def end(
    request: Request, response: Response, caller: ChangingOf, organization_id: Meant, person_id: UUID,
    expected: ExpectedVersion, body: Ending,
) -> PersonView:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.end_representation(
            unit, organization_id, person_id, **body.model_dump(), expected=expected
        )
    tagged(response, changed.version)
    return PersonView.model_validate(_values(changed, {organization_id}))


@router.get("/people/{person_id}", summary="One representative with their consents", operation_id="read_person")
async def person(service: Serving, response: Response, caller: Reader, person_id: UUID) -> PersonWithConsents:
    async with service.database.connection() as connection:
        reached, everything = await views.reached(connection, caller, person_id)
        found = await _found(connection, person_id)
        # what somebody agreed to is theirs and of all for whom they speak: not of one cluster that added them
        lines = await store.consents(connection, person_id) if everything or caller.everything else []
    tagged(response, found.version)
    return PersonWithConsents.model_validate({**_values(found, reached), "consents": [_consent(one) for one in lines]})


@router.patch("/people/{person_id}", summary="Correct a name, a mail address, a language",
              operation_id="correct_person")  # fmt: skip
async def correct(
    request: Request, response: Response, caller: Annotated[Allowed, Depends(_changing_all)], person_id: UUID,
    expected: NeededVersion, body: Correction,
) -> PersonView:  # fmt: skip
    values = body.model_dump(include={"name", "mail", "language"}, exclude_none=True)
    async with unit_of(request, caller.actor) as unit:
        changed = await commands.correct_person(unit, person_id, values, note=body.note, expected=expected)
    tagged(response, changed.version)
    return PersonView.model_validate(_values(changed, {one.organization_id for one in changed.represents}))


@router.post("/people/{person_id}/consents", status_code=201, summary="Record that somebody agreed or withdrew",
             operation_id="record_consent")  # fmt: skip
async def consent(
    request: Request, caller: Annotated[Allowed, Depends(_changing_all)], person_id: UUID, body: ConsentGiven
) -> ConsentView:
    async with unit_of(request, caller.actor) as unit:
        line = await commands.record_consent(unit, person_id, **body.model_dump())
    return ConsentView.model_validate(_consent(line))


@router.get("/people/{person_id}/export", summary="Everything that is held of a person", operation_id="export_person")
async def export(service: Serving, response: Response, caller: Exporting, person_id: UUID) -> PersonExport:
    async with service.database.connection() as connection:
        await views.require_all(connection, caller, person_id)
        found = await _found(connection, person_id)
        lines = await store.consents(connection, person_id)
        changes = await views.changes(connection, person_id)
    response.headers["Content-Disposition"] = f'attachment; filename="person-{person_id}.json"'
    return PersonExport.model_validate(
        {**_values(found, set(), past=True), "consents": [_consent(one) for one in lines], "changes": changes}
    )


@router.delete("/people/{person_id}", status_code=204, summary="Erase a person everywhere")
async def erase(
    request: Request, caller: Annotated[Allowed, Depends(_erasing_all)], person_id: UUID,
    reason: Annotated[Line, Query(description="why; kept without the person")],
) -> None:  # fmt: skip
    async with unit_of(request, caller.actor) as unit:
        await commands.erase_person(unit, person_id, reason=reason)


@router.get("/clusters/{cluster_id}/representatives-cap", summary="How many may speak for a member",
            operation_id="read_representatives_cap")  # fmt: skip
async def cap(service: Serving, _caller: Annotated[Allowed, Depends(_capping)], cluster_id: UUID) -> CapView:
    async with service.database.connection() as connection:
        found = await clusters.load(connection, [cluster_id])
        if not found:
            raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
        on = day_in(found[0].zone, service.clock())
        most = await store.cap(connection, cluster_id, on)
    return CapView(cluster_id=cluster_id, most=MOST if most is None else most, on=on)


@router.put("/clusters/{cluster_id}/representatives-cap", summary="Decide how many may speak for a member",
            operation_id="cap_representatives")  # fmt: skip
async def set_cap(
    request: Request, caller: Annotated[Allowed, Depends(_capping)], cluster_id: UUID, body: CapChange
) -> CapView:
    async with unit_of(request, caller.actor) as unit:
        on = await commands.cap_representatives(unit, cluster_id, body.most, since=body.since)
    return CapView(cluster_id=cluster_id, most=body.most, on=on)


async def _found(connection: Any, person_id: UUID) -> Person:
    rows = await store.load(connection, [person_id])
    if not rows:
        raise NoSuchPerson("there is no person {id}", id=person_id, field="person_id")
    return rows[0]
