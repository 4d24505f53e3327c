"""The feed of a service over HTTP, for the role *service*: facts by sequence, snapshots of state, the barrier."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response

from shared.http.examples import answers
from shared.http.inputs import Sequence64
from shared.http.policy import Allowed, May, NotYours, Serving
from shared.http.routes import Route
from shared.messaging import feed
from shared.refusal import NotFound
from shared.runtime.service import Definition

Limit = Annotated[int, Query(ge=1, le=10_000, description="at most this many events")]


Reader = Annotated[Allowed, May("feed.read")]


def _of_the_whole_network(reader: Allowed) -> None:
    """A feed holds the records of all clusters: a token for one of them does not open it."""
    if not reader.everything:
        raise NotYours("the feed is for programs of the whole network", roles=("service",))


_ORGANIZATION = "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e01"
_STATE = {
    "specversion": "1.0", "id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e03",
    "type": "org.cumulo.membership.organization.state.v1", "source": "/membership",
    "subject": f"organization/{_ORGANIZATION}", "time": "2026-03-31T18:00:00.000000Z",
    "datacontenttype": "application/json", "partitionkey": _ORGANIZATION, "version": "3",
    "actor": "service:membership", "cause": "snapshot", "data": {"organization_id": _ORGANIZATION},
}  # fmt: skip
_FACT = _STATE | {
    "type": "org.cumulo.membership.organization-registered.v1", "version": "1", "sequence": "2310",
    "effective": "2026-03-31", "actor": "person:0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02",
    "cause": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e04",
}  # fmt: skip
_BATCH: dict[str, Any] = {"type": "array", "items": {"type": "object", "required": ["specversion", "id", "type"]}}


class NoSuchState(NotFound):
    """The service keeps no state of this aggregate."""


def feed_router(definition: Definition) -> APIRouter:
    """Routes under `/<service>/feed`."""
    router = APIRouter(prefix=f"/{definition.name}/feed", tags=["feed"], route_class=Route)

    @router.get("", summary="Facts behind a sequence, as a CloudEvents batch", response_class=Response,
                responses=answers([_FACT], feed.BATCH_TYPE, schema=_BATCH))  # fmt: skip
    async def facts(
        service: Serving, reader: Reader, after: Annotated[Sequence64, Query()] = 0, limit: Limit = 1000
    ) -> Response:
        _of_the_whole_network(reader)
        async with service.database.connection() as connection:
            return _batch(await feed.facts_after(connection, after, limit))

    @router.get("/barrier", summary="The last sequence behind which nothing is in flight",
                responses=answers({"sequence": 2310}))  # fmt: skip
    async def barrier(service: Serving, reader: Reader) -> dict[str, int]:
        _of_the_whole_network(reader)
        async with service.database.connection() as connection:
            return {"sequence": await feed.barrier(connection)}

    @router.get("/state/{aggregate}", summary="Current rows of an aggregate", response_class=Response,
                responses=answers([_STATE], feed.BATCH_TYPE, schema=_BATCH))  # fmt: skip
    async def states(
        aggregate: str, service: Serving, reader: Reader,
        after: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None, limit: Limit = 1000,
    ) -> Response:  # fmt: skip
        _of_the_whole_network(reader)
        source = definition.states.get(f"{definition.name}.{aggregate}.state")
        if source is None:
            known = ", ".join(topic.split(".")[1] for topic in definition.states) or "none"
            raise NoSuchState(
                "{service} keeps no state of {aggregate!r}; it has: {known}",
                service=definition.name,
                aggregate=aggregate,
                known=known,
                field="aggregate",
            )
        async with service.database.connection() as connection:
            now = service.clock().isoformat().replace("+00:00", "Z")
            return _batch(await feed.states_after(connection, source, after, limit, now=now))

    return router


def _batch(events: list[dict[str, Any]]) -> Response:
    return Response(orjson.dumps(events), media_type=feed.BATCH_TYPE)
