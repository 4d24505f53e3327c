"""`/api`: the documents of all services to read and to try, for people who write programs against them.

Swagger UI from our own files, started by a script of ours: nothing on the page comes from elsewhere.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from shared.http.openapi import EXAMPLE_KEY
from shared.http.policy import MaybeViewing
from shared.runtime.settings import SERVICES, ServiceName
from shared.web.shell import pages_of


def documentation_router() -> APIRouter:
    """`GET /api?service=reporting`; without a service the first of them."""
    pages = pages_of("shared.web")
    router = APIRouter(include_in_schema=False)

    @router.get("/api", response_class=HTMLResponse)
    async def documentation(
        request: Request, viewer: MaybeViewing, service: Annotated[ServiceName, Query()] = SERVICES[0]
    ) -> Response:
        return pages.render(request, viewer, "api.html", service=service, key=EXAMPLE_KEY,
                            services=[(name, name, f"/api?service={name}", None) for name in SERVICES])  # fmt: skip

    return router
