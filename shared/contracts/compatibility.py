"""Whether a schema may follow a released one under the same type, in both directions that matter.

Forward: a reader written against the released schema understands what the producer writes now, though
it checks every field it knows. Backward: our consumer reads records that were written under the release.
"""

import json
from typing import Any

from shared.contracts.schema import Schema, resolved

# Words about a value, not bounds on it: free to change.
_REMARKS = frozenset({"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "deprecated"})
# Compared by meaning below; every other keyword has to stay as it is.
_STRUCTURE = frozenset({"type", "enum", "const", "anyOf", "oneOf", "properties", "required", "items",
                        "prefixItems", "additionalProperties", "default"})  # fmt: skip

_Seen = frozenset[tuple[str, str]]


def breaks(released: Schema, current: Schema) -> list[str]:
    """What would break, one line per field with its path; empty when `current` may follow `released`.

    May change: remarks, the order of fields, the names of nested models, new fields with a default.
    Everything else needs a new version of the type: a field gone or no longer required, a new required
    field, another type, bound, pattern, format or default, null allowed or no longer allowed, an enum
    that gains a member (a strict reader refuses it) or loses one (records with it exist).
    """
    return _Comparison(released, current).of(released, current, "", frozenset())


class _Comparison:
    """Walks both schemas side by side; references are followed in the schema that they stand in."""

    def __init__(self, released: Schema, current: Schema) -> None:
        self.released = released
        self.current = current

    def of(self, released: Any, current: Any, path: str, seen: _Seen) -> list[str]:
        if isinstance(released, dict) and isinstance(current, dict) and "$ref" in released and "$ref" in current:
            pair = (str(released["$ref"]), str(current["$ref"]))
            if pair in seen:
                return []
            seen = seen | {pair}
        old, new = _merged(released, self.released), _merged(current, self.current)
        where = path or "the record"
        found = []
        if _shown(old, "default") != _shown(new, "default"):
            found.append(f"{where}: the default was {_shown(old, 'default')} and is {_shown(new, 'default')}")
        old_kinds, new_kinds = _kinds(old, self.released), _kinds(new, self.current)
        if _NULL in old_kinds and _NULL not in new_kinds:
            found.append(f"{where}: null is no longer allowed, but records with null exist")
        if _NULL in new_kinds and _NULL not in old_kinds:
            found.append(f"{where}: null is allowed now, which a reader of the released version does not expect")
        return found + self._alternatives(
            [kind for kind in old_kinds if kind != _NULL], [kind for kind in new_kinds if kind != _NULL], path, seen
        )

    def _alternatives(self, old: list[Schema], new: list[Schema], path: str, seen: _Seen) -> list[str]:
        if len(old) == len(new) == 1:
            return self._one(old[0], new[0], path, seen)
        where = path or "the record"
        if len(old) != len(new):
            return [f"{where}: {len(old)} kinds of value were possible, now {len(new)}"]
        left = list(new)
        for before in old:
            match = next((after for after in left if not self._one(before, after, path, seen)), None)
            if match is None:
                return [f"{where}: one of its kinds of value has changed"]
            left.remove(match)
        return []

    def _one(self, old: Schema, new: Schema, path: str, seen: _Seen) -> list[str]:
        where = path or "the record"
        if old.get("type") != new.get("type"):
            return [f"{where}: the type was {_shown(old, 'type')} and is {_shown(new, 'type')}"]
        found = [
            f"{where}: {name!r} was {_shown(old, name)} and is {_shown(new, name)}"
            for name in sorted((old.keys() | new.keys()) - _REMARKS - _STRUCTURE)
            if _shown(old, name) != _shown(new, name)
        ]
        found += self._members(old, new, where)
        found += self._properties(old, new, path, seen)
        for name, step in (("items", "[]"), ("additionalProperties", "{}")):
            if name in old or name in new:
                found += self.of(old.get(name, True), new.get(name, True), f"{path}{step}", seen)
        old_places, new_places = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(old_places) != len(new_places):
            found.append(f"{where}: a list of {len(old_places)} places has {len(new_places)} now")
        for place, (before, after) in enumerate(zip(old_places, new_places, strict=False)):
            found += self.of(before, after, f"{path}[{place}]", seen)
        return found

    def _members(self, old: Schema, new: Schema, where: str) -> list[str]:
        before, after = _members_of(old), _members_of(new)
        if before is None and after is None:
            return []
        if before is None or after is None:
            return [f"{where}: {'any value was allowed' if before is None else 'the values were listed'}, "
                    f"now {'any value is' if after is None else 'they are listed'}"]  # fmt: skip
        return [
            *(f"{where}: the value {value} is gone, but records with it exist" for value in sorted(before - after)),
            *(f"{where}: the value {value} is new, which a reader of the released version refuses"
              for value in sorted(after - before)),
        ]  # fmt: skip

    def _properties(self, old: Schema, new: Schema, path: str, seen: _Seen) -> list[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        found: list[str] = []
        for name in sorted(before.keys() | after.keys()):
            place = f"{path}.{name}" if path else name
            if name not in after:
                # an optional one too: its readers would take the default for the truth
                found.append(f"{place}: the field is gone")
            elif name not in before:
                if name in is_required or "default" not in _merged(after[name], self.current):
                    found.append(f"{place}: a new field needs a default, records without it exist")
            else:
                if name in was_required - is_required:
                    found.append(f"{place}: no longer required, but a reader of the released version needs it")
                if name in is_required - was_required:
                    found.append(f"{place}: required now, but records without it exist")
                found += self.of(before[name], after[name], place, seen)
        return found


_NULL: Schema = {"type": "null"}


def _merged(part: Any, root: Schema) -> Schema:
    """References followed, a single `allOf` put in its place, `true` and `false` as what they stand for."""
    if isinstance(part, bool):
        return {} if part else {"not": {}}
    merged = resolved(part, root)
    while isinstance(whole := merged.get("allOf"), list) and len(whole) == 1:
        rest = {name: value for name, value in merged.items() if name != "allOf"}
        merged = {**resolved(whole[0], root), **rest}
    return merged


def _kinds(part: Schema, root: Schema) -> list[Schema]:
    """The alternatives of a value, flat, each with the bounds that stand beside them; null is one of its own."""
    for word in ("anyOf", "oneOf"):
        if word in part:
            beside = {name: value for name, value in part.items() if name not in (word, "default", *_REMARKS)}
            return [
                _NULL if kind == _NULL else {**beside, **kind}
                for alternative in part[word]
                for kind in _kinds(_merged(alternative, root), root)
            ]
    types = part.get("type")
    if isinstance(types, list):
        return [_NULL if name == "null" else {**part, "type": name} for name in types]
    return [_NULL] if types == "null" else [part]


def _members_of(part: Schema) -> set[str] | None:
    """The listed values as JSON text, so that 1, "1" and true differ; None when any value is allowed."""
    if "const" in part:
        return {_json(part["const"])}
    return {_json(value) for value in part["enum"]} if "enum" in part else None


def _shown(part: Schema, name: str) -> str:
    return _json(part[name]) if name in part else "absent"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
