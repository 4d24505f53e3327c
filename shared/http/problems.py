"""Answers to what goes wrong over HTTP: RFC 9457 problem details with a stable `type`, the field and the reason.

Bad input never becomes a 500: the driver's own complaints about values are problems of the request,
an unreachable database is 503, and only a fault of the program is 500, logged with its trace.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.postgres.pool import BAD_VALUE
from shared.refusal import Refusal

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, code: str, title: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One problem document; `code` is the last part of its `type`."""
    body = {"type": f"urn:cumulo:problem:{code}", "title": title, "status": status, **more}
    told = dict(headers or {})
    if status == 401:
        told["WWW-Authenticate"] = 'Bearer realm="cumulo"'
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=told)


def install(app: FastAPI) -> None:
    """Registers the handlers on a service's application. Browsers get pages, programs get documents."""
    from shared.web.errors import refusal_page, wants_html

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        if wants_html(request):
            return refusal_page(request, error.status, error.reason, roles=error.members.get("roles", ()))
        field = {"field": error.field} if error.field else {}
        return problem(error.status, error.code, error.reason, headers=error.headers, **field, **error.members)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [
            {"field": ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]), "reason": item["msg"]}
            for item in error.errors()
        ]
        first = errors[0]
        if wants_html(request):
            return refusal_page(request, 422, f"{first['field']}: {first['reason']}")
        return problem(
            422, "invalid-input", f"{first['field']}: {first['reason']}", field=first["field"], errors=errors
        )

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if wants_html(request):
            return refusal_page(request, error.status_code, str(error.detail))
        return problem(error.status_code, f"http-{error.status_code}", str(error.detail), headers=error.headers)

    async def bad_value(_: Request, error: Exception) -> JSONResponse:
        return problem(422, "invalid-input", "a value cannot be stored as it was given")

    async def violated(_: Request, error: Exception) -> JSONResponse:
        name = getattr(error, "constraint_name", None) or "a rule of the database"
        return problem(409, "conflict", f"the present state does not allow it ({name})")

    async def unavailable(request: Request, error: Exception) -> Response:
        if wants_html(request):
            return refusal_page(request, 503, "the database does not answer; try again")
        return problem(503, "unavailable", "the database does not answer; try again")

    async def broken(request: Request, error: Exception) -> Response:
        structlog.get_logger().error("http.failed", path=request.url.path, exc_info=error)
        if wants_html(request):
            return refusal_page(request, 500, "a fault of the program; it was logged")
        return problem(500, "internal", "a fault of the program; it was logged")

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    for kind in BAD_VALUE:
        app.add_exception_handler(kind, bad_value)
    app.add_exception_handler(asyncpg.IntegrityConstraintViolationError, violated)
    for kind in (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError,
                 asyncpg.AdminShutdownError, OSError, TimeoutError):  # fmt: skip
        app.add_exception_handler(kind, unavailable)
    app.add_exception_handler(Exception, broken)
