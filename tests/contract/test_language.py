"""What every contract keeps: facts hold nothing that must ever be erased, topics and committed files fit the models.

The committed schemas, samples and AsyncAPI document are read here as a subscriber would read them.
"""

import json
import re
import types
import typing
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel, StringConstraints, ValidationError

from shared.contracts import CONTRACTS, Contract, membership
from shared.contracts.publish import ROOT, Published

FOLDER = ROOT / "shared/contracts"
FACTS = [contract for contract in CONTRACTS.values() if contract.kind == "fact"]
EVERY = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.name)


def loaded(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def free_texts(annotation: Any, metadata: tuple[Any, ...] = ()) -> list[str]:
    """The parts of a type that could hold a name or a sentence; empty when there are none."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        return free_texts(inner, (*metadata, *marks))
    if origin is Literal:
        return []
    if origin in (typing.Union, types.UnionType, list, tuple):
        return [text for part in get_args(annotation) for text in free_texts(part, metadata)]
    if annotation in (int, bool, date, datetime, UUID, type(None)):
        return []
    if annotation is str:
        patterns = [str(mark.pattern) for mark in metadata if isinstance(mark, StringConstraints) and mark.pattern]
        bounded = any(
            p.startswith("^") and p.endswith("$") and not re.search(r"[*+] ?|\{\d*,\}|[. ]", bare(p)) for p in patterns
        )
        return [] if bounded else ["str"]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [
            f"{name}: {text}"
            for name, field in annotation.model_fields.items()
            for text in free_texts(field.annotation, tuple(field.metadata))
        ]
    return [repr(annotation)]


def bare(pattern: str) -> str:
    """A pattern without its character classes, so that a quantifier or a dot outside them shows."""
    classes = re.findall(r"\[[^\]]*\]", pattern)
    assert not any(" " in c or "^" in c[1:2] for c in classes), f"{pattern} lets words through"
    return re.sub(r"\[[^\]]*\]", "c", pattern)


@pytest.mark.parametrize("contract", FACTS, ids=lambda contract: contract.name)
def test_a_fact_holds_only_ids_codes_numbers_and_dates(contract: Contract) -> None:
    assert free_texts(contract.model) == []


def test_a_free_text_planted_in_a_fact_is_found() -> None:
    class Inner(BaseModel):
        remark: str

    class Planted(BaseModel):
        note: str | None
        names: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z ]+$")]] = []
        endless: Annotated[str, StringConstraints(pattern=r"^[a-z]+$")]
        nested: list[Inner]

    with pytest.raises(AssertionError, match="lets words through"):
        free_texts(Planted)
    Planted.model_fields.pop("names")
    assert free_texts(Planted) == ["note: str", "endless: str", "nested: remark: str"]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("country", ["MX", "US", "IN"], ["mx", "MEX", "México", ""]),
        ("state", ["JAL", "NLE", "CA", "09"], ["Jalisco", "MX-JAL", "", "JALI"]),
        ("zone", ["America/Mexico_City", "America/Argentina/Buenos_Aires", "Asia/Kolkata", "UTC"],
         ["Mariana Ibarra Quiroz", "America", "America/", "CST6CDT", "America/Ciudad de México"]),
    ],
)  # fmt: skip
def test_codes_are_codes(field: str, good: list[str], bad: list[str]) -> None:
    founded = {
        "cluster_id": "0198a3c0-0000-7000-8000-000000000001",
        "network_id": "0198a3c0-0000-7000-8000-000000000002",
        "country": "MX",
        "state": "JAL",
        "zone": "America/Mexico_City",
    }
    for value in good:
        membership.ClusterFounded.read(json.dumps({**founded, field: value}))
    for value in bad:
        with pytest.raises(ValidationError):
            membership.ClusterFounded.read(json.dumps({**founded, field: value}))


def test_a_person_stands_in_no_fact() -> None:
    assert not [c.name for c in FACTS if any("person" in name for name in c.model.model_fields)]


@EVERY
def test_the_producer_is_strict_and_the_consumer_tolerant(contract: Contract) -> None:
    data = loaded(FOLDER / f"samples/{contract.name}.json")["data"]
    with pytest.raises(ValidationError, match="Extra inputs"):
        contract.model.model_validate_json(json.dumps({**data, "later": 1}))
    read = contract.model.read(json.dumps({**data, "later": 1, "another": {"deep": [1]}}))
    assert json.loads(read.model_dump_json()) == data


def test_unknown_fields_of_nested_parts_are_ignored_too() -> None:
    sample = loaded(FOLDER / "samples/membership.OrganizationRegistered.v1.json")["data"]
    later = {**sample, "positions": [{**position, "weight": 3} for position in sample["positions"]]}
    assert membership.OrganizationRegistered.read(json.dumps(later)) == membership.OrganizationRegistered.read(
        json.dumps(sample)
    )


def test_every_contract_has_its_topic_of_its_kind_and_no_topic_is_without_a_contract() -> None:
    topics = {t["name"]: t for t in yaml.safe_load((ROOT / "deploy/topics.yaml").read_text("utf-8"))["topics"]}
    assert {contract.topic: contract.kind for contract in CONTRACTS.values()} == {
        name: topic["kind"] for name, topic in topics.items()
    }
    for topic in topics.values():
        if topic["kind"] == "fact":
            assert topic["config"]["cleanup.policy"] == "delete"
            assert topic["config"]["retention.ms"] == -1
        else:
            assert topic["config"]["cleanup.policy"] == "compact"
            # erased within a day, and a listener that was away for some days still hears of it
            assert topic["config"]["segment.ms"] + topic["config"]["max.compaction.lag.ms"] < 86_400_000
            assert topic["config"]["delete.retention.ms"] >= 3 * 86_400_000


def test_the_committed_files_are_in_order() -> None:
    assert Published(tuple(CONTRACTS.values())).problems() == []


@EVERY
def test_the_committed_schema_is_valid_and_takes_the_golden_sample(contract: Contract) -> None:
    schema = loaded(FOLDER / f"schemas/{contract.name}.json")
    assert schema["$id"] == f"urn:cumulo:contract:{contract.name}"
    Draft202012Validator.check_schema(schema)
    reader = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    sample = loaded(FOLDER / f"samples/{contract.name}.json")["data"]
    reader.validate(sample)
    reader.validate({**sample, "a_field_of_a_later_version": 1})
    for name in schema["required"]:
        assert not reader.is_valid({key: value for key, value in sample.items() if key != name}), name


def test_the_asyncapi_document_names_every_topic_and_message_once() -> None:
    document = loaded(FOLDER / "asyncapi.json")
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {contract.topic for contract in CONTRACTS.values()}
    messages = document["components"]["messages"]
    assert set(messages) == {contract.name for contract in CONTRACTS.values()} | {"Erased"}
    for contract in CONTRACTS.values():
        channel = document["channels"][contract.topic]
        assert channel["messages"][contract.name] == {"$ref": f"#/components/messages/{contract.name}"}
        assert ("Erased" in channel["messages"]) == (contract.kind == "state")
        assert channel["bindings"]["kafka"]["topic"] == contract.topic
        message = messages[contract.name]
        assert message["headers"]["properties"]["ce_type"]["const"] == contract.type
        for example in message["examples"]:
            Draft202012Validator(message["headers"]).validate(example["headers"])
            Draft202012Validator(message["payload"]).validate(example["payload"])
    assert {operation["channel"]["$ref"] for operation in document["operations"].values()} == {
        f"#/channels/{topic}" for topic in document["channels"]
    }


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = loaded(FOLDER / "asyncapi.json")

    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [found for item in node for found in references(item)]
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return []

    for reference in references(document):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
