"""What each service says of itself in OpenAPI: an example everywhere, valid; every problem told; the page of it."""

import importlib
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from shared.http.edge import application
from shared.runtime.settings import SERVICES, Settings

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
Operation = tuple[str, str, dict[str, Any]]


@lru_cache(maxsize=4)
def document_of(service: str) -> dict[str, Any]:
    definition = importlib.import_module(f"services.{service}.app").DEFINITION
    return application(definition, Settings(environment="test")).openapi()


def operations_of(service: str) -> Iterator[Operation]:
    for path, operations in document_of(service)["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def responses_of(service: str, operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document_of(service)["components"]["responses"][response["$ref"].rpartition("/")[2]]
        yield status, response


def _media(service: str, operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for parameter in operation.get("parameters", ()):
        yield f"parameter {parameter['name']}", parameter
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield "body", media
    for status, response in responses_of(service, operation):
        for media in response.get("content", {}).values():
            yield status, media


@pytest.mark.parametrize("service", SERVICES)
def test_every_parameter_body_and_answer_has_an_example_that_its_schema_allows(service: str) -> None:
    components = document_of(service)["components"]
    wrong: list[str] = []
    for path, method, operation in operations_of(service):
        for place, media in _media(service, operation):
            where = f"{method} {path} {place}"
            if "example" not in media:
                wrong.append(f"{where}: no example")
                continue
            schema = {**media.get("schema", {}), "components": components}
            found = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(media["example"])
            wrong += [f"{where}: {list(error.path)} {error.message}" for error in found]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_tells_its_problems_and_how_to_sign_in(service: str) -> None:
    document = document_of(service)
    assert document["openapi"].startswith("3.1")
    assert {one["type"] for one in document["components"]["securitySchemes"].values()} == {"http", "apiKey"}
    wrong: list[str] = []
    for path, method, operation in operations_of(service):
        told = dict(responses_of(service, operation))
        wanted = {"503"}
        if operation.get("security"):
            wanted |= {"401", "403"}
        if "{" in path:
            wanted |= {"404", "422"}
        if method != "get":
            wanted |= {"403", "413", "422"}
        if method != "get" and ("{" in path or "requestBody" in operation):
            wanted.add("409")
        if method == "patch" and "If-Match" in {one["name"] for one in operation["parameters"]}:
            wanted |= {"412", "428"}
        if missing := wanted - told.keys():
            wrong.append(f"{method} {path} lacks {sorted(missing)}")
        wrong += [
            f"{method} {path} {status} is no problem document"
            for status, response in told.items()
            if status.startswith("4") and "application/problem+json" not in response["content"]
        ]
        if not told.keys() & {"200", "201", "202", "204", "303"}:
            wrong.append(f"{method} {path} says of no success")
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_is_summed_up_and_called_by_a_verb_and_its_noun(service: str) -> None:
    names = [operation["operationId"] for _, _, operation in operations_of(service)]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    for path, method, operation in operations_of(service):
        assert 2 <= len(operation["summary"].split()) <= 14, f"{method} {path}"
        assert operation["tags"][0] in {tag["name"] for tag in document_of(service)["tags"]}, f"{method} {path}"


def test_a_command_tells_of_the_key_under_which_it_happens_once() -> None:
    found = {(path, method): operation for path, method, operation in operations_of("membership")}
    register = found["/membership/organizations", "post"]
    assert "Idempotency-Key" in {one["name"] for one in register["parameters"]}
    assert "Idempotency-Replayed" in register["responses"]["201"]["headers"]
    # a token is shown once, so that its answer is not kept
    assert "Idempotency-Key" not in {one["name"] for one in found["/membership/tokens", "post"].get("parameters", ())}


async def test_the_page_of_the_interfaces_takes_nothing_from_elsewhere(client_for: ClientFor) -> None:
    client = await client_for("membership", token=None)
    answer = await client.get("/api", params={"service": "reporting"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'data-document="/reporting/openapi.json"' in answer.text
    scripts = re.findall(r"<script(?![^>]*application/json)[^>]*>", answer.text)
    assert all(re.search(r'src="/static/[^"]+"', script) for script in scripts)
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text):
        assert (await client.get(address)).status_code == 200
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    unknown = await client.get("/api", params={"service": "elsewhere"}, headers={"Accept": "text/html"})
    assert (unknown.status_code, unknown.headers["location"]) == (303, "/api")
    assert "elsewhere" in unknown.cookies["cumulo_said"]
