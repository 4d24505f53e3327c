"""Every route as every role, over its own and over a foreign cluster: as the policies say, and docs/roles.md.

A new route is asked by itself. What stands in no policy is open to nobody; the routes that ask nobody are listed
here by name, so that a forgotten question fails.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, get_args
from uuid import UUID, uuid4

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from services.cli import definitions
from services.membership.access.domain import SCOPES
from services.roles import Asks, page, policy_of, routes_of
from shared.contracts.membership import Role
from shared.contracts.publish import ROOT
from shared.http.edge import application
from shared.http.policy import Reach
from shared.runtime.service import Definition
from shared.runtime.settings import SERVICES, Settings
from shared.web.navigation import PAGES
from tests.stack.people import Somebody, somebody

ClientFor = Callable[..., Awaitable[httpx.AsyncClient]]
ROLES: tuple[Role, ...] = get_args(Role)
DEFINITIONS = definitions()
ROUTES = {
    name: sorted(set(routes_of(application(one, Settings(environment="test"))))) for name, one in DEFINITIONS.items()
}
OPEN = re.compile(
    r"/(membership|events|notifications|reporting)/(health|ready|metrics)$|/static/|/dev/|/language$|/door|/sign-in"
    r"|/membership/(sign-in|keys|me/renew)|/$|/api$|/companies$"
    r"|/calendar$|/calendar/(\{year\}$|.*\.ics$)|/agenda$|/agenda\.\{ending\}$|/agenda/\{slug\}(\.ics)?$|/ticket/|/unsubscribe/|/announcement/\{key\}$|/shared/\{key\}$|/check-in/\{code\}$"
)
"""What asks nobody: operations of the installation, static files, the door itself, the public keys, what is public."""
NOT_ASKED = re.compile(r"/stream$|/dev/|/static/|/sign-out|/door/leave")
"""Streams never end, and signing out would end the caller."""


@dataclass
class Side:
    """One cluster's world: what path parameters name in it, and texts that only its own people may read."""

    cluster: UUID
    organization: UUID
    names: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)


async def _side(staff: httpx.AsyncClient) -> Side:
    mark = uuid4().hex[:10]

    async def made(path: str, **body: Any) -> dict[str, Any]:
        answer = await staff.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    cluster = await made("/membership/clusters", name=f"Clúster {mark}", slug=f"c-{mark}", state="JAL")
    number = f"ZZ{chr(65 + int(mark[0], 16))}{10 + int(mark[1], 16)}0101{mark[2:4].upper()}0"
    organization = await made("/membership/organizations", legal_name=f"Moldes {mark}", tax_number=number)
    side = Side(UUID(cluster["id"]), UUID(organization["id"]))
    note = f"porque {mark}"
    membership = await made("/membership/memberships", organization_id=organization["id"], cluster_id=cluster["id"],
                            note=note)  # fmt: skip
    mail = f"rep-{mark}@moldes.example"
    account = await made("/membership/accounts", mail=mail, role="cluster_staff", cluster_id=cluster["id"])
    person = uuid_utils.uuid7()
    async with staff.service.database.connection() as connection:  # type: ignore[attr-defined]
        await connection.execute(
            "INSERT INTO person (id, organization_id, name, mail, mail_key, language, version)"
            " VALUES ($1, $2, $3, $4, $4, 'es', 1)",
            person, side.organization, f"Persona {mark}", f"persona-{mark}@moldes.example",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO person_organization (person_id, organization_id, role, main, period)"
            " VALUES ($1, $2, 'other', true, daterange('2026-01-01', NULL))", person, side.organization,
        )  # fmt: skip
    side.names = {
        "cluster_id": cluster["id"], "organization_id": organization["id"], "membership_id": membership["id"],
        "person_id": str(person), "account_id": account["account"]["id"],
        "grant_id": account["account"]["grants"][0]["id"], "slug": organization["slug"], "code": "letter",
    }  # fmt: skip
    side.secrets = [number, note, mail, membership["id"], f"persona-{mark}@moldes.example"]
    return side


async def _message(client: httpx.AsyncClient, side: Side) -> None:
    notice, message = uuid_utils.uuid7(), uuid_utils.uuid7()
    now = datetime.now(UTC)
    async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
        await connection.execute(
            "INSERT INTO notice (id, subject, organization_id, cluster_id, category, effective, noticed_at, open_until,"
            " cause) VALUES ($1, 'welcome', $2, $3, 'associate', $4, $5, $5, 'test')",
            notice, side.organization, side.cluster, date(2026, 1, 1), now,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO message (id, notice_id, person_id, subject, state, created_at, due_at)"
            " VALUES ($1, $2, $3, 'welcome', 'failed', $4, $4)",
            message, notice, uuid_utils.uuid7(), now,
        )  # fmt: skip
    side.names["message_id"] = str(message)
    side.secrets.append(str(message))


async def _standing(client: httpx.AsyncClient, side: Side) -> None:
    async with client.service.database.connection() as connection:  # type: ignore[attr-defined]
        await connection.execute(
            "INSERT INTO standing (membership_id, organization_id, cluster_id, category, standing, since)"
            " VALUES ($1, $2, $3, 'associate', 'active', '2026-01-01')",
            UUID(side.names["membership_id"]), side.organization, side.cluster,
        )  # fmt: skip


@dataclass
class Houses:
    """The four services, the own and the foreign side, and one person of each role, who holds it over the own one."""

    clients: Mapping[str, httpx.AsyncClient]
    own: Side
    foreign: Side
    people: Mapping[tuple[str, Role], Somebody]


@pytest.fixture
async def houses(client_for: ClientFor) -> Houses:
    staff = await client_for("membership")
    own, foreign = await _side(staff), await _side(staff)
    clients: dict[str, httpx.AsyncClient] = {name: await client_for(name, token=None) for name in SERVICES}
    for side in (own, foreign):
        await _message(clients["notifications"], side)
        await _standing(clients["events"], side)
    people: dict[tuple[str, Role], Somebody] = {}
    for name, client in clients.items():
        for role in ROLES:
            scope = SCOPES[role]
            id_ = {"network": None, "cluster": own.cluster, "organization": own.organization}[scope]
            people[name, role] = await somebody(
                client.service.database,  # type: ignore[attr-defined]
                role, scope, id_, kind="program" if role == "service" else "person",
            )  # fmt: skip
    return Houses(clients, own, foreign, people)


def _filled(path: str, side: Side) -> str:
    def named(found: re.Match[str]) -> str:
        name = found[1].split(":")[0]
        return side.names.get(name, str(UUID(int=1)))

    return re.sub(r"\{([^}]+)\}", named, path)


def _concerns_a_side(path: str) -> bool:
    """Whether the path names something that belongs to a cluster or organisation."""
    ours = {"membership_id", "person_id", "message_id", "organization_id", "account_id"}
    return bool(ours & set(re.findall(r"\{([a-z_]+)", path)))


def _expected(definition: Definition, asks: Asks, role: Role) -> Reach | None:
    """How far a role reaches on a route: as far as in the action that allows it least."""
    reaches = [policy_of(definition)[action].get(role) for action in asks.actions]
    if None in reaches or not reaches:
        return None
    return Reach.OWN if Reach.OWN in reaches else Reach.ALL


def test_the_page_of_roles_is_as_generated() -> None:
    applications = {name: application(one, Settings(environment="test")) for name, one in DEFINITIONS.items()}
    text = (ROOT / "docs/roles.md").read_text("utf-8")
    assert text == page(DEFINITIONS, applications), "let `uv run cumulo roles` write docs/roles.md"


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_asks_the_policy_or_is_known_to_ask_nobody(service: str) -> None:
    known = policy_of(DEFINITIONS[service])
    forgotten = [a for a in ROUTES[service] if not a.signed_in and not OPEN.search(a.path)]
    assert forgotten == []
    assert [a for a in ROUTES[service] if not set(a.actions) <= set(known)] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_route_opens_to_the_roles_of_its_action_and_to_no_other(houses: Houses, service: str) -> None:
    wrong: list[str] = []
    client = houses.clients[service]
    for asks in ROUTES[service]:
        if not asks.actions or NOT_ASKED.search(asks.path):
            continue
        for role in ROLES:
            headers = houses.people[service, role].headers | {"If-Match": "*"}
            reach = _expected(DEFINITIONS[service], asks, role)
            if reach is not None and asks.method == "DELETE":
                continue  # would take away what the next role asks for
            answer = await client.request(asks.method, _filled(asks.path, houses.own), headers=headers)
            refused = answer.status_code in (401, 403)
            if refused != (reach is None) or answer.status_code >= 500:
                wrong.append(f"{role}: {asks.method} {asks.path} -> {answer.status_code}, policy says {reach}")
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_held_over_one_cluster_opens_nothing_of_another(houses: Houses, service: str) -> None:
    wrong: list[str] = []
    client = houses.clients[service]
    for asks in ROUTES[service]:
        if not asks.actions or NOT_ASKED.search(asks.path) or not _concerns_a_side(asks.path):
            continue
        for role in ROLES:
            if _expected(DEFINITIONS[service], asks, role) is not Reach.OWN or SCOPES[role] == "network":
                continue
            headers = houses.people[service, role].headers | {"If-Match": "*"}
            answer = await client.request(asks.method, _filled(asks.path, houses.foreign), headers=headers, json={})
            if answer.status_code not in (403, 404):
                wrong.append(f"{role}: {asks.method} {asks.path} -> {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
async def test_no_list_page_export_or_fragment_shows_what_is_private_of_another_cluster(
    houses: Houses, service: str
) -> None:
    shown: list[str] = []
    client = houses.clients[service]
    for asks in ROUTES[service]:
        if asks.method != "GET" or NOT_ASKED.search(asks.path):
            continue
        for role in ROLES:
            if SCOPES[role] == "network":
                continue
            for side in (houses.own, houses.foreign):
                answer = await client.get(_filled(asks.path, side), headers=houses.people[service, role].headers,
                                          params={"limit": 500})  # fmt: skip
                given = set(_filled(asks.path, side).split("/"))
                leaks = [s for s in houses.foreign.secrets if s in answer.text and s not in given]
                if leaks:
                    shown.append(f"{role}: GET {asks.path} shows {leaks}")
    assert shown == []


async def test_nobody_who_is_not_signed_in_gets_further_than_the_door(houses: Houses) -> None:
    wrong: list[str] = []
    for service, client in houses.clients.items():
        for asks in ROUTES[service]:
            if not asks.signed_in or NOT_ASKED.search(asks.path):
                continue
            answer = await client.request(asks.method, _filled(asks.path, houses.own))
            if answer.status_code != 401:
                wrong.append(f"{asks.method} {asks.path} -> {answer.status_code}")
    assert wrong == []


def test_every_page_lies_under_an_address_that_leads_to_its_service() -> None:
    for name, routes in ROUTES.items():
        for route in routes:
            first = route.path.split("/", 2)[1].partition(".")[0]
            assert first in SERVICES or PAGES.get(first, "nowhere") in (name, None), route.path
