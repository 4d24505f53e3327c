"""What the HTTP edges of this service share: `If-Match`, entity tags, pages behind a cursor."""

from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel

from shared.http.policy import Serving
from shared.http.versions import ExpectedVersion, NeededVersion, tagged

__all__ = ["After", "ExpectedVersion", "Limit", "Meant", "NeededVersion", "Page", "tagged"]

T = TypeVar("T")


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
