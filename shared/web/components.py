"""`/dev/components`: every component of the pages with invented data, to look at and to test.

In the local stack and in tests only; an installation in production answers 404. Nothing of it is stored anywhere.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.exceptions import HTTPException

from shared.web.errors import error_page
from shared.web.language import mark
from shared.web.samples import LUCIA, MARIANA, samples
from shared.web.shell import pages_of, turn


def _not_in_production(request: Request) -> None:
    service = getattr(request.app.state, "service", None)
    if service is not None and service.settings.environment == "production":
        raise HTTPException(404, "there is no such page")


def components_router() -> APIRouter:
    """The page, a block that answers, one that does not, a task that runs, and the pages of errors."""
    pages = pages_of("shared.web")
    router = APIRouter(prefix="/dev/components", include_in_schema=False, dependencies=[Depends(_not_in_production)])

    @router.get("", response_class=HTMLResponse)
    async def everything(request: Request, who: str = "mariana") -> Response:
        viewer = {"mariana": MARIANA, "lucia": LUCIA, "nobody": None}.get(who, MARIANA)
        now = datetime.now(UTC)
        context = samples(now, pages.language(request, None))
        # the sample people have no language of their own: the page follows the browser
        language = pages.language(request, None).code
        shown = None if viewer is None else replace(viewer, language=language)
        return pages.render(request, shown, "dev/components.html", now=now, **context)

    @router.get("/block", response_class=HTMLResponse)
    async def block(request: Request) -> Response:
        return pages.fragment(request, MARIANA, "dev/block.html")

    @router.get("/silent")
    async def silent() -> Response:
        return Response(status_code=503)

    @router.get("/task")
    async def task(seconds: Annotated[float, 0] = 30.0) -> Response:
        return StreamingResponse(_running(min(max(seconds, 0.1), 60)), media_type="text/event-stream")

    @router.post("/sent")
    async def sent(request: Request) -> Response:
        return turn("/dev/components", said=pages.language(request, None)(mark("Saved")))

    @router.get("/error/{status}")
    async def error(request: Request, status: int) -> Response:
        titles = {
            401: ("", ""),
            403: (mark("Not with your role"), mark("Only who directs the cluster approves an application.")),
            404: (mark("This page does not exist"), mark("Nothing is kept under this address.")),
            413: (mark("Too large"), mark("A file may have 50 MB at most.")),
            429: (mark("Too many tries"), mark("Five links in an hour are enough.")),
            500: (mark("Something broke"), mark("A fault of the program; it was written down.")),
            503: (mark("Out of reach for the moment"), mark("The database does not answer.")),
        }
        said = pages.language(request, None)
        title, reason = titles.get(status, titles[404])
        viewer = replace(MARIANA, language=said.code)
        return error_page(
            request, viewer, status if status in titles else 404, said(title) if title else "",
            said(reason) if reason else "", roles=("cluster_director", "cluster_president"), ask="/dev/components/sent",
        )  # fmt: skip

    return router


async def _running(seconds: float) -> AsyncIterator[bytes]:
    total, steps = 612, 60
    for step in range(steps + 1):
        state = "done" if step == steps else "running"
        left = round(seconds * (1 - step / steps), 1)
        record = {"done": total * step // steps, "total": total, "seconds_left": left, "state": state}
        yield (b"event: end" if state == "done" else b"event: task") + b"\ndata: " + orjson.dumps(record) + b"\n\n"
        await asyncio.sleep(seconds / steps)
