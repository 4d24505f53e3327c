"""Addresses of pages that nobody would write: each parameter of each page with what is blank, too long or of another
kind is shown or refused in words, never a fault. Pages stand in no document, so that no sweep of one finds them.
"""

import importlib
import re
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from shared.http.edge import application
from shared.runtime.settings import SERVICES, Settings

ODD = (" ", "\x00", "x" * 5000)
NOBODY = "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e01"

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]


def pages_of(service: str) -> Iterator[tuple[str, set[str], set[str]]]:
    """Path, names in the path, names in the query of each page."""
    definition = importlib.import_module(f"services.{service}.app").DEFINITION
    for context in iter_route_contexts(application(definition, Settings(environment="test")).routes):
        route = context.original_route
        if isinstance(route, APIRoute) and not route.include_in_schema and "GET" in (route.methods or ()):
            path = re.sub(r":[a-z]+}", "}", str(context.path))
            if path.startswith("/dev/"):
                continue  # samples of components, which fail and dawdle on purpose
            yield path, set(re.findall(r"{(\w+)}", path)), set(_asked(route.dependant))


def _asked(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _asked(inner)


@pytest.mark.parametrize("service", SERVICES)
async def test_whatever_stands_in_the_address_of_a_page_is_no_fault(service: str, client_for: ClientFor) -> None:
    client = await client_for(service)
    client.headers["Accept"] = "text/html"
    for path, places, parameters in pages_of(service):
        plain = re.sub(r"{\w+}", NOBODY, path)
        tried = [(plain, {name: odd}) for name in parameters for odd in ODD]
        tried += [(re.sub(r"{\w+}", odd.strip().replace("%", "%25") or "-", path), {}) for odd in ODD if places]
        for address, query in tried:
            answer = await client.get(address.replace("\x00", "%00"), params=query)
            assert answer.status_code < 500, f"{address[:100]} {query}: {answer.status_code}"
