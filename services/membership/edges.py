"""What the HTTP edges of this service share: `If-Match`, entity tags, pages behind a cursor."""

import re
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel

from shared.http.policy import Serving
from shared.refusal import Refusal

T = TypeVar("T")


class MalformedEntityTag(Refusal):
    """`If-Match` is not an entity tag of this service."""


class VersionNeeded(Refusal):
    """A change has to say which version it was made from, so that nobody overwrites what they have not seen."""

    status = 428


_TAG = re.compile(r'^(?:W/)?"?([0-9]{1,18})"?$')


def _expected_version(
    if_match: Annotated[
        str | None, Header(max_length=40, description='the version that was read, as its ETag says: "3"')
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.match(if_match.strip())
    if found is None:
        raise MalformedEntityTag('If-Match: write the ETag that was read, e.g. "3"', field="If-Match")
    return int(found[1])


ExpectedVersion = Annotated[int | None, Depends(_expected_version)]
"""The version that the caller read, None when it does not care."""


def _needed_version(request: Request, expected: ExpectedVersion) -> int | None:
    if "if-match" not in request.headers:
        raise VersionNeeded('If-Match: send the ETag that was read, e.g. "3", or * for whatever is there',
                            field="If-Match")  # fmt: skip
    return expected


NeededVersion = Annotated[int | None, Depends(_needed_version)]
"""As `ExpectedVersion`, where the header must be there; None only when it says `*`."""

SUCCESSOR = "SELECT into_id FROM merged_organization WHERE id = $1"


async def _meant(service: Serving, organization_id: UUID) -> UUID:
    async with service.database.connection() as connection:
        return await connection.fetchval(SUCCESSOR, organization_id) or organization_id


Meant = Annotated[UUID, Depends(_meant)]
"""The organisation in a path; of one that was merged, the one that it goes on as."""

After = Annotated[UUID | None, Query(description="cursor: `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500, description="at most this many")]


class Page(BaseModel, Generic[T]):
    """One page of a list. `next` is the cursor of the following one, None at the end."""

    items: list[T]
    next: UUID | None


def tagged(response: Response, version: int) -> None:
    """Says the version of what is answered as its ETag."""
    response.headers["ETag"] = f'"{version}"'
