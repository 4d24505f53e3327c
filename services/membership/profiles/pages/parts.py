"""What the pages of a profile share: whose it is, what a form sent, how a refusal is told at its field."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Request
from starlette.datastructures import UploadFile

from services.membership.organizations import store as organizations
from services.membership.organizations import views as organization_views
from services.membership.organizations.domain import NoSuchOrganization, Organization
from services.membership.profiles import store
from services.membership.profiles.domain import Level, Profile
from shared.http.policy import Allowed, May, Sees
from shared.postgres.pool import Connection
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import VERSION_FIELD
from shared.web.language import Language, mark
from shared.web.refusals import reason
from shared.web.shell import pages_of

pages = pages_of("services.membership.profiles")

Reader = Annotated[Allowed, May("organizations.read")]
Private = Annotated[Allowed, Sees("organizations.private")]
Changing = Annotated[Allowed, May("organizations.change")]
MayChange = Annotated[Allowed, Sees("organizations.change")]
SeesPeople = Annotated[Allowed, Sees("people.read")]

LEVEL_WORDS: dict[Level, str] = {
    "public": mark("public"), "network": mark("network"), "cluster": mark("cluster"), "own": mark("company"),
}  # fmt: skip
SIZE_WORDS = {
    "micro": mark("micro, up to 10 people"), "small": mark("small, 11 to 50"), "medium": mark("medium, 51 to 250"),
    "large": mark("large, over 250"),
}  # fmt: skip
PART_WORDS = {
    "place": mark("Place"), "tax_number": mark("Tax number"), "positions": mark("Positions in the chain"),
    "size": mark("Size"), "activities": mark("Economic activity"), "products": mark("Products"),
    "processes": mark("Processes"), "sectors": mark("Sectors"), "certificates": mark("Certificates"),
    "sites": mark("Plants and offices"), "parent_id": mark("Branch of"), "visibility": mark("Who sees it"),
}  # fmt: skip
CHANGED = mark("Somebody changed it meanwhile; this is how it is now. Nothing of yours was saved.")


async def found_by(connection: Connection, reader: Allowed, slug: str) -> Organization:
    """The organisation that an address names. Raises `NoSuchOrganization`, also when it is out of reach."""
    one = await organizations.by_slug_or_id(connection, slug)
    if one is None or one.id not in await organization_views.covered(connection, reader, [one.id]):
        raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
    return one


async def changed_by(service: Service, caller: Allowed, slug: str) -> tuple[Organization, Profile]:
    """The organisation whose profile somebody changes. Raises `NoSuchOrganization`, `NotYours`."""
    async with service.database.connection() as connection:
        one = await organizations.by_slug_or_id(connection, slug)
        if one is None:
            raise NoSuchOrganization("there is no organisation {slug}", slug=slug[:80], field="slug")
        await organization_views.require(connection, caller, one.id)
        return one, (await store.load(connection, [one.id]))[one.id]


async def sent(request: Request) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The fields of a form, each once, and all values of each."""
    form = await request.form()
    several = {
        name: [value for value in form.getlist(name) if isinstance(value, str)] for name in form
    }  # fmt: skip
    return {name: value for name, value in form.items() if not isinstance(value, UploadFile)}, several


def told(speak: Language, refusal: Refusal) -> str:
    """A refusal as it stands at its field, which names itself already."""
    return reason(speak, refusal).removeprefix(f"{refusal.field}: ")


def version_in(values: Mapping[str, Any]) -> int | None:
    """The version that a form was made from; None when it carries none."""
    text = str(values.get(VERSION_FIELD, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
