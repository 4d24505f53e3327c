"""The published language as one AsyncAPI 3.0 document: channels are topics, messages are contracts.

Made from the models and deploy/topics.yaml alone, so that two runs give the same text. Payloads stand in
it whole, without references to other files, since tools differ in how they follow those.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.base import Contract
from shared.contracts.schema import Schema, inlined, schema_of

LANGUAGE_VERSION = "1"
"""Of the document as a whole; every type carries its own version."""

_KAFKA_BINDING = "0.5.0"
# What the Kafka binding has a word for; other settings of a topic are the operator's business.
_TOPIC_SETTINGS = ("cleanup.policy", "retention.ms", "retention.bytes", "delete.retention.ms")

_HEADERS: dict[str, Schema] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "format": "uuid", "description": "UUIDv7; the same in every redelivery."},
    "ce_type": {"type": "string"},
    "ce_source": {"type": "string", "format": "uri-reference", "description": "The service, e.g. /membership."},
    "ce_subject": {"type": "string", "description": "Aggregate and id, e.g. membership/0198…"},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it was recorded."},
    "ce_dataschema": {"type": "string", "format": "uri"},
    "ce_version": {
        "type": "string",
        "pattern": "^[1-9][0-9]*$",
        "description": "Version of the aggregate. Facts: 1, 2, 3 … per key. States: a newer one replaces.",
    },
    "ce_actor": {"type": "string", "description": "Who did it."},
    "ce_cause": {"type": "string", "description": "Id of the request or event that led to it."},
    "ce_effective": {"type": "string", "format": "date", "description": "The day it counts from, where it happens."},
    "ce_traceparent": {"type": "string", "description": "W3C trace context."},
    "content-type": {"type": "string", "const": "application/json"},
}
_OPTIONAL_HEADERS = frozenset({"ce_effective", "ce_traceparent"})


def document(
    contracts: Iterable[Contract], topics: Iterable[Mapping[str, Any]], samples: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The AsyncAPI document. `topics` are entries of deploy/topics.yaml, `samples` golden CloudEvents by contract name.

    Raises `ValueError` for a contract whose topic is not listed.
    """
    by_topic: dict[str, list[Contract]] = {str(topic["name"]): [] for topic in topics}
    for contract in contracts:
        if contract.topic not in by_topic:
            raise ValueError(f"{contract.name}: its topic {contract.topic} is not in deploy/topics.yaml")
        by_topic[contract.topic].append(contract)
    listed = {str(topic["name"]): topic for topic in topics}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:cumulo",
        "info": {
            "title": "Cumulo",
            "version": LANGUAGE_VERSION,
            "description": "Facts and states of a network of industry clusters, as CloudEvents 1.0 over Kafka in "
            "binary mode. Topic names may carry a prefix of the installation. Ignore fields and types you do not know.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(listed[name], found) for name, found in by_topic.items()},
        "operations": {
            f"publish.{name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": f"The service {name.split('.', 1)[0]} publishes to {name}.",
            }
            for name in by_topic
        },
        "components": {
            "messages": {
                contract.name: _message(contract, samples.get(contract.name))
                for found in by_topic.values()
                for contract in found
            }
            | {"Erased": _erased()},
        },
    }


def _channel(topic: Mapping[str, Any], contracts: list[Contract]) -> dict[str, Any]:
    config = topic.get("config", {})
    settings = {name: config[name] for name in _TOPIC_SETTINGS if name in config}
    if "cleanup.policy" in settings:
        settings["cleanup.policy"] = [settings["cleanup.policy"]]
    names = [contract.name for contract in contracts] + (["Erased"] if topic["kind"] == "state" else [])
    return {
        "address": topic["name"],
        "description": "What happened, kept for ever; per key in order, each at least once."
        if topic["kind"] == "fact"
        else "How things are now, compacted by key; a record without a value erases its key.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic["name"],
                "partitions": topic["partitions"],
                **({"replicas": topic["replication"]} if topic.get("replication") else {}),
                "topicConfiguration": settings,
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _message(contract: Contract, sample: Mapping[str, Any] | None) -> dict[str, Any]:
    schema = {name: part for name, part in inlined(schema_of(contract)).items() if name not in ("$schema", "$id")}
    headers = {name: dict(part) for name, part in _HEADERS.items()}
    headers["ce_type"]["const"] = contract.type
    headers["ce_source"]["const"] = f"/{contract.service}"
    headers["ce_dataschema"]["const"] = contract.dataschema
    message: dict[str, Any] = {
        "name": contract.type,
        "title": f"{contract.model.__name__} v{contract.model.VERSION}",
        "summary": str(schema.pop("description", "")).split("\n", 1)[0],
        "contentType": "application/json",
        "headers": _header_schema(headers),
        "payload": schema,
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": _KAFKA_BINDING}},
    }
    if sample is not None:
        message["examples"] = [
            {
                "headers": {
                    "content-type" if name == "datacontenttype" else f"ce_{name}": str(value)
                    for name, value in sample.items()
                    if name != "data"
                },
                "payload": sample["data"],
            }
        ]
    return message


_KEY: Schema = {"type": "string", "format": "uuid", "description": "Id of the aggregate."}


def _erased() -> dict[str, Any]:
    return {
        "name": "Erased",
        "title": "A record without a value",
        "summary": "The state of this key is erased for good. Forget what you hold of it, whatever its headers say.",
        "headers": _header_schema(_HEADERS),
        "payload": {"type": "null"},
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": _KAFKA_BINDING}},
    }


def _header_schema(headers: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(headers),
        "required": [name for name in headers if name not in _OPTIONAL_HEADERS],
    }
