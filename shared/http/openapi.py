"""What a service says of itself in OpenAPI 3.1: every problem that a route may answer with, and an example of each.

FastAPI writes the document from the routes; here it is completed from what the routes ask (who calls, a body, a
version, a key), so that it cannot lag behind them. What a route declares itself in `responses` stays.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from shared.http.examples import JSON, example
from shared.http.idempotency import HEADER, LONGEST
from shared.http.policy import Permission, present
from shared.http.problems import MEDIA_TYPE
from shared.http.routes import SAFE, Route

Document = dict[str, Any]

ABOUT = """\
Who calls says so with `Authorization: Bearer` and a program's token, or with the session's cookie of somebody who
signed in here. What a role may do: docs/roles.md.

Whatever is refused is answered with `application/problem+json` (RFC 9457): a stable `type`, the reason in words, the
`field` it is about. Nothing was changed then. Lists come a page at a time: `next` is the cursor of the following page.
A command that carries an `Idempotency-Key` happens once, however often it is sent. Days are ISO 8601, moments in UTC.
"""
_TAGS: Mapping[str, str] = {
    "organizations": "Companies, schools, public bodies and whoever else belongs to a cluster.",
    "memberships": "Which organisation belongs to which cluster: applied, accepted, in force, ended.",
    "clusters": "The clusters of the network.",
    "directory": "Who can do what, and where: companies by words and facets.",
    "duplicates": "Organisations that are likely the same.",
    "applications": "What a cluster asks for with an application, and what has come.",
    "contacts": "Writing to a company whose address stays hidden.",
    "segments": "Filters of the register under a name.",
    "prospects": "Companies that may join, before they apply.",
    "merges": "Two organisations that are one go on as one.",
    "profiles": "What an organisation can do: processes, products, certificates, plants; and the lists of their codes.",
    "people": "Who speaks for an organisation, as what; what they agreed to; what is held of them, and its erasure.",
    "members": "Memberships as this service knows them from the stream.",
    "gatherings": "What people attend: drafted, published, changed, postponed, cancelled, held.",
    "registrations": "Who comes, who waits, what they pay and why.",
    "attendance": "Who was there: scans with their own time, and the result in numbers.",
    "calendars": "A calendar program's address of what one takes part in.",
    "alerts": "Figures that somebody watches for a threshold.",
    "shared links": "Addresses by which somebody outside reads one figure until a day.",
    "announcements": "What is written to a whole segment of the register: prepared by one, released by another.",
    "inbox": "One's own notices, and what was read.",
    "preferences": "What one hears of, and where.",
    "messages": "Mails that were sent for facts, and what became of them.",
    "indicators": "Figures as of a day, as known on a day, and the facts behind them.",
    "stream": "Figures as they move.",
    "access": "Signing in and out, who may sign in and as what, tokens of programs.",
    "history": "Who changed what of a thing, when, why, from what to what.",
    "tasks": "Long work: how far it is, asking it to stop.",
    "feed": "What happened and what is, for programs that catch up over HTTP instead of over Kafka.",
    "operations": "Whether the service runs, and how.",
}
"""What a reader meets first stands first; a tag that is not among them stands behind, without words."""
_DONE: Mapping[str, str] = {"201": "It was made", "202": "It was taken on", "303": "Go there"}
_ONE: Mapping[str, str] = {"people": "person", "access": "", "history": "history", "directory": "directory"}
"""Tags whose singular is not the word without its s."""


class _Problem(NamedTuple):
    """A kind of refusal: its name among the responses, what it means, an example of its title and code."""

    name: str
    meaning: str
    code: str
    title: str
    more: Mapping[str, Any]


_OFTEN = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds until the next one counts"}}
_PROBLEMS: Mapping[int, _Problem] = {
    400: _Problem("Unreadable", "the body cannot be read", "http-400", "There was an error parsing the body", {}),
    401: _Problem("NotSignedIn", "nobody is signed in, or the sign-in has ended", "not-signed-in",
                  "sign in, or send a bearer token", {}),
    403: _Problem("NotAllowed", "the caller's role does not allow it, or not there", "not-yours",
                  "your role does not allow this", {"roles": ["coordinator"]}),
    404: _Problem("NotFound", "what was named does not exist", "no-such-organization",
                  "there is no organisation 0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e01", {"field": "organization_id"}),
    409: _Problem("Conflict", "the present state does not allow it", "slug-taken",
                  "this name in addresses is taken", {"field": "slug"}),
    412: _Problem("Changed", "it was changed since it was read", "changed-meanwhile",
                  "somebody changed this meanwhile; read it again", {"field": "If-Match"}),
    413: _Problem("TooLarge", "the body is larger than is taken", "too-large",
                  "the body is larger than 1024 kB; nothing was changed", {}),
    422: _Problem("Invalid", "something in it cannot be taken; `field` says what", "invalid-input",
                  "limit: Input should be less than or equal to 500",
                  {"field": "limit",
                   "errors": [{"field": "limit", "reason": "Input should be less than or equal to 500"}]}),
    428: _Problem("VersionNeeded", "it does not say which version it was made from", "version-needed",
                  'If-Match: send the ETag that was read, e.g. "3", or * for whatever is there', {"field": "If-Match"}),
    429: _Problem("TooOften", "too many attempts in too short a time", "too-often",
                  "too many attempts; try again in 60 seconds", {}),
    503: _Problem("Unavailable", "something it depends on does not answer, or it took too long; nothing was changed",
                  "unavailable", "the database does not answer; try again", {}),
}  # fmt: skip

SCHEMA: Document = {
    "title": "Problem",
    "description": "Why something was refused (RFC 9457). Nothing was changed.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "stable, one for each kind: urn:cumulo:problem:…"},
        "title": {"type": "string", "description": "the reason in words"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "field": {"type": "string", "description": "the input it is about"},
        "errors": {
            "type": "array",
            "description": "all that is wrong with the input",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
        "roles": {"type": "array", "items": {"type": "string"}, "description": "those that may"},
    },
}

EXAMPLE_KEY = "7b0e6a52-0c3f-4a6e-9d27-3d4be9d2a1c4"
_KEY: Document = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "sent again within a day with the same key, the command happens once and answers as it did",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
    "example": EXAMPLE_KEY,
}
_REPLAYED: Document = {
    "description": "true when this answer was kept from the first time",
    "schema": {"type": "string", "enum": ["true"]},
}


def spoken(route: APIRoute) -> str:
    """The operationId of a route, a verb and its noun: `list_clusters`, `read_cluster`, `approve_membership`.

    From the name of its function and its tag, unless the route says `operation_id` itself.
    """
    if "_" in route.name:
        return route.name
    tag = str(route.tags[0]) if route.tags else ""
    if route.methods and not route.methods - SAFE:
        return f"list_{tag}" if route.name == tag else f"read_{route.name}"
    return f"{route.name}_{_ONE.get(tag, tag.removesuffix('s'))}".rstrip("_")


def describe(app: FastAPI) -> None:
    """Lets the application complete its document with problems, examples and what a key does."""
    plain = app.openapi

    def openapi() -> Document:
        document = plain()
        if "Problem" not in document["components"]["schemas"]:
            _complete(app, document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(app: FastAPI, document: Document) -> None:
    components = document["components"]
    schemas: dict[str, Any] = components["schemas"]
    for left in ("HTTPValidationError", "ValidationError"):
        schemas.pop(left, None)
    schemas["Problem"] = SCHEMA
    used = {tag for operations in document["paths"].values() for one in operations.values() for tag in one["tags"]}
    document["tags"] = [{"name": tag, "description": words} for tag, words in _TAGS.items() if tag in used]
    components["responses"] = {kind.name: _response(status, kind) for status, kind in _PROBLEMS.items()}
    for path, method, route in _routes(app):
        operation = document["paths"].get(path, {}).get(method.lower())
        if operation is not None:
            _refusals(operation, method, route, schemas)
            _keyed(operation, method, route)
            _examples(operation, route, schemas)


def _response(status: int, kind: _Problem) -> Document:
    value = {"type": f"urn:cumulo:problem:{kind.code}", "title": kind.title, "status": status, **kind.more}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": value}}
    made: Document = {"description": kind.meaning[0].upper() + kind.meaning[1:], "content": content}
    return made | ({"headers": _OFTEN} if status == 429 else {})


def _routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                yield re.sub(r":[a-z]+}", "}", str(context.path)), method, route


def _asked(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _asked(inner)


def _refusals(operation: Document, method: str, route: APIRoute, schemas: Mapping[str, Any]) -> None:
    """The problems that follow from what the route takes and asks, besides those that it names itself."""
    responses: Document = operation["responses"]
    parameters = operation.get("parameters", ())
    places = {parameter["in"] for parameter in parameters}
    names = {parameter["name"].lower() for parameter in parameters} | _fields(operation, schemas)
    changes, takes = method not in SAFE, "requestBody" in operation
    found: set[int] = {503}
    if any(call is present or isinstance(call, Permission) for call in _asked(route.dependant)):
        found |= {401, 403}
    if changes:
        found |= {403, 413}  # sent by a page of another site; any body may be too large
    if changes and (takes or "path" in places):
        found.add(409)
    if takes:
        found.add(400)
    if "path" in places or (changes and any(name.endswith("_id") for name in names)):
        found.add(404)
    if places & {"path", "query", "header", "cookie"} or takes or (changes and isinstance(route, Route)):
        found.add(422)
    if "if-match" in names:
        found.add(412)
        if method != "POST":  # a change says which version it was made from, a step need not
            found.add(428)
    for status in sorted(found | {code for code in map(int, responses) if code in _PROBLEMS}):
        stated = responses.get(str(status))
        written = stated is not None and stated.get("content") and status != 422
        if not written:
            responses[str(status)] = {"$ref": f"#/components/responses/{_PROBLEMS[status].name}"}
    operation["responses"] = dict(sorted(responses.items()))


def _fields(operation: Document, schemas: Mapping[str, Any]) -> set[str]:
    """The names of the fields of a JSON body."""
    schema = operation.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
    options = schema.get("anyOf", [schema])
    return {name for one in options
            for name in schemas.get(one.get("$ref", "").rpartition("/")[2], one).get("properties", {})}  # fmt: skip


def _keyed(operation: Document, method: str, route: APIRoute) -> None:
    if method in SAFE or not isinstance(route, Route):
        return
    operation.setdefault("parameters", []).append(_KEY)
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response.setdefault("headers", {})["Idempotency-Replayed"] = _REPLAYED


def _examples(operation: Document, route: APIRoute, schemas: Mapping[str, Any]) -> None:
    for status, stated in route.responses.items():
        for kind, media in stated.get("content", {}).items():
            # as the route gives it: FastAPI leaves nulls out
            operation["responses"][str(status)]["content"][kind] |= media
    for parameter in operation.get("parameters", ()):
        if "example" not in parameter and "examples" not in parameter:
            parameter["example"] = example(parameter["schema"], schemas, parameter["name"])
    for media in operation.get("requestBody", {}).get("content", {}).values():
        _illustrate(media, schemas)
    for status, response in operation["responses"].items():
        if status.startswith("3"):
            response.pop("content", None)  # a redirect has none
        if response.get("description") == "Successful Response":
            response["description"] = _DONE.get(status, "Done")
        for media in response.get("content", {}).values():
            _illustrate(media, schemas)


def _illustrate(media: Document, schemas: Mapping[str, Any]) -> None:
    if "schema" in media and "example" not in media and "examples" not in media:
        media["example"] = example(media["schema"], schemas)
