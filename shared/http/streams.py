"""Streams that last: the sign-in behind one is asked again while it is open, so that who may no longer see it loses it.

Within a minute of a withdrawal or the end of a session the stream ends; the browser asks again and is refused.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

from fastapi import Request

from shared.http.identity import COOKIE, NotSignedIn, Viewer, viewer_of
from shared.http.policy import NotYours, allowed
from shared.postgres.pool import TRANSIENT
from shared.runtime.service import Service

ASKS_EVERY = timedelta(seconds=45)
"""With a sign of life every 15 seconds at the latest, it is asked within a minute."""


async def present_viewer(request: Request, service: Service) -> Viewer | None:
    """Whoever opened the stream, as of now; None when the sign-in no longer holds."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if kind.lower() == "bearer" else None
    try:
        return await viewer_of(service, bearer=bearer, cookie=request.cookies.get(COOKIE))
    except NotSignedIn:
        return None


async def while_allowed(
    request: Request, service: Service, action: str, stream: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """The same stream, ended when its caller may no longer do `action`. Goes on while PostgreSQL does not answer."""
    asked = service.clock()
    async for part in stream:
        if service.clock() - asked >= ASKS_EVERY:
            asked = service.clock()
            try:
                if not await _still(request, service, action):
                    return
            except TRANSIENT as error:
                service.log.warning("stream.not_asked", error=type(error).__name__)
        yield part


async def _still(request: Request, service: Service, action: str) -> bool:
    viewer = await present_viewer(request, service)
    if viewer is None:
        return False
    try:
        allowed(service.definition.policy, action, viewer)
    except NotYours:
        return False
    return True
