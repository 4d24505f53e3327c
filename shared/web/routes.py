"""The routes of the shell itself: the language switch, the tour of the demo, the static files.

Membership includes `shell_router()`; every service includes `static_router()` (shared.web.assets).
"""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from shared.http.policy import check_not_from_elsewhere
from shared.web.language import CODES, COOKIE
from shared.web.shell import keep, local_path
from shared.web.tour import close, keep_tour


def shell_router() -> APIRouter:
    """`POST /language`: fields `language` (es, en) and `next`, a path of this site to return to.

    `POST /door/tour` closes the tour of the demo in this browser.
    """
    router = APIRouter(include_in_schema=False)

    @router.post("/language")
    async def choose(
        request: Request,
        language: Annotated[str, Form(max_length=10)],
        next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002  # the field's name
    ) -> Response:
        check_not_from_elsewhere(request)
        response = RedirectResponse(local_path(next), 303)
        if language in CODES:
            keep(request, response, COOKIE, language)
        return response

    @router.post("/door/tour")
    async def close_tour(
        request: Request,
        next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002  # the field's name
    ) -> Response:
        check_not_from_elsewhere(request)
        close(request)
        response = RedirectResponse(local_path(next), 303)
        keep_tour(request, response)
        return response

    return router
