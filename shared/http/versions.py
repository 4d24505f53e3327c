"""Which version a caller read: `If-Match`, and the entity tag under which a thing is answered.

So that nobody overwrites what they have not seen.
"""

import re
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from shared.refusal import Refusal


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


def tagged(response: Response, version: int) -> None:
    """Says the version of what is answered as its ETag."""
    response.headers["ETag"] = f'"{version}"'
