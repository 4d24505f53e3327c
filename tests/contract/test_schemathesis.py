"""What nobody would think of sending, sent to every route of every service: refused in words or done, never a fault.

Requests are generated from the services' own documents, the same in every run: valid and invalid ones, with ids of
what is there and of what is not. No answer may be undocumented, of another shape than documented, or slow.
"""

import dataclasses
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi import checks

from shared.http.edge import application
from shared.runtime.settings import SERVICES, Settings
from tests.conftest import TOKEN
from tests.stack import database
from tests.stack.database import Cluster

EXAMPLES = {"get": 6, "delete": 4, "patch": 16, "post": 16}
MORE = 40
"""Requests to each operation by its method; `-m slow` sends so many times more."""
SLOWEST_SECONDS = 5.0
ENDLESS = "/stream"
CALLER = {"Authorization": f"Bearer {TOKEN}"}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]

SettingsFor = Callable[..., Settings]


@pytest.fixture(scope="module")
async def strewn(postgres: Cluster) -> AsyncIterator[str]:
    """A database of its own for what is strewn about here."""
    name = f"{postgres.database}_strewn"
    await database.clone(postgres, name)
    yield name
    await database.drop(postgres, name)


@pytest.fixture(scope="module", autouse=True)
def _stopped(strewn: str) -> Iterator[None]:
    yield
    shutdown_lifespans()


def _opened(service: str, given_settings: Settings) -> Any:
    definition = importlib.import_module(f"services.{service}.app").DEFINITION
    app = application(dataclasses.replace(definition, consumers=(), loops={}), given_settings)
    return schemathesis.openapi.from_asgi(f"/{service}/openapi.json", app)


def _there(schema: Any, service: str) -> dict[str, str]:
    """Ids of what was put there, by the names of path parameters."""
    if service != "membership":
        return {"indicator": "members", "aggregate": "membership"}
    made: dict[str, str] = {"aggregate": "organization"}

    def put(path: str, name: str, body: dict[str, Any]) -> str:
        answer = schema[path]["POST"].Case(body=body, media_type="application/json").call(headers=CALLER)
        assert answer.status_code == 201, answer.text
        made[name] = answer.json()["account"]["id"] if name == "account_id" else answer.json()["id"]
        return made[name]

    cluster = put("/membership/clusters", "cluster_id", {"name": "Norte", "slug": "norte", "state": "NLE"})
    company = put("/membership/organizations", "organization_id", {"legal_name": "Forjas del Norte, S.A. de C.V."})
    put("/membership/memberships", "membership_id", {"organization_id": company, "cluster_id": cluster})
    put("/membership/accounts", "account_id", {"mail": "ana@red.example", "name": "Ana", "role": "coordinator"})
    made["person_id"] = made["account_id"]
    return made


def _send_everything(operation: Any, there: dict[str, str], count: int) -> None:
    known = {name: there[name] for name in (one.name for one in operation.path_parameters) if name in there}
    kinds = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    if known:
        kinds.append(operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=known))

    @given(case=st.one_of(kinds))
    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def send(case: Case) -> None:
        answer = case.call(headers=CALLER)
        assert answer.elapsed < SLOWEST_SECONDS
        case.validate_response(answer, checks=CHECKS, headers=CALLER)

    send()


def _send(service: str, given_settings: Settings, times: int) -> None:
    schema = _opened(service, given_settings)
    there = _there(schema, service)
    wrong: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith(ENDLESS):
            continue
        try:
            _send_everything(operation, there, EXAMPLES[operation.method.lower()] * times)
        except Exception as fault:
            wrong.append(f"{operation.label}: {fault!s}"[:1500])
    assert wrong == [], "\n\n".join(wrong)


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_sent_is_done_or_refused_as_documented(
    service: str, strewn: str, service_settings: SettingsFor, tmp_path: Path
) -> None:
    _send(service, service_settings(service, postgres_database=strewn, mail_folder=tmp_path), 1)


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_however_much_is_sent(service: str, strewn: str, service_settings: SettingsFor, tmp_path: Path) -> None:
    _send(service, service_settings(service, postgres_database=strewn, mail_folder=tmp_path), MORE)
