"""Answers to what goes wrong over HTTP: RFC 9457 problem details with a stable `type`, the field and the reason.

Bad input never becomes a 500, and only a fault of the program does. Whoever asks reads it in their language: a
browser as a page, a program as a document; `type` and the names of fields are the same in all of them.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.postgres.pool import BAD_VALUE
from shared.refusal import Refusal

if TYPE_CHECKING:
    from shared.web.language import Language

MEDIA_TYPE = "application/problem+json"
VARY = "Accept-Language, Cookie"
"""What the language of a problem depends on: the header, and by the cookie the person's own or the page's switch."""


def problem(
    status: int, code: str, title: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """One problem document; `code` is the last part of its `type`."""
    body = {"type": f"urn:cumulo:problem:{code}", "title": title, "status": status, **more}
    told = dict(headers or {})
    if status == 401:
        told["WWW-Authenticate"] = 'Bearer realm="cumulo"'
    return JSONResponse(body, status, media_type=MEDIA_TYPE, headers=told)


def reader_of(request: Request) -> "Language":
    """The language in which a problem is told, with the words of this service: as pages, but English for programs
    that name none."""
    from shared.web.errors import wants_html
    from shared.web.shell import pages_of

    application = request.scope.get("app")
    package = getattr(application.state, "package", None) if application is not None else None
    pages = pages_of(package or "shared.web")
    return pages.language(request, getattr(request.state, "viewer", None), "es" if wants_html(request) else "en")


def refuse(request: Request, status: int, code: str, template: str, **values: Any) -> Response:
    """A problem that no refusal stands for, from a template with its values."""
    from shared.web.refusals import told

    said = reader_of(request)
    return _answer(request, said, status, code, told(said, template, values))


def _answer(
    request: Request, said: "Language", status: int, code: str, title: str, *,
    headers: Mapping[str, str] | None = None, **members: Any,
) -> Response:  # fmt: skip
    from shared.web.errors import refusal_page, wants_html

    spoken = {"Content-Language": said.code}
    if wants_html(request):
        page = refusal_page(request, status, title, roles=members.get("roles", ()))
        page.headers.update({**(headers or {}), **spoken})
        return page
    return problem(status, code, title, headers={**(headers or {}), **spoken, "Vary": VARY}, **members)


def _field(error: Mapping[str, Any]) -> str:
    """The input that an error of a validation is about: `positions.0.since`, or the body as a whole."""
    place = error["loc"]
    if error["type"] == "json_invalid":  # behind it stands a position in the text
        return str(place[0])
    return ".".join(str(part) for part in place[1:]) or str(place[0])


def _phrase(said: "Language", error: HTTPException) -> str:
    """What an error of the framework says; when it has no translation, the name of its status has."""
    detail = str(error.detail)
    text = said(detail)
    return text if text != detail or said.code == "en" else said(HTTPStatus(error.status_code).phrase)


def _without_what_is_wrong(request: Request, errors: Sequence[Any]) -> tuple[str, str] | None:
    """Where a page is without the parameters of its address that it cannot take, and the first such value.

    None for whoever asks for no page, and where something lacks: without more it would lack still.
    """
    from shared.web.errors import wants_html

    wrong = {str(one["loc"][1]) for one in errors if one["loc"][0] == "query" and one["type"] != "missing"}
    whole = len(wrong) > 0 and all(one["loc"][0] == "query" and one["type"] != "missing" for one in errors)
    if request.method not in ("GET", "HEAD") or not whole or not wants_html(request):
        return None
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in wrong]
    first = str(errors[0]["loc"][1])
    text = request.query_params.get(first, "")
    return request.url.path + (f"?{urlencode(kept)}" if kept else ""), text[:60]


def install(app: FastAPI, name: str) -> None:
    """Registers the handlers on the application of the service of that name."""
    from shared.web import refusals
    from shared.web.errors import left_out, written

    app.state.package = f"services.{name}"  # where its words are: `<package>/locale`

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        said = reader_of(request)
        field = {"field": error.field} if error.field else {}
        if error.status == 401 and (kept := await written(request)) is not None:
            return kept
        return _answer(
            request, said, error.status, error.code, refusals.reason(said, error),
            headers=error.headers, **field, **error.members,
        )  # fmt: skip

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        said = reader_of(request)
        if (again := _without_what_is_wrong(request, error.errors())) is not None:
            address, text = again
            return left_out(request, address, text, refusals.unfit(said, error.errors()[0]))
        errors = [{"field": _field(item), "reason": refusals.unfit(said, item)} for item in error.errors()]
        first = errors[0]
        title = f"{first['field']}: {first['reason']}"
        return _answer(request, said, 422, "invalid-input", title, field=first["field"], errors=errors)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = reader_of(request)
        status = error.status_code
        return _answer(request, said, status, f"http-{status}", _phrase(said, error), headers=error.headers)

    async def bad_value(request: Request, error: Exception) -> Response:
        return refuse(request, 422, "invalid-input", "a value cannot be stored as it was given")

    async def violated(request: Request, error: Exception) -> Response:
        rule = getattr(error, "constraint_name", None)
        if rule is None:
            return refuse(request, 409, "conflict", "the present state does not allow it (a rule of the database)")
        return refuse(request, 409, "conflict", "the present state does not allow it ({rule})", rule=rule)

    async def unavailable(request: Request, error: Exception) -> Response:
        return refuse(request, 503, "unavailable", "the database does not answer; try again")

    async def broken(request: Request, error: Exception) -> Response:
        structlog.get_logger().error("http.failed", path=request.url.path, exc_info=error)
        return refuse(request, 500, "internal", "a fault of the program; it was logged")

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
