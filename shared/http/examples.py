"""An example for a JSON schema, as somebody would write it: the same each time, and valid against the schema.

What a schema gives itself (`examples`, a default, the first of an enumeration) goes first; then words by the
name of the field; then whatever the type allows.
"""

import re
import zlib
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
JSON = "application/json"

WORDS: Mapping[str, Any] = {
    "legal_name": "Troquelados del Bravo, S.A. de C.V.",
    "trade_name": "Troquelados del Bravo",
    "cluster": "Automotriz de Nuevo León",
    "organization": "Troquelados del Bravo",
    "name": "Mariana Solís",
    "note": "Agreed at the board meeting of March",
    "mail": "mariana@red.example",
    "slug": "automotriz-nuevo-leon",
    "network": "cumulo",
    "country": "MX",
    "state": "NLE",
    "city": "Apodaca",
    "tax_number": "TDB150320AB7",
    "zone": "America/Mexico_City",
    "language": "es",
    "version": 3,
    "code": 250,
    "attempt": 1,
    "attempts": 1,
    "outcome": "accepted",
    "subject": "welcome",
    "category": "associate",
    "standing": "active",
    "type": "company",
    "agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "how": "link",
    "granted_by": "person:0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02",
    "made_by": "person:0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02",
    "prepared_by": "person:0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02",
    "kind": "invitation",
    "token": "q6vYh0d2S8mB1xTzK4nW7pRfLcJ3uEaG",
    "card": "coordinator",
    "next": "/register",
    "days": 90,
    "limit": 100,
    "after": 0,
    "sequence": 2310,
    "as_of": "2026-03-31",
    "known_on": "2026-03-31",
    "since": "2026-01-15",
    "until": "2027-01-15",
    "effective": "2026-03-31",
    "applied_on": "2025-12-01",
    "approved_on": "2026-01-10",
    "in_network_since": "2020-01-01",
    "in_network_until": None,
    "present": True,
    "announce": True,
    "warnings": [],
    "scope_id": None,
    "prepared": None,
    "payload": {"mail": "mariana@red.example", "name": "Mariana Solís", "role": "board_member"},
    "service": "reporting",
    "aggregate": "organization",
    "indicator": "members",
    "by": "category",
    "If-Match": '"3"',
    "if-match": '"3"',
    "User-Agent": "curl/8.14",
    "user-agent": "curl/8.14",
}
"""What stands in a field of this name, wherever the schema allows it."""

_DAY, _MOMENT, _UNTIL = "2026-03-31", "2026-03-31T18:00:00Z", "2026-06-29T18:00:00Z"
_TEXTS = ("Example", "example", "EXA", "EX", "1", "2026-03-31", '"3"')


def answers(
    value: Any, media_type: str = JSON, *, status: int = 200, schema: Schema | None = None
) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route whose answer has no model: what it looks like. Texts are schemas of their own."""
    described = {} if media_type == JSON else {"schema": schema or {"type": "string"}}
    return {status: {"content": {media_type: {**described, "example": value}}}}


def example(schema: Schema, components: Mapping[str, Schema], name: str = "") -> Any:
    """A value for a schema; `components` are those that `$ref` names, `name` the field it stands in."""
    schema = _resolved(schema, components)
    if given := schema.get("examples"):
        return _whole(given[0], schema, components)
    for key in ("example", "const"):
        if key in schema:
            return _whole(schema[key], schema, components)
    if name in WORDS and _fits(WORDS[name], schema, components):
        return WORDS[name]
    if schema.get("default"):
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if options := schema.get(key):
            real = [option for option in options if option.get("type") != "null"]
            return example(real[0] if real else options[0], components, name)
    return _of_type(schema, components, name)


def _whole(given: Any, schema: Schema, components: Mapping[str, Schema]) -> Any:
    """A given example with the nulls that FastAPI leaves out when it writes a document."""
    if not isinstance(given, Mapping):
        return given
    missing = [key for key in schema.get("required", ()) if key not in given]
    nulls = {key: None for key in missing if _fits(None, schema["properties"][key], components)}
    return {**given, **nulls}


def _of_type(schema: Schema, components: Mapping[str, Schema], name: str) -> Any:
    match _kind(schema):
        case "object":
            return _object(schema, components)
        case "array":
            singular = name.removesuffix("s")
            return [example(schema.get("items", {}), components, singular)] if schema.get("maxItems", 1) else []
        case "integer" | "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
            return max(low, min(12, schema.get("maximum", 12)))
        case "boolean":
            return False
        case "null":
            return None
        case "string":
            return _text(schema, name)
    return {}


def _object(schema: Schema, components: Mapping[str, Schema]) -> dict[str, Any]:
    made = {key: example(inner, components, key) for key, inner in schema.get("properties", {}).items()}
    rest = schema.get("additionalProperties")
    if not made and isinstance(rest, Mapping) and rest:
        made["name"] = example(rest, components, "name")
    return made


def _text(schema: Schema, name: str) -> str:
    match schema.get("format"):
        case "uuid":
            return f"0199d3b0-5f6e-7a10-9c1b-{zlib.crc32(name.encode()):012x}"
        case "date":
            return _DAY
        case "date-time":
            return _UNTIL if name == "until" else _MOMENT
    words = (name.replace("_", " ").capitalize(), *_TEXTS) if name else _TEXTS
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    for word in words:
        if _matches(word, schema):
            return word
    return str("x" * max(least, 1))[:most]


def _matches(text: str, schema: Schema) -> bool:
    """Whether a text has the length and the pattern that a schema asks for."""
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    return "pattern" not in schema or re.search(schema["pattern"], text) is not None


def _fits(value: Any, schema: Schema, components: Mapping[str, Schema]) -> bool:
    """Whether a word of the list may stand where the schema stands. Of lists only the empty ones do."""
    schema = _resolved(schema, components)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return any(_fits(value, option, components) for option in schema[key])
    if "enum" in schema:
        return value in schema["enum"]
    match value:
        case None:
            return _kind(schema) == "null" or "null" in schema.get("type", ())
        case bool():
            return _kind(schema) == "boolean"
        case int():
            low, high = schema.get("minimum", value), schema.get("maximum", value)
            return _kind(schema) in ("integer", "number") and bool(low <= value <= high)
        case str():
            if _kind(schema) != "string" or not _matches(value, schema):
                return False
            return schema.get("format") in (None, "email") or (
                schema["format"] == "date" and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None
            )
        case list():
            return _kind(schema) == "array" and not schema.get("minItems")
        case dict():
            return _kind(schema) == "object" and not schema.get("properties")
    return False


def _kind(schema: Schema) -> str | None:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return "object" if kind is None and "properties" in schema else kind


def _resolved(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    while "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**components[schema["$ref"].rpartition("/")[2]], **rest}
    for part in schema.get("allOf", ()):
        schema = {**schema, **_resolved(part, components)}
    return schema
