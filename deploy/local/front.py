"""One address for all services of the local stack: requests go by the first part of their path.

`/` says what is where, `/ready` whether all services are. Lifespans are not passed on.
"""

from collections.abc import Mapping
from html import escape

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from shared.http.problems import problem
from shared.runtime.service import Service


class Front:
    """The ASGI application in front of the services' own."""

    def __init__(self, applications: Mapping[str, FastAPI]) -> None:
        self.applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("path", "/").split("/", 2)[1]
        if app := self.applications.get(name):
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
        if path != "/":
            return problem(
                404, "http-404", f"no service of the name {name!r}; there are {', '.join(self.applications)}"
            )
        places = {name: {"openapi": f"/{name}/openapi.json", "ready": f"/{name}/ready", "metrics": f"/{name}/metrics"}
                  for name in self.applications}  # fmt: skip
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"name": "Cumulo", "ready": "/ready", "services": places})
        rows = "".join(
            f"<li>{escape(name)}: " + " · ".join(f'<a href="{url}">{word}</a>' for word, url in urls.items()) + "</li>"
            for name, urls in places.items()
        )
        return HTMLResponse(
            '<!doctype html><html lang="es"><meta charset="utf-8"><title>Cumulo</title><h1>Cumulo</h1>'
            f'<p><a href="/ready">ready</a></p><ul>{rows}</ul></html>'
        )
