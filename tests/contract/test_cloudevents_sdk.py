"""The CloudEvents SDK as oracle: it reads what we write to the same event, and we read what it writes.

Both content modes of the Kafka binding, every contract's golden sample, and texts that tempt an encoder.
"""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
import uuid_utils.compat as uuid_utils
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_kafka_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import CONTRACTS, Contract
from shared.contracts.publish import ROOT
from shared.messaging.cloudevents import Received, headers_of, received, structured

EVERY = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.name)
TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=40)


def sample(contract: Contract) -> dict[str, Any]:
    path = ROOT / f"shared/contracts/samples/{contract.name}.json"
    event: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return event


def key_of(event: dict[str, Any]) -> str:
    return str(event["subject"]).rsplit("/", 1)[1]


def read(message: KafkaMessage, topic: str = "membership.membership") -> Received:
    """As our consumer loop reads a record."""
    key = message.key.encode() if isinstance(message.key, str) else message.key
    headers = list(message.headers.items())
    return received(topic=topic, partition=0, offset=0, timestamp=0, key=key, value=message.value, headers=headers)


def written(event: dict[str, Any]) -> KafkaMessage:
    """As our relay writes a record."""
    names = ("id", "type", "source", "subject", "time", "dataschema", "version", "actor", "cause")
    headers = headers_of(
        **{name: event[name] for name in names}, effective=event.get("effective"), traceparent=event.get("traceparent")
    )
    return KafkaMessage(dict(headers), key_of(event).encode(), orjson.dumps(event["data"]))


def assert_same(found: Received, event: dict[str, Any]) -> None:
    assert found.problem is None
    assert found.key == key_of(event)
    assert found.id == UUID(event["id"])
    assert found.type == event["type"]
    assert found.version == int(event["version"])
    assert found.time == datetime.fromisoformat(event["time"])
    assert found.effective == (date.fromisoformat(event["effective"]) if event.get("effective") else None)
    assert found.actor == event["actor"]
    assert found.cause == event["cause"]
    assert found.traceparent == event.get("traceparent")
    assert found.data is not None
    assert orjson.loads(found.data) == event["data"]


@EVERY
def test_the_sdk_reads_what_we_write_to_the_same_event(contract: Contract) -> None:
    event = sample(contract)
    seen = from_kafka_event(written(event))
    attributes = dict(seen.get_attributes())
    assert attributes.pop("partitionkey") == key_of(event)
    assert attributes.pop("time") == datetime.fromisoformat(event["time"])
    assert attributes == {name: value for name, value in event.items() if name not in ("data", "time")}
    assert seen.get_data() == event["data"]


@EVERY
def test_the_sdk_reads_our_structured_form_to_the_same_event(contract: Contract) -> None:
    event = sample(contract)
    data = event.pop("data")
    written_form = structured({n: v for n, v in event.items() if n not in ("specversion", "datacontenttype")}, data)
    seen = JSONFormat().read(None, orjson.dumps(written_form))
    assert seen.get_data() == data
    assert {**seen.get_attributes(), "time": event["time"]} == event


@EVERY
@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_we_read_what_the_sdk_writes_in_both_modes(contract: Contract, write: Any) -> None:
    event = sample(contract)
    attributes = {name: value for name, value in event.items() if name != "data"}
    attributes |= {"time": datetime.fromisoformat(event["time"]), "partitionkey": key_of(event)}
    assert_same(read(write(CloudEvent(attributes, event["data"])), contract.topic), event)


def test_we_read_binary_data_that_the_sdk_puts_into_a_structured_event() -> None:
    event = sample(next(iter(CONTRACTS.values())))
    attributes = {name: value for name, value in event.items() if name != "data"}
    attributes |= {"time": datetime.fromisoformat(event["time"]), "partitionkey": key_of(event)}
    message = to_structured_event(CloudEvent(attributes, json.dumps(event["data"]).encode()))
    assert b"data_base64" in message.value
    assert_same(read(message), event)


def test_the_sdk_reads_our_tombstone_as_an_event_without_data() -> None:
    event = sample(CONTRACTS["org.cumulo.membership.PersonState.v1"])
    message = written(event)
    seen = from_kafka_event(KafkaMessage(message.headers, message.key, b""))
    assert seen.get_data() is None
    assert seen.get_attributes()["partitionkey"] == key_of(event)


@given(
    name=TEXTS,
    actor=TEXTS,
    moment=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),
    hours=st.integers(-12, 14),
    version=st.integers(1, 2**63 - 1),
    mode=st.sampled_from([to_binary_event, to_structured_event]),
)
def test_any_text_instant_and_version_survives_the_way_through_the_sdk(
    name: str, actor: str, moment: datetime, hours: int, version: int, mode: Any
) -> None:
    event = sample(CONTRACTS["org.cumulo.membership.PersonState.v1"])
    event["data"]["name"] = name
    utc = moment.replace(tzinfo=UTC) - timedelta(hours=hours)
    event |= {"id": str(uuid_utils.uuid7()), "actor": actor, "version": str(version)}
    event["time"] = utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert_same(read(mode(from_kafka_event(written(event)))), event)
