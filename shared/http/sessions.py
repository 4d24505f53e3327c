"""The session's cookie, and the address under which people reach an installation.

The cookie is for this host only and never read by a script.
"""

from datetime import datetime

from fastapi import Request, Response

from shared.http.identity import COOKIE
from shared.http.policy import service_of
from shared.refusal import Refusal


class NoAddress(Refusal):
    """The installation does not know the address under which people reach it."""

    status = 503


def door_of(request: Request) -> str:
    """The installation's address, without a path: of the settings, else, but for production, of this request.

    What a request says of its host may be invented, and a link in a mail must not lead there. Raises `NoAddress`.
    """
    settings = service_of(request).settings
    if settings.public_url is None and settings.environment == "production":
        raise NoAddress("CUMULO_PUBLIC_URL is not set: no mail can say where to sign in")
    return settings.public_url or str(request.base_url).rstrip("/")


def set_session(request: Request, response: Response, token: str, until: datetime) -> None:
    """Puts a session's token into its cookie."""
    service = service_of(request)
    public = service.settings.public_url or str(request.base_url)
    seconds = int((until - service.clock()).total_seconds())
    response.set_cookie(
        COOKIE, token, max_age=seconds, path="/", httponly=True, samesite="lax", secure=public.startswith("https:")
    )


def drop_session(response: Response) -> None:
    """Takes the cookie back."""
    response.delete_cookie(COOKIE, path="/")
