"""The gate for released schemas: each planted breaking change is caught, each harmless one passes.

The models are made here, changed as somebody might change them, and compared as the gate does.
"""

from collections.abc import Callable
from datetime import date
from types import GenericAlias
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from shared.contracts import CONTRACTS
from shared.contracts.compatibility import breaks
from shared.contracts.schema import inlined, schema_of


class Part(BaseModel):
    position: Literal["oem", "tier1"]
    since: date
    until: date | None = None


FIELDS: dict[str, Any] = {
    "id": (UUID, ...),
    "category": (Literal["associate", "affiliate"], ...),
    "state": (Annotated[str, Field(pattern="^[A-Z]{3}$")] | None, ...),
    "value": (Annotated[int, Field(ge=0, le=100)], ...),
    "day": (date, ...),
    "announce": (bool, True),
    "parts": (list[Part], ...),
    "either": (int | Annotated[str, Field(max_length=3)], ...),
    "by_place": (dict[str, Part], ...),
    "one": (Part | None, None),
}


def schema(**changes: Any) -> dict[str, Any]:
    """The schema of the model with some fields changed; None takes a field away."""
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not None}
    planted: type[BaseModel] = create_model("Planted", **fields)
    return planted.model_json_schema()


def part(**changes: Any) -> type[BaseModel]:
    """The nested model with some fields changed."""
    fields: dict[str, Any] = {"position": (Literal["oem", "tier1"], ...), "since": (date, ...),
                              "until": (date | None, None)}  # fmt: skip
    return create_model("Part", **{name: value for name, value in {**fields, **changes}.items() if value is not None})


def many(model: type[BaseModel]) -> GenericAlias:
    """A list of a model that is made here."""
    return GenericAlias(list, (model,))


RELEASED = schema()

BREAKING: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "a required field is gone": (lambda: schema(day=None), "day: the field is gone"),
    "an optional field is gone": (lambda: schema(announce=None), "announce: the field is gone"),
    "a field is renamed": (lambda: schema(day=None, on=(date, date(2026, 1, 1))), "day: the field is gone"),
    "a new field without a default": (lambda: schema(more=(int, ...)), "more: a new field needs a default"),
    "a new nullable field without a default": (lambda: schema(more=(int | None, ...)), "more: a new field needs"),
    "no longer required": (lambda: schema(day=(date, date(2026, 1, 1))), "day: no longer required"),
    "required now": (lambda: schema(announce=(bool, ...)), "announce: required now"),
    "another type": (lambda: schema(value=(Annotated[str, Field()], ...)), "value: the type was"),
    "an integer becomes a number": (
        lambda: schema(value=(Annotated[float, Field(ge=0, le=100)], ...)),
        "value: the type",
    ),
    "another format": (lambda: schema(day=(UUID, ...)), "day: 'format'"),
    "the format is gone": (lambda: schema(day=(str, ...)), "day: 'format' was \"date\" and is absent"),
    "null is allowed now": (lambda: schema(day=(date | None, ...)), "day: null is allowed now"),
    "null is no longer allowed": (
        lambda: schema(state=(Annotated[str, Field(pattern="^[A-Z]{3}$")], ...)),
        "state: null is no longer allowed",
    ),
    "an enum gains a member": (
        lambda: schema(category=(Literal["associate", "affiliate", "honorary"], ...)),
        'category: the value "honorary" is new',
    ),
    "an enum loses a member": (
        lambda: schema(category=(Literal["associate"], ...)),
        'category: the value "affiliate" is gone',
    ),
    "an enum is opened": (lambda: schema(category=(str, ...)), "category: the values were listed"),
    "text becomes an enum": (lambda: schema(either=(int | Literal["a"], ...)), "either: one of its kinds"),
    "a pattern within null is widened": (
        lambda: schema(state=(Annotated[str, Field(pattern="^[A-Z]{2,3}$")] | None, ...)),
        "state: 'pattern'",
    ),
    "a pattern is dropped": (lambda: schema(state=(str | None, ...)), "state: 'pattern'"),
    "a bound is raised": (lambda: schema(value=(Annotated[int, Field(ge=0, le=200)], ...)), "value: 'maximum'"),
    "a bound is lowered": (lambda: schema(value=(Annotated[int, Field(ge=0, le=50)], ...)), "value: 'maximum'"),
    "a bound is new": (lambda: schema(parts=(Annotated[list[Part], Field(max_length=9)], ...)), "parts: 'maxItems'"),
    "another default": (lambda: schema(announce=(bool, False)), "announce: the default was true and is false"),
    "a list becomes one": (lambda: schema(parts=(Part, ...)), "parts: the type was"),
    "a list of something else": (lambda: schema(parts=(list[int], ...)), "parts[]: the type was"),
    "a nested field is gone": (lambda: schema(parts=(many(part(since=None)), ...)), "parts[].since: the field is gone"),
    "a nested field is new and required": (
        lambda: schema(parts=(many(part(weight=(int, ...))), ...)),
        "parts[].weight: a new field needs a default",
    ),
    "a nested enum gains a member": (
        lambda: schema(parts=(many(part(position=(Literal["oem", "tier1", "tier2"], ...))), ...)),
        'parts[].position: the value "tier2" is new',
    ),
    "a nested null is gone": (
        lambda: schema(parts=(many(part(until=(date, date(2026, 1, 1)))), ...)),
        "parts[].until: null is no longer",
    ),
    "a part behind null is changed": (lambda: schema(one=(part(since=(int, ...)) | None, None)), "one.since: "),
    "a value of a mapping is changed": (
        lambda: schema(by_place=(GenericAlias(dict, (str, part(since=(int, ...)))), ...)),
        "by_place{}.since: ",
    ),
    "one of two kinds is changed": (
        lambda: schema(either=(int | Annotated[str, Field(max_length=4)], ...)),
        "either: one of its kinds",
    ),
    "a third kind": (lambda: schema(either=(int | bool | Annotated[str, Field(max_length=3)], ...)), "either: 2 kinds"),
}

HARMLESS: dict[str, Callable[[], dict[str, Any]]] = {
    "nothing": schema,
    "a new field with a default": lambda: schema(more=(int, 0)),
    "a new nullable field with a default": lambda: schema(more=(str | None, None)),
    "a new list with a default": lambda: schema(more=(list[Part], [])),
    "a new nested field with a default": lambda: schema(parts=(many(part(weight=(int, 1))), ...)),
    "a better description": lambda: schema(day=(Annotated[date, Field(description="the first day")], ...)),
    "another order of fields": lambda: create_model("Planted", **dict(reversed(FIELDS.items()))).model_json_schema(),
    "another order of an enum": lambda: schema(category=(Literal["affiliate", "associate"], ...)),
    "another order of kinds": lambda: schema(either=(Annotated[str, Field(max_length=3)] | int, ...)),
    "another name of a nested model": lambda: schema(parts=(many(create_model("Renamed", __base__=Part)), ...)),
    "references put in their place": lambda: inlined(schema()),
}


@pytest.mark.parametrize("change", BREAKING)
def test_a_breaking_change_is_caught_and_named(change: str) -> None:
    made, line = BREAKING[change]
    found = breaks(RELEASED, made())
    assert any(line in reason for reason in found), found


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_passes(change: str) -> None:
    assert breaks(RELEASED, HARMLESS[change]()) == []


def test_a_model_that_contains_itself_is_compared_to_its_end() -> None:
    def tree(value: dict[str, Any]) -> dict[str, Any]:
        node = {
            "type": "object",
            "properties": {"value": value, "children": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
        }
        return {"$ref": "#/$defs/N", "$defs": {"N": node}}

    assert breaks(tree({"type": "integer"}), tree({"type": "integer"})) == []
    assert breaks(tree({"type": "integer"}), tree({"type": "string"})) == [
        'value: the type was "integer" and is "string"'
    ]


@pytest.mark.parametrize(
    ("released", "current"),
    [
        ({"type": "array", "items": {"type": "string"}}, {"type": "array"}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}),
        ({"type": ["string", "null"]}, {"type": "string"}),
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"type": "string"}, {"type": "string", "not": {"const": "x"}}),
        ({"type": "string"}, {"type": "string", "aKeywordOfTomorrow": 1}),
        ({"const": 1}, {"const": True}),
        ({"const": 1}, {"enum": [1, 2]}),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}], "maxLength": 3},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        ({"allOf": [{"type": "string"}, {"minLength": 1}]}, {"allOf": [{"type": "string"}, {"minLength": 2}]}),
        (
            {"type": "array", "prefixItems": [{"type": "string"}]},
            {"type": "array", "prefixItems": [{"type": "integer"}]},
        ),
    ],
)
def test_words_of_json_schema_that_no_contract_uses_yet_are_watched_too(released: Any, current: Any) -> None:
    assert breaks({"type": "object", "properties": {"x": released}}, {"type": "object", "properties": {"x": current}})


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.name)
def test_moving_a_contract_to_another_topic_is_caught(contract: Any) -> None:
    now = schema_of(contract)
    assert breaks(now, now) == []
    assert breaks(now, {**now, "x-topic": "elsewhere"})
    assert breaks(now, {**now, "x-kind": "state" if contract.kind == "fact" else "fact"})


@given(st.data())
def test_taking_any_field_out_of_any_contract_is_caught(data: st.DataObject) -> None:
    whole = schema_of(data.draw(st.sampled_from(list(CONTRACTS.values()))))
    name = data.draw(st.sampled_from(sorted(whole["properties"])))
    without = {
        **whole,
        "properties": {key: value for key, value in whole["properties"].items() if key != name},
        "required": [key for key in whole["required"] if key != name],
    }
    assert breaks(whole, without) == [f"{name}: the field is gone"]
    # the other way round: it comes anew, and only a default makes that harmless
    assert bool(breaks(without, whole)) == ("default" not in whole["properties"][name])
