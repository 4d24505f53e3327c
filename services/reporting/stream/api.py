"""The live figures over HTTP, as Server-Sent Events that any replica serves and resumes.

A message's id is a sequence of reporting's history. A new listener gets an event `snapshot` with the
current figures, then one `figure` for each that moves.
"""

import re
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from services.reporting.indicators.commands import check_indicator
from services.reporting.stream.commands import Broadcaster
from services.reporting.stream.domain import Wanted
from shared.http.examples import answers
from shared.http.inputs import Sequence64
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.http.streams import while_allowed
from shared.runtime.service import Service

router = APIRouter(prefix="/reporting/stream", tags=["stream"], route_class=Route)

EXAMPLE = 'id: 2310\nevent: figure\ndata: {"indicator": "members", "scope": "network", "value": 612}\n\n'
NUMBER = re.compile(r"[0-9]{1,18}")


@router.get("", summary="Figures as they move", response_class=StreamingResponse,
            operation_id="follow_figures", responses=answers(EXAMPLE, "text/event-stream"))  # fmt: skip
async def stream(
    request: Request, service: Serving, reader: Annotated[Allowed, May("indicators.read")],
    indicator: Annotated[str | None, Query(max_length=60, description="only this indicator")] = None,
    cluster: Annotated[UUID | None, Query(description="only figures of this cluster")] = None,
    last_event_id: Annotated[Sequence64 | None, Query(description="as the header Last-Event-ID")] = None,
    header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> StreamingResponse:  # fmt: skip
    """Begins behind Last-Event-ID; one that is no place in the history is ignored, and all figures come first.

    The header goes before the query: a browser that reconnects repeats the address and adds the header.
    """
    if indicator is not None:
        check_indicator(indicator)
    last = int(header) if header is not None and NUMBER.fullmatch(header) else last_event_id
    figures = _broadcaster(request, service).follow(Wanted(indicator, cluster), last)
    return StreamingResponse(
        while_allowed(request, service, "indicators.read", figures),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _broadcaster(request: Request, service: Service) -> Broadcaster:
    """The one of this running service; an application that was started again has a new one."""
    state = request.app.state
    if getattr(state, "broadcaster", None) is None or state.broadcaster.service is not service:
        state.broadcaster = Broadcaster(service)
    return cast("Broadcaster", state.broadcaster)
