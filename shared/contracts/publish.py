"""The committed form of the contracts: schemas, samples, asyncapi.json, released schemas; made and checked here.

`generate` writes what follows from the models; `release` freezes what subscribers may build on; `problems`
tells what is stale, altered or incompatible. Samples are written by hand and never overwritten.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from shared.contracts.asyncapi import document
from shared.contracts.base import Contract
from shared.contracts.compatibility import breaks
from shared.contracts.schema import Schema, schema_of

ROOT = Path(__file__).resolve().parents[2]
CHECKSUMS = "checksums.txt"

_REQUIRED = ("specversion", "id", "source", "type", "subject", "time", "dataschema", "version", "actor", "cause",
             "datacontenttype", "data")  # fmt: skip


class ReleasedFileAltered(Exception):
    """A released schema is gone or no longer what it was when it was released."""


@dataclass(frozen=True, slots=True)
class Published:
    """The contracts and the folder that holds their committed form, as `shared/contracts` does."""

    contracts: tuple[Contract, ...]
    folder: Path = ROOT / "shared/contracts"
    topics: Path = ROOT / "deploy/topics.yaml"

    @property
    def released(self) -> Path:
        """Released schemas: `<name>.json`, then `<name>.r2.json` and so on as fields were added."""
        return self.folder / "released"

    def generate(self) -> list[Path]:
        """Writes schemas and asyncapi.json, removes schemas without a contract. Returns the files that changed."""
        changed = []
        wanted = self._generated()
        for path, text in wanted.items():
            if not path.exists() or path.read_text("utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
                changed.append(path)
        for path in sorted((self.folder / "schemas").glob("*.json")):
            if path not in wanted:
                path.unlink()
                changed.append(path)
        return changed

    def release(self) -> list[Path]:
        """Freezes the current schema of every type that is new or gained fields. Returns the new files.

        Raises `ReleasedFileAltered` when an earlier release was touched, and `ValueError` when a current
        schema would break a reader of a released one.
        """
        if altered := self.altered():
            raise ReleasedFileAltered("\n".join(altered))
        if broken := self.incompatible():
            raise ValueError("\n".join(broken))
        self.released.mkdir(parents=True, exist_ok=True)
        made = []
        for contract in self.contracts:
            schema = schema_of(contract)
            earlier = self._revisions(contract.name)
            if earlier and _bare(_loaded(earlier[-1])) == _bare(schema):
                continue
            revision = f".r{len(earlier) + 1}" if earlier else ""
            path = self.released / f"{contract.name}{revision}.json"
            path.write_text(_text(schema), "utf-8")
            made.append(path)
        with (self.released / CHECKSUMS).open("a", encoding="utf-8") as sums:
            sums.writelines(f"{_digest(path)}  {path.name}\n" for path in made)
        return made

    def problems(self) -> list[str]:
        """Everything that keeps the committed files from being right, one line each; empty when all is well."""
        return [*self.stale(), *self.altered(), *self.incompatible(), *self.unreadable()]

    def stale(self) -> list[str]:
        """Generated files that differ from what the models say."""
        wanted = self._generated()
        lines = [
            f"{self._shown(path)} is {'stale' if path.exists() else 'missing'}; run `cumulo contracts generate`"
            for path, text in wanted.items()
            if not path.exists() or path.read_text("utf-8") != text
        ]
        return lines + [
            f"{self._shown(path)} has no contract any more; run `cumulo contracts generate`"
            for path in sorted((self.folder / "schemas").glob("*.json"))
            if path not in wanted
        ]

    def altered(self) -> list[str]:
        """Released files that were changed, removed or added by hand."""
        file = self.released / CHECKSUMS
        sums = dict(line.split("  ", 1)[::-1] for line in file.read_text("utf-8").splitlines()) if file.exists() else {}
        there = {path.name for path in self.released.glob("*.json")}
        lines = []
        for name in sorted(sums.keys() | there):
            path = self.released / name
            if name not in there:
                lines.append(f"{self._shown(path)} is gone; what was released stays")
            elif name not in sums:
                lines.append(f"{self._shown(path)} was not made by `cumulo contracts release`")
            elif sums[name] != _digest(path):
                lines.append(f"{self._shown(path)} was altered; restore it and publish a new version of the type")
        return lines

    def incompatible(self) -> list[str]:
        """Changes that break a reader of a released version, or records written under it."""
        current = {contract.name: schema_of(contract) for contract in self.contracts}
        lines = []
        for path in sorted(self.released.glob("*.json")):
            name = _contract_name(path)
            if name not in current:
                lines.append(f"{name} was released and has no model any more; its records are still on the topic")
                continue
            lines += [f"{name}: {line} (released in {path.name})" for line in breaks(_loaded(path), current[name])]
        return lines

    def unreadable(self) -> list[str]:
        """Golden samples that are missing, or that producer or consumer would refuse."""
        lines = []
        for contract in self.contracts:
            path = self._sample(contract)
            if not path.exists():
                lines.append(f"{self._shown(path)} is missing; write one, a whole CloudEvent in JSON")
                continue
            lines += [f"{self._shown(path)}: {reason}" for reason in _sample_problems(contract, path)]
        known = {self._sample(contract) for contract in self.contracts}
        return lines + [
            f"{self._shown(path)} has no contract; what was published stays readable"
            for path in sorted((self.folder / "samples").glob("*.json"))
            if path not in known
        ]

    def _generated(self) -> dict[Path, str]:
        files = {
            self.folder / "schemas" / f"{contract.name}.json": _text(schema_of(contract)) for contract in self.contracts
        }
        topics: list[Mapping[str, Any]] = yaml.safe_load(self.topics.read_text("utf-8"))["topics"]
        samples = {
            contract.name: _loaded(path) for contract in self.contracts if (path := self._sample(contract)).exists()
        }
        files[self.folder / "asyncapi.json"] = _text(document(self.contracts, topics, samples))
        return files

    def _revisions(self, name: str) -> list[Path]:
        found = [path for path in self.released.glob("*.json") if _contract_name(path) == name]
        return sorted(found, key=lambda path: int(match[1]) if (match := _REVISION.search(path.stem)) else 1)

    def _sample(self, contract: Contract) -> Path:
        return self.folder / "samples" / f"{contract.name}.json"

    def _shown(self, path: Path) -> str:
        return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


_REVISION = re.compile(r"\.r([0-9]+)$")


def _contract_name(path: Path) -> str:
    return _REVISION.sub("", path.stem)


def _sample_problems(contract: Contract, path: Path) -> Iterable[str]:
    try:
        event = _loaded(path)
    except ValueError as error:
        return [f"is not JSON ({error})"]
    if missing := [name for name in _REQUIRED if name not in event]:
        return [f"the attribute {missing[0]} is missing"]
    wanted = {"type": contract.type, "dataschema": contract.dataschema, "source": f"/{contract.service}"}
    for name, value in wanted.items():
        if event[name] != value:
            return [f"{name} is {event[name]!r}, not {value!r}"]
    data = json.dumps(event["data"])
    try:
        contract.model.model_validate_json(data)
        contract.model.read(json.dumps({**event["data"], "a_field_of_a_later_version": 1}))
    except ValidationError as error:
        first = error.errors()[0]
        return [f"no longer parses: {'.'.join(map(str, first['loc']))}: {first['msg']}"]
    return []


def _bare(node: Any) -> Any:
    """A schema without remarks: a better sentence is no new revision."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if isinstance(node, dict):
        return {name: _bare(value) for name, value in node.items() if not (name in ("description", "title")
                and isinstance(value, str))}  # fmt: skip
    return node


def _loaded(path: Path) -> Schema:
    loaded: Schema = json.loads(path.read_text("utf-8"))
    return loaded


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
