"""What an address may carry: parameters that are known, for a program to the letter, for a person kindly."""

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import httpx
import pytest

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
HTML = {"Accept": "text/html", "Accept-Language": "es"}


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("membership", "/membership/organizations"), ("membership", "/membership/tasks"),
        ("reporting", "/reporting/indicators/members"), ("events", "/events/feed"),
    ],
)  # fmt: skip
async def test_a_parameter_that_a_list_does_not_know_is_refused_by_name(
    client_for: ClientFor, service: str, path: str
) -> None:
    client = await client_for(service)
    assert (await client.get(path)).status_code == 200
    answer = await client.get(path, params={"sort": "name"}, headers={"Accept-Language": "es"})
    assert (answer.status_code, answer.json()["field"]) == (422, "sort"), answer.text
    assert answer.json()["title"].startswith("sort: no hay tal parámetro aquí")


async def test_who_is_not_signed_in_is_told_that_first(client_for: ClientFor) -> None:
    client = await client_for("membership", token=None)
    assert (await client.get("/membership/organizations", params={"sort": "name"})).status_code == 401


async def test_a_page_passes_over_what_others_put_into_its_address(client_for: ClientFor) -> None:
    client = await client_for("membership")
    assert (await client.get("/register", params={"utm_source": "boletin"}, headers=HTML)).status_code == 200


async def test_a_page_leaves_out_what_it_cannot_take_keeps_the_rest_and_says_so(client_for: ClientFor) -> None:
    client = await client_for("reporting")
    asked = {"as_of": "nope", "by": "type"}
    answer = await client.get("/indicators", params=asked, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/indicators?by=type")
    words = unquote(answer.cookies["cumulo_said"])
    assert words.startswith("warn «nope» no se puede usar aquí y se omitió") and "as_of" not in words
    for_a_program = await client.get("/indicators", params=asked)
    assert (for_a_program.status_code, for_a_program.json()["field"]) == (422, "as_of")


@pytest.mark.parametrize("path", ["/register", "/", "/membership/organizations", "/membership/health"])
async def test_head_answers_as_get_without_a_body(client_for: ClientFor, path: str) -> None:
    client = await client_for("membership")
    got, head = await client.get(path, headers=HTML), await client.head(path, headers=HTML)
    assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_a_part_of_a_page_that_is_opened_by_itself_is_a_page(client_for: ClientFor) -> None:
    client = await client_for("membership")
    path = "/membership/pages/tasks"
    part = (await client.get(path, headers=HTML | {"HX-Request": "true"})).text
    whole = (await client.get(path, headers=HTML | {"Sec-Fetch-Dest": "document"})).text
    assert "<html" not in part and "<html" in whole and part.strip() in whole


async def test_what_was_written_while_the_sign_in_ran_out_is_still_there_to_send(client_for: ClientFor) -> None:
    client = await client_for("membership", token=None)
    form = {"legal_name": "Forjas <b>Uno</b>", "idempotency_key": "k-1"}
    here = HTML | {"Sec-Fetch-Site": "same-origin"}
    answer = await client.post("/access/invite", data=form, headers=here)
    assert answer.status_code == 401
    assert 'name="legal_name" value="Forjas &lt;b&gt;Uno&lt;/b&gt;"' in answer.text and 'value="k-1"' in answer.text
    assert 'action="/access/invite"' in answer.text and "Enviar de nuevo" in answer.text
    elsewhere = await client.post("/access/invite", data=form, headers=HTML | {"Sec-Fetch-Site": "cross-site"})
    assert elsewhere.status_code != 200 and "Forjas" not in elsewhere.text
