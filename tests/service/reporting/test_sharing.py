"""Links by which a partner reads one figure: shown once, opened without signing in, ended by day or by taking back."""

from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.stack.people import Somebody, somebody

NOW = datetime(2027, 3, 10, 18, tzinfo=UTC)
HTML = {"Accept": "text/html", "Accept-Language": "es"}
LINKS = "/reporting/shared-links"
BODY = {"label": "Secretaría de Economía", "indicator": "members", "dimension": "type", "until": "2027-03-31"}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(client_for: ClientFor, clock: Clock) -> httpx.AsyncClient:
    return await client_for("reporting", token=None, clock=clock)


async def coordinator(databases: dict[str, Database], now: datetime = NOW) -> Somebody:
    return await somebody(databases["reporting"], "coordinator", now=now)


async def test_a_link_opens_until_its_day_is_over(
    client: httpx.AsyncClient, databases: dict[str, Database], clock: Clock
) -> None:
    mariana = await coordinator(databases)
    made = await client.post(LINKS, json=BODY, headers=mariana.headers)
    assert made.status_code == 201, made.text
    path = made.json()["address"].removeprefix("http://test")
    page = await client.get(path, headers=HTML)
    assert (page.status_code, "Membresías" in page.text) == (200, True), page.text
    assert "/facts" not in page.text
    [listed] = [one for one in (await client.get(LINKS, headers=mariana.headers)).json()
                if one["id"] == made.json()["id"]]  # fmt: skip
    assert (listed["opened"], "address" in listed) == (1, False)
    async with databases["reporting"].connection() as connection:
        rows = await connection.fetch("SELECT shared_link::text AS line FROM shared_link")
    assert path.rpartition("/")[2] not in str([row["line"] for row in rows])

    clock.now = datetime(2027, 4, 1, 18, tzinfo=UTC)
    ended = await client.get(path, headers=HTML)
    assert (ended.status_code, "terminó el" in ended.text) == (410, True)


async def test_a_link_that_was_taken_back_opens_nothing(
    client: httpx.AsyncClient, databases: dict[str, Database]
) -> None:
    mariana = await coordinator(databases)
    rebeca = await somebody(databases["reporting"], "cluster_director", "cluster", mariana.id, now=NOW)
    lucia = await somebody(databases["reporting"], "representative", "organization", mariana.id, now=NOW)
    made = (await client.post(LINKS, json=BODY, headers=mariana.headers)).json()
    path = made["address"].removeprefix("http://test")
    assert (await client.post(LINKS, json=BODY, headers=lucia.headers)).status_code == 403
    assert (await client.delete(f"{LINKS}/{made['id']}", headers=rebeca.headers)).status_code == 404
    assert made["id"] not in (await client.get(LINKS, headers=rebeca.headers)).text
    for _ in range(2):
        assert (await client.delete(f"{LINKS}/{made['id']}", headers=mariana.headers)).status_code == 204
    gone = await client.get(path, headers=HTML)
    assert (gone.status_code, "se retiró" in gone.text) == (410, True)
    assert (await client.get("/shared/nonsense", headers=HTML)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"until": "2027-03-09"}, "until"),
        ({"until": (date(2027, 3, 10) + timedelta(days=400)).isoformat()}, "until"),
        ({"until": "soon"}, "until"),
        ({"indicator": "turnover"}, "indicator"),
        ({"indicator": "gatherings", "dimension": "position"}, "dimension"),
        ({"label": " "}, "label"),
        ({"since": "2027-01-01"}, "since"),
    ],
)
async def test_what_no_link_can_show_is_refused_at_its_field(
    client: httpx.AsyncClient, databases: dict[str, Database], wrong: dict[str, str], field: str
) -> None:
    mariana = await coordinator(databases)
    answer = await client.post(LINKS, json=BODY | wrong, headers=mariana.headers)
    assert answer.status_code in (404, 422), answer.text
    assert field in answer.text


async def test_a_coordinator_shares_by_page_and_sees_the_address_once(
    client: httpx.AsyncClient, databases: dict[str, Database]
) -> None:
    mariana = await coordinator(databases)
    html = mariana.headers | HTML
    assert "/indicators/shared" in (await client.get("/indicators", headers=html)).text
    form = {"indicator": "attendance", "dimension": "kind", "label": "Agencia", "until": "2027-06-30", "as_of": ""}
    wrong = await client.post("/indicators/shared", headers=html, data=form | {"until": "", "label": ""})
    assert (wrong.status_code, "Escribe un día" in wrong.text, "para quién es" in wrong.text) == (422, True, True)
    done = await client.post("/indicators/shared", headers=html, data=form)
    assert done.status_code == 200, done.text
    start = done.text.index("http://test/shared/")
    address = done.text[start : done.text.index("<", start)].split('"')[0]
    opened = await client.get(address.removeprefix("http://test"), headers=HTML)
    assert "Asistencias" in opened.text
    listed = (await client.get("/indicators/shared", headers=html)).text
    assert address not in listed
    assert "Agencia" in listed
