"""One address for all services of the local stack: requests go by the first part of their path.

A service's name leads to it, an address that people see to the service whose page it is; `/ready` says whether
all are, `/services` what is where. Lifespans are not passed on.
"""

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from shared.http.problems import refuse
from shared.runtime.service import Service
from shared.web.navigation import PAGES


class Front:
    """The ASGI application in front of the services' own."""

    def __init__(self, applications: Mapping[str, FastAPI]) -> None:
        self.applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # /register.csv is where /register is
        name = scope.get("path", "/").split("/", 2)[1].partition(".")[0]
        if app := self.applications.get(PAGES.get(name) or name) or self._any(name):
            await app(scope, receive, send)
        elif scope["type"] == "http":
            response = await self._own(Request(scope), name)
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def readiness(self) -> dict[str, dict[str, str]]:
        """What keeps which service from its work; empty when all are ready."""
        reasons: dict[str, dict[str, str]] = {}
        for name, app in self.applications.items():
            service: Service | None = getattr(app.state, "service", None)
            found = {"service": "is starting"} if service is None else await service.readiness()
            if found:
                reasons[name] = found
        return reasons

    def close(self) -> None:
        """Tells every service that it stops: streams end, consumers and relays finish their batch."""
        for app in self.applications.values():
            if service := getattr(app.state, "service", None):
                service.stopping.set()

    async def _own(self, request: Request, name: str) -> Response:
        path = request.url.path
        if path == "/ready":
            reasons = await self.readiness()
            return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)
        if path != "/services":
            known = ", ".join(self.applications)
            return refuse(
                request, 404, "http-404", "there is no page {path!r}, and no service of that name; there are {known}",
                path=path, known=known,
            )  # fmt: skip
        places = {name: {"openapi": f"/{name}/openapi.json", "ready": f"/{name}/ready", "metrics": f"/{name}/metrics"}
                  for name in self.applications}  # fmt: skip
        return JSONResponse({"name": "Cumulo", "ready": "/ready", "services": places})

    def _any(self, name: str) -> FastAPI | None:
        """Whatever service runs, for what each of them answers alike."""
        return next(iter(self.applications.values()), None) if name in PAGES and PAGES[name] is None else None
