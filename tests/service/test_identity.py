"""Who calls: forged, expired, foreign and withdrawn tokens open nothing, in any service, and say why."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import httpx
import orjson
import pytest
import uuid_utils.compat as uuid_utils
from joserfc.jwk import OKPKey

from shared.contracts.membership import AccessGrant, AccessState, Role, RoleScope
from shared.http.identity import COOKIE, save_access, signed
from tests.stack.people import KEY_ID, PRIVATE, somebody, token_of

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
NOW = datetime(2026, 3, 31, 18, 0, tzinfo=UTC)
READ = "/reporting/indicators"


@pytest.fixture
async def client(client_for: ClientFor) -> httpx.AsyncClient:
    return await client_for("reporting", token=None, clock=lambda: NOW)


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"}


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


async def test_a_session_opens_what_its_roles_allow(client: httpx.AsyncClient) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    person = await somebody(database, "coordinator", now=NOW)
    assert (await client.get(READ, headers=person.headers)).status_code == 200
    nobody = await somebody(database, None, now=NOW)
    refused = await client.get(READ, headers=nobody.headers)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:cumulo:problem:not-yours")
    assert "coordinator" in refused.json()["roles"]


async def test_tokens_that_are_none_of_ours_open_nothing(client: httpx.AsyncClient) -> None:
    person = await somebody(client.service.database, "coordinator", now=NOW)  # type: ignore[attr-defined]
    header, body, signature = person.token.split(".")
    other = OKPKey.generate_key("Ed25519").as_dict(private=True)
    foreign = {name: str(other[name]) for name in ("kty", "crv", "x", "d")}
    claims = {"iss": "cumulo", "sub": str(person.id), "iat": NOW.timestamp(), "exp": NOW.timestamp() + 600}
    as_none = _part({"alg": "none", "kid": str(KEY_ID)})
    as_hmac = f"{_part({'alg': 'HS256', 'kid': str(KEY_ID)})}.{_part(claims)}"
    mac = hmac.new(PRIVATE["x"].encode(), as_hmac.encode(), hashlib.sha256).digest()
    forged = {
        "algorithm none": f"{as_none}.{body}.",
        "algorithm none with the old signature": f"{as_none}.{body}.{signature}",
        "signed by the public key as if it were a secret": f"{as_hmac}.{base64.urlsafe_b64encode(mac).decode()}",
        "signed by another key under our kid": signed(claims, key_id=KEY_ID, private=foreign),
        "an unknown kid": signed(claims, key_id=uuid_utils.uuid7(), private=PRIVATE),
        "a changed claim": f"{header}.{_part({**claims, 'sub': str(uuid_utils.uuid7())})}.{signature}",
        "another issuer": token_of(person.id, now=NOW, iss="somebody"),
        "from the future": token_of(person.id, now=NOW + timedelta(hours=1)),
        "without an end": signed({k: v for k, v in claims.items() if k != "exp"}, key_id=KEY_ID, private=PRIVATE),
        "an end that is no number": token_of(person.id, now=NOW, exp="never"),
        "an infinite end": token_of(person.id, now=NOW, iat=1e300),
        "a subject that is no id": token_of(person.id, now=NOW, sub="coordinator"),
        "no token at all": "x", "dots": "..", "long": "a" * 5000, "not ASCII": "é.é.é",
    }  # fmt: skip
    for what, token in forged.items():
        answer = await client.get(READ, headers={b"Cookie": f"{COOKIE}={token}".encode()})
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:cumulo:problem:not-signed-in"), what
        answer = await client.get(READ, headers={b"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401, what


async def test_a_token_that_has_run_out_opens_nothing(client: httpx.AsyncClient) -> None:
    person = await somebody(client.service.database, "coordinator", now=NOW)  # type: ignore[attr-defined]
    old = token_of(person.id, now=NOW - timedelta(minutes=16))
    answer = await client.get(READ, headers=cookie(old))
    assert (answer.status_code, "sign in again" in answer.json()["title"]) == (401, True)


async def test_a_role_counts_in_its_days_only(client: httpx.AsyncClient) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    for since, until, expected in (
        (date(2026, 3, 31), None, 200), (date(2026, 4, 1), None, 403),
        (date(2026, 1, 1), date(2026, 4, 1), 200), (date(2026, 1, 1), date(2026, 3, 31), 403),
    ):  # fmt: skip
        person = await somebody(database, "coordinator", now=NOW, since=since, until=until)
        assert (await client.get(READ, headers=person.headers)).status_code == expected, (since, until)


@pytest.mark.parametrize("change", ["role withdrawn", "signed out everywhere", "signed out here", "erased"])
async def test_what_is_withdrawn_ends_with_the_next_record(client: httpx.AsyncClient, change: str) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    person = await somebody(database, "coordinator", now=NOW)
    session = uuid_utils.uuid7()
    token = token_of(person.id, now=NOW, sid=str(session))
    assert (await client.get(READ, headers=cookie(token))).status_code == 200
    grants = [AccessGrant(role="coordinator", scope="network", since=date(2020, 1, 1))]
    state = AccessState(
        subject_id=person.id, kind="person", name="x", language="es",
        grants=[] if change == "role withdrawn" else grants,
        not_before=NOW + timedelta(seconds=1) if change == "signed out everywhere" else NOW - timedelta(days=1),
        ended=[session] if change == "signed out here" else [],
    )  # fmt: skip
    async with database.connection() as connection:
        if change == "erased":
            await connection.execute("DELETE FROM access_copy WHERE subject_id = $1", person.id)
        else:
            await save_access(connection, [state])
    assert (await client.get(READ, headers=cookie(token))).status_code == (403 if change == "role withdrawn" else 401)


async def test_a_session_is_no_bearer_token_and_a_token_no_cookie(client: httpx.AsyncClient) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    person = await somebody(database, "coordinator", now=NOW)
    program = await somebody(database, "service", kind="program", now=NOW)
    assert (await client.get(READ, headers={"Authorization": f"Bearer {person.token}"})).status_code == 401
    assert (await client.get(READ, headers=cookie(program.token))).status_code == 401
    assert (await client.get(READ, headers=program.headers)).status_code == 200


async def test_a_program_keeps_to_its_services_and_its_time(client: httpx.AsyncClient) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    other = await somebody(database, "service", kind="program", now=NOW, services=["events"])
    answer = await client.get(READ, headers=other.headers)
    assert (answer.status_code, answer.json()["title"]) == (401, "this token is not for this service")


async def test_a_feed_opens_to_programs_of_the_whole_network_only(client: httpx.AsyncClient) -> None:
    database = client.service.database  # type: ignore[attr-defined]
    cluster = UUID(int=7)
    asked: list[tuple[Role, RoleScope, UUID | None, int]] = [
        ("service", "network", None, 200), ("service", "cluster", cluster, 403), ("partner", "network", None, 403),
    ]  # fmt: skip
    for role, scope, id_, expected in asked:
        program = await somebody(database, role, scope, id_, kind="program", now=NOW)
        assert (await client.get("/reporting/feed", headers=program.headers)).status_code == expected, (role, scope)


async def test_another_site_cannot_act_with_a_visitors_cookie(client_for: ClientFor) -> None:
    client = await client_for("membership", token=None)
    person = await somebody(client.service.database, "coordinator")  # type: ignore[attr-defined]
    opened = cookie(person.token)
    body = {"legal_name": "Troquelados Peña Alta"}
    for said, expected in (
        ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 201), ({"Origin": "http://test"}, 201),
    ):  # fmt: skip
        answer = await client.post("/membership/organizations", json=body, headers=opened | said)
        assert answer.status_code == expected, (said, answer.text)


async def test_the_installations_token_opens_everything_and_another_nothing(client_for: ClientFor) -> None:
    client = await client_for("membership")
    assert (await client.get("/membership/accounts")).status_code == 200
    stranger = await client_for("membership", token="token-of-somebody")
    assert (await stranger.get("/membership/accounts")).status_code == 401
