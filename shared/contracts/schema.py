"""The JSON Schema (Draft 2020-12) of a contract, as subscribers read it.

It tells what a record on the topic may hold: unknown fields are allowed, since a later version may add
some; a field with a default may be missing in records that are older than the field.
"""

from typing import Any

from shared.contracts.base import Contract

Schema = dict[str, Any]


def schema_of(contract: Contract) -> Schema:
    """The schema of one contract's `data`, with its `$id`, topic and kind. Nested models stand in `$defs`."""
    body = _plain(contract.model.model_json_schema(mode="validation"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": contract.dataschema,
        "x-topic": contract.topic,
        "x-kind": contract.kind,
        **body,
    }


def inlined(schema: Schema) -> Schema:
    """The same schema with every local reference replaced by what it points to, and no `$defs`.

    Raises `ValueError` for a model that contains itself: no published record does.
    """
    return {name: _inlined(part, schema, ()) for name, part in schema.items() if name != "$defs"}


def resolved(part: Schema, root: Schema) -> Schema:
    """`part`, or what its `$ref` points to within `root`. Keywords beside the reference are kept."""
    while "$ref" in part:
        pointer = str(part["$ref"])
        target: Any = root
        for step in pointer.removeprefix("#/").split("/"):
            target = target[step]
        part = {**target, **{name: value for name, value in part.items() if name != "$ref"}}
    return part


def _plain(node: Any) -> Any:
    """Without what pydantic adds for its own forms: titles of fields, and the producer's refusal of unknown ones."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {}
    for name, value in node.items():
        if name in ("properties", "$defs"):  # below it stand names of fields and models, not keywords
            plain[name] = {inner: _plain(part) for inner, part in value.items()}
        elif name in ("default", "const", "enum", "examples"):
            plain[name] = value
        elif (name, value) == ("additionalProperties", False) or (name == "title" and "properties" not in node):
            continue
        else:
            plain[name] = _plain(value)
    return plain


def _inlined(node: Any, root: Schema, open_refs: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, root, open_refs) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        if reference in open_refs:
            raise ValueError(f"{reference} contains itself")
        return _inlined(resolved(node, root), root, (*open_refs, reference))
    return {name: _inlined(value, root, open_refs) for name, value in node.items()}
