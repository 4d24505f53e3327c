"""Schemathesis over one service: what its own document gives rise to is sent to it, in this process, and judged.

Examples of the document, values at and beyond every limit of its schemas, and values drawn at random but the same in
every run. Ids of what is there take the place of ids that only look right, so that requests reach beyond a 404.
"""

import contextlib
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from fastapi import FastAPI
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

ENDLESS = {"follow_task": "a stream that lasts as long as its task", "follow_figures": "a stream without an end"}
"""Operations that are not swept, and why: their answers begin, and then somebody would wait."""
A_VERSION = '"3"'
"""The version that the documents give as an example; nothing is at it here, so that all would end in 412."""
JUDGED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is sent: values drawn for each operation, and of the values at limits one in `thinned`.

    `slowest` is how many seconds an answer may take.
    """

    drawn: int
    thinned: int = 1
    limits: bool = True
    stateful: bool = False
    slowest: float = 5


@dataclass(slots=True)
class Swept:
    """What came of it: faults in words, and how often each operation was answered with which status."""

    faults: list[str] = field(default_factory=list)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    operations: dict[str, Any] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """How many requests there were."""
        return sum(sum(counted.values()) for counted in self.statuses.values())


@contextlib.contextmanager
def opened(app: FastAPI, headers: Mapping[str, str], extent: Extent) -> Iterator[Any]:
    """The document of an application, ready to be swept; the application runs until the block ends."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": dict(headers),
            "continue-on-failure": True,
            "generation": {
                "deterministic": True, "database": "none", "no-shrink": True, "max-examples": extent.drawn,
            },
            "phases": {
                "examples": {"enabled": True},
                "coverage": {"enabled": extent.limits},
                "fuzzing": {"enabled": extent.drawn > 0},
                "stateful": {"enabled": extent.stateful},
            },
            "checks": {
                "enabled": False,
                "max_response_time": extent.slowest,
                **{name: {"enabled": True} for name in JUDGED},
            },
            "operations": [{"include-operation-id": list(ENDLESS), "enabled": False}],
        }
    )  # fmt: skip
    try:
        yield schemathesis.openapi.from_asgi(str(app.openapi_url), app, config=config)
    finally:
        shutdown_lifespans()


def sweep(schema: Any, extent: Extent, there: Mapping[str, str] | None = None) -> Swept:
    """Sends everything. `there` are ids of what is there, by the names of parameters and fields."""
    swept = Swept(operations={found.ok().label: found.ok().definition.raw for found in schema.get_all_operations()})
    known = dict(there or {})

    def filter_case(context: object, case: Case[Any]) -> bool:
        told = f"{case.operation.label} {case.path_parameters} {case.query} {case.headers} {case.body!r}"
        return _drawn(case) or zlib.crc32(told.encode("utf-8", "replace")) % extent.thinned == 0

    def map_case(context: object, case: Case[Any]) -> Case[Any]:
        for values in (case.path_parameters, case.query, case.body):
            if isinstance(values, dict):
                for name in known.keys() & values.keys():
                    if _looks_right(values[name]):
                        values[name] = known[name]
        if case.headers is not None and case.headers.get("If-Match") == A_VERSION:
            case.headers["If-Match"] = "*"
        return case

    schema.hook(filter_case)
    schema.hook(map_case)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _judge(event, swept)
        elif isinstance(event, events.NonFatalError):
            swept.faults.append(f"{event.label}: {type(event.value).__name__}: {event.value}"[:2000])
        elif isinstance(event, events.FatalError):
            raise event.exception
    return swept


def _drawn(case: Case[Any]) -> bool:
    return case.meta is None or case.meta.phase.name.value != "coverage"


def _looks_right(value: object) -> bool:
    """Whether it is an id that nobody has, or a name of nothing: what a schema lets through as any other."""
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def _judge(event: events.ScenarioFinished, swept: Swept) -> None:
    recorder = event.recorder
    for id_, node in recorder.cases.items():
        interaction = recorder.interactions.get(id_)
        if interaction is not None and interaction.response is not None:
            counted = swept.statuses.setdefault(node.value.operation.label, Counter())
            counted[interaction.response.status_code] += 1
    for checks in recorder.checks.values():
        for check in checks:
            if check.status is not Status.SUCCESS and check.failure_info is not None:
                told = f"{event.label}: {check.name}: {check.failure_info.failure}\n{check.failure_info.code_sample}"
                swept.faults.append(told[:2000])
