"""What nobody would think of sending, sent to every route of every service: refused in words or done, never a fault.

No answer may be a fault of the program, undocumented, of another type or shape than documented, or slower than five
seconds. A few thousand requests in the default run; `uv run pytest -n 0 -m slow tests/contract/test_schemathesis.py`
sends many more.
"""

import asyncio
import dataclasses
import importlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from shared.http import openapi, problems
from shared.http.edge import application
from shared.runtime.settings import SERVICES, Settings
from tests.conftest import TOKEN
from tests.contract.sweep import ENDLESS, Extent, Swept, opened, sweep
from tests.stack import database
from tests.stack.database import Cluster

CALLER = {"Authorization": f"Bearer {TOKEN}"}
SAMPLE = Extent(drawn=5, thinned=4)
NOBODY = Extent(drawn=2, limits=False)
EVERYTHING = Extent(drawn=150, stateful=True)

SettingsFor = Callable[..., Settings]


@pytest.fixture(scope="module")
async def strewn(postgres: Cluster) -> AsyncIterator[str]:
    """A database of its own for what is strewn about here."""
    name = f"{postgres.database}_strewn"
    await database.clone(postgres, name)
    async with postgres.connection(database=name) as admin:  # who holds an event comes from membership's stream
        await admin.execute(
            "WITH known AS (INSERT INTO events.cluster_network VALUES ($1, $1))"
            " INSERT INTO events.cluster (cluster_id, slug, name, zone, language)"
            " VALUES ($1, 'norte', 'Norte', 'America/Monterrey', 'es')", uuid_utils.uuid7(),
        )  # fmt: skip
    yield name
    await database.drop(postgres, name)


def _application(service: str, given: Settings) -> FastAPI:
    definition = importlib.import_module(f"services.{service}.app").DEFINITION
    return application(dataclasses.replace(definition, consumers=(), loops={}), given)


def _put_there(schema: Any, service: str) -> dict[str, str]:
    """Ids of what was put there, by the names of parameters and fields."""
    if service == "events":
        return _event(schema)
    if service != "membership":
        return {}
    made: dict[str, str] = {}

    def put(path: str, name: str, body: dict[str, Any]) -> str:
        answer = schema[path]["POST"].Case(body=body, media_type="application/json").call(headers=CALLER)
        assert answer.status_code == 201, answer.text
        told = answer.json()["account"] if name == "account_id" else answer.json()
        made[name] = told["id"]
        if grants := told.get("grants"):
            made["grant_id"] = grants[0]["id"]
        return made[name]

    cluster = put("/membership/clusters", "cluster_id", {"name": "Norte", "slug": "norte", "state": "NLE"})
    company = put("/membership/organizations", "organization_id", {"legal_name": "Forjas del Norte, S.A. de C.V."})
    put("/membership/memberships", "membership_id", {"organization_id": company, "cluster_id": cluster})
    put("/membership/accounts", "account_id", {"mail": "ana@red.example", "name": "Ana", "role": "coordinator"})
    put("/membership/tokens", "token_id", {"name": "Contabilidad"})
    made["person_id"] = made["account_id"]
    return made


def _event(schema: Any) -> dict[str, str]:
    """A published event with somebody who has a place and somebody who waits."""

    def post(path: str, body: dict[str, Any], **places: str) -> Any:
        case = schema[path]["POST"].Case(body=body, path_parameters=places, media_type="application/json")
        answer = case.call(headers=CALLER)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    body = {"kind": "webinar", "title": "Seminario", "mode": "online", "capacity": 1,
            "starts": "2190-05-14T15:00:00Z", "ends": "2190-05-14T16:00:00Z"}  # fmt: skip
    id_ = post("/events/gatherings", body)["id"]
    post("/events/gatherings/{gathering_id}/publish", {}, gathering_id=id_)
    people = [{"name": name, "mail": f"{name.lower()}@red.example"} for name in ("Ana", "Eva")]
    made = post("/events/gatherings/{gathering_id}/registrations", {"people": people}, gathering_id=id_)
    return {"gathering_id": id_, "registration_id": made[1]["id"]}


def _swept(service: str, given: Settings, extent: Extent, *, caller: bool = True) -> Swept:
    with opened(_application(service, given), CALLER if caller else {}, extent) as schema:
        return sweep(schema, extent, _put_there(schema, service) if caller else None)


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_sent_is_done_or_refused_as_documented(
    service: str, strewn: str, service_settings: SettingsFor, tmp_path: Path
) -> None:
    swept = _swept(
        service,
        service_settings(service, postgres_database=strewn, mail_folder=tmp_path, files=str(tmp_path / "f")),
        SAMPLE,
    )
    assert swept.faults == [], "\n\n".join(swept.faults)
    streams = {label for label, one in swept.operations.items() if one["operationId"] in ENDLESS}
    assert swept.statuses.keys() == swept.operations.keys() - streams


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_token_nothing_is_done_and_nothing_betrayed(
    service: str, strewn: str, service_settings: SettingsFor, tmp_path: Path
) -> None:
    given = service_settings(service, postgres_database=strewn, mail_folder=tmp_path, files=str(tmp_path / "f"))
    swept = _swept(service, given, NOBODY, caller=False)
    assert swept.faults == [], "\n\n".join(swept.faults)
    for label, counted in swept.statuses.items():
        if swept.operations[label].get("security"):
            assert counted[401], label
            assert counted.keys() <= {400, 401, 422}, f"{label}: {dict(counted)}"


def test_the_sweep_finds_what_is_planted() -> None:
    app = FastAPI(openapi_url="/planted/openapi.json", generate_unique_id_function=openapi.spoken)
    problems.install(app, "membership")
    routes = APIRouter(prefix="/planted", tags=["planted"])

    @routes.get("/fault/{number}", responses={500: {"description": "told, and a fault all the same"}})
    async def fault(number: int, response: Response) -> None:
        response.status_code = 500

    @routes.get("/undocumented")
    async def undocumented(response: Response) -> None:
        response.status_code = 418

    @routes.get("/other-type", responses={200: {"model": int}})
    async def other_type() -> Response:
        return PlainTextResponse("1")

    @routes.get("/other-shape", responses={200: {"model": Shape}})
    async def other_shape() -> Response:
        return JSONResponse({"number": "twelve"})

    @routes.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(0.3)

    @routes.get("/sound")
    async def sound() -> Shape:
        return Shape(number=12)

    app.include_router(routes)
    openapi.describe(app)
    extent = dataclasses.replace(NOBODY, slowest=0.2)
    with opened(app, {}, extent) as schema:
        swept = sweep(schema, extent)
    found = {tuple(fault.split(": ")[:2]) for fault in swept.faults}
    assert found == {
        ("GET /planted/fault/{number}", "not_a_server_error"),
        ("GET /planted/undocumented", "status_code_conformance"),
        ("GET /planted/other-type", "content_type_conformance"),
        ("GET /planted/other-shape", "response_schema_conformance"),
        ("GET /planted/slow", "max_response_time"),
    }


class Shape(BaseModel):
    """What two planted routes say that they answer."""

    number: int


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_however_much_is_sent(service: str, strewn: str, service_settings: SettingsFor, tmp_path: Path) -> None:
    swept = _swept(
        service,
        service_settings(service, postgres_database=strewn, mail_folder=tmp_path, files=str(tmp_path / "f")),
        EVERYTHING,
    )
    assert swept.faults == [], "\n\n".join(swept.faults)
