"""`cumulo parked` as an operator runs it: list, show, retry, drop."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import typer
import uuid_utils.compat as uuid_utils
from typer.testing import CliRunner, Result

from shared.messaging.cli import register
from shared.postgres.pool import Database
from shared.runtime.service import Definition
from tests.conftest import SettingsFor
from tests.service.bus.records import Effects, activated, item, person
from tests.service.bus.test_apply import settle

Cumulo = Callable[..., Awaitable[Result]]


@pytest.fixture
def cumulo(effects: Effects, service_settings: SettingsFor, monkeypatch: pytest.MonkeyPatch) -> Cumulo:
    """Runs a command against this worker's database; the service is reporting with this test's consumer."""
    settings = service_settings("reporting")
    assert settings.postgres_password is not None
    for name, value in {
        "HOST": settings.postgres_host, "PORT": str(settings.postgres_port), "DATABASE": settings.postgres_database,
        "PASSWORD": settings.postgres_password.get_secret_value(),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"CUMULO_POSTGRES_{name}", value)
    app = typer.Typer()
    register(app, lambda: {"reporting": Definition("reporting", consumers=[effects.consumer()])})

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, ["parked", *words])

    return run


async def listed(cumulo: Cumulo, effects: Effects) -> list[dict[str, Any]]:
    result = await cumulo("list", "--json")
    assert result.exit_code == 0, result.output
    return [event for event in json.loads(result.output) if event["consumer"] == effects.name]


async def test_an_operator_sees_why_mends_and_tries_again(
    cumulo: Cumulo, reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    await settle(reporting, effects, [item(activated(key), key, version) for version in (1, 2)])
    first, second = await listed(cumulo, effects)
    assert (first["key"], first["reason"], second["reason"]) == (
        str(key), "EventRefused: version 1 is refused by the test", None,
    )  # fmt: skip
    text = (await cumulo("list", "reporting")).output
    assert "version 1 is refused" in text
    assert "waits behind the one before" in text

    shown = json.loads((await cumulo("show", "reporting", str(first["number"]))).output)
    assert shown["record"]["value"]["membership_id"] == str(key)
    assert shown["record"]["headers"]["ce_version"] == "1"

    still = await cumulo("retry", "reporting", str(first["number"]))
    assert "0 applied, 0 outdated, 0 dropped, 2 still wait: EventRefused" in still.output
    effects.refused = set()
    done = json.loads((await cumulo("retry", "reporting", str(second["number"]), "--json")).output)
    assert (done["applied"], done["waiting"]) == (2, 0)
    assert [row[0] for row in await effects.rows(reporting.pool)] == [1, 2]
    assert await listed(cumulo, effects) == []


async def test_an_operator_gives_one_up_and_what_waited_is_applied(
    cumulo: Cumulo, reporting: Database, effects: Effects
) -> None:
    key = uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    await settle(reporting, effects, [item(activated(key), key, version) for version in (1, 2, 3)])
    number = (await listed(cumulo, effects))[0]["number"]
    done = await cumulo("drop", "reporting", str(number))
    assert "2 applied, 0 outdated, 1 dropped, 0 still wait" in done.output
    assert [row[0] for row in await effects.rows(reporting.pool)] == [2, 3]


async def test_one_event_that_cannot_be_tried_does_not_keep_others_from_it(
    cumulo: Cumulo, reporting: Database, effects: Effects
) -> None:
    stray, key = uuid_utils.uuid7(), uuid_utils.uuid7()
    effects.refused = {(str(key), 1)}
    await settle(reporting, effects, [item(person(stray), stray, 1)._replace(topic="membership.membership")])
    await settle(reporting, effects, [item(activated(key), key, 1)])
    effects.refused = set()
    await reporting.pool.execute("DELETE FROM parked_key WHERE consumer <> $1", effects.name)  # of other tests
    await reporting.pool.execute(
        "INSERT INTO parked_key (consumer, topic, key, since) VALUES ('bus.gone', 'x.y', 'k', '2020-01-01')"
    )
    done = json.loads((await cumulo("retry", "reporting", "--json")).output)
    await reporting.pool.execute("DELETE FROM parked_key WHERE consumer = 'bus.gone'")
    assert (done["applied"], done["waiting"]) == (1, 2)
    assert "belongs on the topic" in done["reason"]
    assert [row[0] for row in await effects.rows(reporting.pool, key)] == [1]


async def test_a_wrong_number_service_or_consumer_is_one_clear_line(cumulo: Cumulo) -> None:
    for words, said in (
        (("show", "reporting", "999999999"), "nothing is parked under number"),
        (("drop", "reporting", "999999999"), "nothing is parked under number"),
        (("list", "billing"), "there is no service"),
        (("show", "reporting", "0"), "greater than or equal to 1"),
    ):
        result = await cumulo(*words)
        assert result.exit_code != 0
        assert said in result.output + str(result.exception)
