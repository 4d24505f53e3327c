"""The edge of a service over HTTP: the application, who calls, the trace of a request, health and metrics.

Every route names its action and asks the service's policy (shared.http.policy); `/<service>/health`,
`/ready` and `/metrics` ask nobody.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http import idempotency, openapi, problems
from shared.http.compressed import Compressed
from shared.http.examples import answers
from shared.http.guards import Guarded
from shared.http.policy import Serving, service_of
from shared.postgres.pool import Unit
from shared.runtime.service import Definition, Service, running
from shared.runtime.settings import Settings
from shared.runtime.tracing import SpanKind

if TYPE_CHECKING:
    from shared.messaging.consumer import ConsumerLoop
    from shared.messaging.relay import Relay

METRICS_EXAMPLE = "# HELP cumulo_pool_idle connections idle\n# TYPE cumulo_pool_idle gauge\ncumulo_pool_idle 9.0\n"
MEASURE_SECONDS = 3.0
"""What a part may take to measure itself. Prometheus waits ten seconds for all of them, which measure at once."""


@contextlib.asynccontextmanager
async def unit_of(request: Request, actor: str) -> AsyncIterator[Unit]:
    """The request's transaction: its cause is the request's id, its trace the request's span.

    With an Idempotency-Key it is committed by the route, together with the answer; a command has one transaction.
    """
    made = service_of(request).unit(actor=actor, cause=request.state.request_id)
    sent = getattr(request.state, "sending", None)
    if sent is None or request.state.unit is not None:
        async with made as unit:
            yield unit
        return
    unit = await request.state.stack.enter_async_context(made)
    await idempotency.take(unit, sent)
    request.state.unit = unit
    try:
        yield unit
    except BaseException:
        request.state.undone = True
        raise


class _Observed:
    """Gives each request an id, a span, a log context and a place in the metrics."""

    def __init__(self, app: ASGIApp, application: FastAPI) -> None:
        self.app = app
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service: Service | None = getattr(self.application.state, "service", None)
        if scope["type"] != "http" or service is None:
            await self.app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name == b"traceparent"}
        traceparent = headers.get(b"traceparent", b"").decode("latin-1") or None
        request_id = str(uuid_utils.uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        started = time.perf_counter()
        with (
            structlog.contextvars.bound_contextvars(cause=request_id, service=service.name),
            service.tracing.span(f"{scope['method']} {scope['path']}", traceparent=traceparent, kind=SpanKind.SERVER),
        ):
            try:
                await self.app(scope, receive, observe)
            finally:
                route = getattr(scope.get("route"), "path", "unknown")
                service.metrics.requests.labels(scope["method"], route, str(status)).observe(
                    time.perf_counter() - started
                )


class _Heads:
    """Answers HEAD as GET without its body, which is what it means (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        ended = False

        async def bare(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:  # a stream's first piece ends it: its listener has gone
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self.app({**scope, "method": "GET"}, receive, bare)


async def _measured(service: Service, part: "Relay | ConsumerLoop") -> None:
    """Sets a part's gauges. Whatever keeps it from that costs its own numbers only: the others are told in time."""
    try:
        async with asyncio.timeout(MEASURE_SECONDS):
            await part.measure()
    except Exception as error:
        service.log.warning("metrics.not_measured", part=type(part).__name__, error=repr(error)[:200])


def _operations(name: str) -> APIRouter:
    router = APIRouter(prefix=f"/{name}", tags=["operations"])

    stuck_then = answers({"alive": False, "stuck": ["relay"]}, status=503)
    unready_then = answers({"ready": False, "reasons": {"kafka": "does not answer"}}, status=503)

    @router.get("/health", summary="Alive: the loops tick",
                responses=answers({"alive": True, "stuck": []}) | stuck_then)  # fmt: skip
    async def health(service: Serving, response: Response) -> dict[str, object]:
        stuck = [c.name for c in service.consumers if not c.alive()]
        if service.relay is not None and not service.relay.alive():
            stuck.append("relay")
        response.status_code = 503 if stuck else 200
        return {"alive": not stuck, "stuck": stuck}

    @router.get("/ready", summary="Ready: everything it depends on answers",
                responses=answers({"ready": True, "reasons": {}}) | unready_then)  # fmt: skip
    async def ready(service: Serving, response: Response) -> dict[str, object]:
        reasons = await service.readiness()
        response.status_code = 503 if reasons else 200
        return {"ready": not reasons, "reasons": reasons}

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response,
                responses=answers(METRICS_EXAMPLE, "text/plain"))  # fmt: skip
    async def metrics(service: Serving) -> Response:
        parts: list[Relay | ConsumerLoop] = [*service.consumers]
        if service.relay is not None:
            parts.append(service.relay)
        await asyncio.gather(*(_measured(service, part) for part in parts))
        service.metrics.pool_size.set(service.database.pool.get_size())
        service.metrics.pool_idle.set(service.database.pool.get_idle_size())
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def application(definition: Definition, settings: Settings, *, clock: Callable[[], datetime] | None = None) -> FastAPI:
    """The FastAPI application of a service; its lifespan starts and stops the whole service."""
    from shared.http.feed import feed_router
    from shared.http.operations import operations_router
    from shared.http.tasks import tasks_router
    from shared.web.assets import static_router
    from shared.web.operations import operations_pages
    from shared.web.tasks import tasks_pages

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(definition, settings, clock=clock) as service:
            app.state.service = service
            try:
                yield
            finally:
                app.state.service = None

    prefix = f"/{definition.name}"
    app = FastAPI(
        title=f"Cumulo {definition.name}",
        version="1",
        description=openapi.ABOUT,
        generate_unique_id_function=openapi.spoken,
        lifespan=lifespan,
        openapi_url=f"{prefix}/openapi.json",
        docs_url=None,  # its pages load scripts from a CDN
        redoc_url=None,
    )
    problems.install(app, definition.name)
    app.include_router(_operations(definition.name))
    app.include_router(feed_router(definition))
    app.include_router(operations_router(definition))
    app.include_router(operations_pages(definition))
    app.include_router(static_router())
    app.include_router(tasks_router(definition))
    app.include_router(tasks_pages(definition))
    for router in definition.routers:
        app.include_router(router)
    openapi.describe(app)
    # a route that takes a file stops by itself at its limit; here stands only what a form around it adds
    a_file = (max(settings.files_max_megabytes * 2, settings.import_max_megabytes) + 1) * 1024 * 1024
    app.add_middleware(Guarded, settings=settings, larger=dict.fromkeys(definition.uploads, a_file))
    app.add_middleware(Compressed)
    app.add_middleware(_Heads)
    app.add_middleware(_Observed, application=app)
    return app
