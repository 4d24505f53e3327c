"""Problems in the language of the request: refusals, errors at fields, and what the framework says no to."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter

from services.membership.app import DEFINITION
from shared.http.routes import Route
from shared.runtime.service import Definition
from tests.stack.people import somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
SPANISH, ENGLISH = {"Accept-Language": "es-MX,es;q=0.9"}, {"Accept-Language": "en"}


@pytest.fixture
async def client(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("membership", request_max_kilobytes=4)


async def organization(client: httpx.AsyncClient) -> str:
    answer = await client.post("/membership/organizations", json={"legal_name": f"Moldes {uuid4().hex[:8]}"})
    return str(answer.json()["id"])


async def test_the_same_refusal_is_told_in_both_languages_and_its_type_in_neither(client: httpx.AsyncClient) -> None:
    path = f"/membership/clusters/{uuid4()}"
    spanish, english = [await client.get(path, headers=headers) for headers in (SPANISH, ENGLISH)]
    id_ = path.rpartition("/")[2]
    assert spanish.json() == {**english.json(), "title": f"El clúster {id_} no existe"}
    assert english.json() == {
        "type": "urn:cumulo:problem:no-such-cluster", "title": f"there is no cluster {id_}", "status": 404,
        "field": "cluster_id",
    }  # fmt: skip
    assert [one.headers["content-language"] for one in (spanish, english)] == ["es", "en"]
    assert all("accept-language" in one.headers["vary"].lower() for one in (spanish, english))


async def test_words_and_days_within_a_refusal_are_in_its_language_too(client: httpx.AsyncClient) -> None:
    slug = f"c-{uuid4().hex[:8]}"
    founded = {"name": "Costa y Agave", "slug": slug, "state": "Jalisco", "since": "2020-09-01"}
    cluster = (await client.post("/membership/clusters", json=founded)).json()["id"]
    applied = {"cluster_id": cluster, "organization_id": await organization(client), "effective": "2026-03-31"}
    assert (await client.post("/membership/memberships", json=applied)).status_code == 201
    again = [await client.post("/membership/memberships", json=applied, headers=one) for one in (SPANISH, ENGLISH)]
    assert [one.json()["title"] for one in again] == [
        "Su solicitud del 31 mar 2026 está en solicitud", "its application of Mar 31, 2026 is applied",
    ]  # fmt: skip


async def test_what_is_wrong_in_a_field_is_told_in_spanish(client: httpx.AsyncClient) -> None:
    wrong: list[tuple[dict[str, object], str, str]] = [
        ({}, "legal_name", "Falta este dato"),
        ({"legal_name": " "}, "legal_name", "Faltan caracteres: mínimo 1"),
        ({"legal_name": "x" * 301}, "legal_name", "Sobran caracteres: máximo 300"),
        ({"legal_name": "Moldes\u0000"}, "legal_name", "Tiene un carácter nulo"),
        ({"legal_name": "Moldes", "type": "club"}, "type",
         "Debe ser 'company', 'university', 'research_centre', 'government' o 'association'"),
        ({"legal_name": "Moldes", "colour": 1}, "colour", "Este dato no se pide aquí"),
    ]  # fmt: skip
    for body, field, reason in wrong:
        answer = await client.post("/membership/organizations", json=body, headers=SPANISH)
        found = answer.json()
        assert (answer.status_code, found["errors"]) == (422, [{"field": field, "reason": reason}])
        assert (found["title"], found["type"]) == (f"{field}: {reason}", "urn:cumulo:problem:invalid-input")


async def test_a_validator_of_ours_says_its_reason_in_english_without_the_frameworks_words(
    client: httpx.AsyncClient,
) -> None:
    body = {"legal_name": None}
    path = f"/membership/organizations/{await organization(client)}"
    told = {}
    for language, headers in (("es", SPANISH), ("en", ENGLISH)):
        told[language] = (await client.patch(path, json=body, headers={**headers, "If-Match": "*"})).json()["errors"]
    assert told == {
        "es": [{"field": "body", "reason": "legal_name no puede quedar vacío"}],
        "en": [{"field": "body", "reason": "legal_name cannot be empty"}],
    }


async def test_unknown_routes_methods_and_large_bodies_are_refused_in_spanish(client: httpx.AsyncClient) -> None:
    path = "/membership/organizations"
    unknown = await client.get("/membership/no-such-route", headers=SPANISH)
    method = await client.put(path, headers=SPANISH)
    large = await client.post(path, content=b"x" * 5000, headers=SPANISH)
    broken = await client.post(path, content=b"{", headers=SPANISH | {"Content-Type": "application/json"})
    assert [(one.status_code, one.json()["title"]) for one in (unknown, method, large, broken)] == [
        (404, "Aquí no hay nada"), (405, "Esta dirección no acepta ese método"),
        (413, "El contenido pasa de 4 kB; no se cambió nada"), (422, "body: El contenido no es JSON"),
    ]  # fmt: skip
    assert method.headers["allow"]
    assert {one.headers["content-language"] for one in (unknown, method, large, broken)} == {"es"}


async def test_who_is_not_signed_in_or_asks_too_often_reads_why_in_spanish(client_for: ClientFor) -> None:
    client = await client_for("membership", token=None, public_url="http://test")
    nobody = await client.get("/membership/organizations", headers=SPANISH)
    forged = await client.get("/membership/organizations", headers=SPANISH | {"Authorization": "Bearer x"})
    mail = {"mail": f"{uuid4().hex}@red.example"}
    often = [await client.post("/membership/sign-in", json=mail, headers=SPANISH) for _ in range(6)][-1]
    elsewhere = await client.post("/membership/sign-in", json=mail, headers=SPANISH | {"Sec-Fetch-Site": "cross-site"})
    assert [(one.status_code, one.json()["title"]) for one in (nobody, forged, elsewhere)] == [
        (401, "Inicia sesión, o envía una clave de programa"), (401, "Esta clave no es de esta instalación"),
        (403, "Se envió desde una página de otro sitio; abre la página aquí y envíalo de nuevo"),
    ]  # fmt: skip
    assert (often.status_code, often.json()["title"]) == (
        429, f"Demasiados intentos; prueba de nuevo en {often.headers['retry-after']} segundos",
    )  # fmt: skip


async def test_a_request_that_takes_too_long_and_a_database_away_are_told_in_spanish(client_for: ClientFor) -> None:
    router = APIRouter(prefix="/membership", route_class=Route)

    @router.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    @router.get("/away")
    async def away() -> None:
        raise ConnectionRefusedError

    definition = Definition("membership", routers=(router,), policy=DEFINITION.policy)
    client = await client_for("membership", definition=definition, request_seconds=0.05)
    answers = [await client.get(f"/membership/{path}", headers=SPANISH) for path in ("slow", "away")]
    assert [(one.status_code, one.json()["title"]) for one in answers] == [
        (503, "Tardó más de 0.05 segundos y se interrumpió; no se cambió nada"),
        (503, "La base de datos no responde; intenta de nuevo"),
    ]


async def test_the_header_is_weighed_and_nonsense_in_it_is_english(client: httpx.AsyncClient) -> None:
    for header, language in (
        ("de, es;q=0.5", "es"),
        ("de, en;q=0.4, es; q=0.5", "es"),
        ("ES-mx", "es"),
        ("est, enm", "en"),
        ("es;q=0, en;q=0.1", "en"),
        ("*", "en"),
        ("", "en"),
        (None, "en"),
        (";;;,q=,=;es;q=high,\x7f", "en"),
        ("es;q=nan", "en"),
        ("x" * 5000, "en"),
    ):
        headers = {} if header is None else {"Accept-Language": header}
        answer = await client.get("/membership/nowhere", headers=headers)
        assert (header, answer.status_code, answer.headers["content-language"]) == (header, 404, language)


async def test_a_persons_own_language_goes_before_the_browsers(client_for: ClientFor) -> None:
    client = await client_for("membership", token=None)
    database = client.service.database  # type: ignore[attr-defined]
    lucia, program = (
        await somebody(database, "representative", "organization", uuid4()),
        await somebody(database, "service", kind="program"),
    )
    refused = [
        await client.post("/membership/clusters", json={"name": "X", "slug": "x", "state": "JAL"},
                          headers=one.headers | ENGLISH)
        for one in (lucia, program)
    ]  # fmt: skip
    assert [(one.status_code, one.json()["title"]) for one in refused] == [
        (403, "Tu rol no lo permite"), (403, "your role does not allow this"),
    ]  # fmt: skip


async def test_a_browser_gets_the_same_reason_as_a_page(client: httpx.AsyncClient) -> None:
    large = await client.post("/membership/organizations", content=b"x" * 5000, headers={"Accept": "text/html"})
    assert (large.status_code, large.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert "El contenido pasa de 4 kB" in large.text and large.headers["content-language"] == "es"
    unknown = await client.get(f"/organizations/{uuid4().hex}", headers={"Accept": "text/html"} | ENGLISH)
    assert (unknown.status_code, "There is no organisation" in unknown.text) == (404, True)
    spanish = await client.get(f"/organizations/{uuid4().hex}", headers={"Accept": "text/html"} | SPANISH)
    assert (spanish.status_code, "La organización" in spanish.text) == (404, True)
