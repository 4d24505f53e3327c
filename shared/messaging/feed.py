"""The feed: what a service published, over HTTP, for rebuilds and for listeners that start late or without Kafka.

Facts come by their gapless `sequence`, states as a snapshot of the owner's rows, both as CloudEvents in
JSON; the barrier tells up to where everything that Kafka may already show stands in the feed.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

import aiohttp
import asyncpg
import orjson
import uuid_utils.compat as uuid_utils

from shared.contracts.base import contract_of, find
from shared.messaging.cloudevents import Received, received, structured
from shared.messaging.events import Event, StateSource
from shared.messaging.outbox import Record
from shared.postgres.pool import Connection

PAGE = """
SELECT sequence, id::text, aggregateid, type, dataschema, source, subject,
       to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time, version::text, effective::text, actor, cause,
       traceparent, payload::text AS payload
FROM history WHERE sequence > $1 ORDER BY sequence LIMIT $2
"""
BATCH_TYPE = "application/cloudevents-batch+json"


async def facts_after(connection: Connection, after: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` facts behind a sequence, oldest first, each a CloudEvent with its `sequence`."""
    return [_fact(row) for row in await connection.fetch(PAGE, after, limit)]


def _fact(row: asyncpg.Record) -> dict[str, Any]:
    attributes = {
        "id": row["id"], "type": row["type"], "source": row["source"], "subject": row["subject"],
        "time": row["time"], "dataschema": row["dataschema"], "partitionkey": row["aggregateid"],
        "sequence": str(row["sequence"]), "version": row["version"], "effective": row["effective"],
        "actor": row["actor"], "cause": row["cause"], "traceparent": row["traceparent"],
    }  # fmt: skip
    return structured(attributes, orjson.Fragment(row["payload"]))


async def states_after(
    connection: Connection, source: StateSource, after: str | None, limit: int, *, now: str
) -> list[dict[str, Any]]:
    """At most `limit` current rows behind a key, by key, each a CloudEvent as the state topic would carry it."""
    return [state_event(record, now) for record in await source.page(connection, after, limit)]


def state_event(record: Record, now: str) -> dict[str, Any]:
    """A current row as the CloudEvent of its state; `now` is RFC 3339."""
    contract = contract_of(type(record.data))
    attributes = {
        "id": str(uuid_utils.uuid7()), "type": contract.type, "source": f"/{contract.service}",
        "subject": f"{contract.aggregate}/{record.key}", "time": now, "dataschema": contract.dataschema,
        "partitionkey": record.key, "version": str(record.version), "actor": f"service:{contract.service}",
        "cause": "snapshot",
    }  # fmt: skip
    return structured(attributes, record.data.model_dump(mode="json"))


async def barrier(connection: Connection) -> int:
    """The last sequence, once the batch that is being published has ended.

    Whatever Kafka showed before this call stands in the feed up to the answer, or will be published again.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(relay_lock())")
        return int(await connection.fetchval("SELECT coalesce(max(sequence), 0) FROM history"))


def as_received(event: Mapping[str, Any]) -> Received:
    """A CloudEvent of the feed as the consumer loop would have received it."""
    contract = find(str(event.get("type")))
    value = orjson.dumps(event)
    return received(
        topic=contract.topic if contract else "", partition=-1, offset=int(event.get("sequence", 0)), timestamp=0,
        key=str(event.get("partitionkey", "")).encode() or None, value=value,
        headers=[("content-type", b"application/cloudevents+json")],
    )  # fmt: skip


def as_event(item: Received) -> Event | None:
    """The parsed event, None for a type that this version does not know. Raises `ValidationError`."""
    contract = find(item.type)
    if contract is None or item.data is None or item.time is None:
        return None
    return Event(
        item.id, item.type, item.topic, item.key, item.version, item.time, item.effective, item.actor, item.cause,
        item.traceparent, contract.model.read(item.data),
    )  # fmt: skip


class FeedRefused(Exception):
    """A service's feed did not answer as it should; the text says which and how."""


class FeedClient:
    """Reads one service's feed. `url` is the base address, `token` that of the role *service*."""

    def __init__(self, service: str, url: str, token: str | None) -> None:
        self._base = f"{url.rstrip('/')}/{service}/feed"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def raw(self, path: str = "", **query: str | int) -> Any:
        """One answer as JSON. Raises `FeedRefused`."""
        assert self._session is not None
        url = self._base + path
        try:
            async with self._session.get(url, params=query) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise FeedRefused(f"{url} answered {answer.status}: {_reason(body)}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FeedRefused(f"{url} does not answer: {error}") from error
        return orjson.loads(body)

    async def barrier(self) -> int:
        """The last sequence behind which nothing is in flight."""
        return int((await self.raw("/barrier"))["sequence"])

    async def facts(
        self, after: int = 0, *, until: int | None = None, limit: int = 2000
    ) -> AsyncIterator[list[tuple[int, Received]]]:
        """Pages of facts with their sequences, oldest first, up to `until` or the present end."""
        while until is None or after < until:
            page = await self.raw("", after=after, limit=limit)
            items = [(int(event["sequence"]), as_received(event)) for event in page]
            if until is not None:
                items = [item for item in items if item[0] <= until]
            if not items:
                return
            yield items
            after = items[-1][0]

    async def states(self, aggregate: str, *, limit: int = 2000) -> AsyncIterator[Sequence[Received]]:
        """Pages of the current rows of one aggregate."""
        after = ""
        while True:
            page = await self.raw(f"/state/{aggregate}", limit=limit, **({"after": after} if after else {}))
            if not page:
                return
            items = [as_received(event) for event in page]
            yield items
            after = items[-1].key


def _reason(body: bytes) -> str:
    """The title of a problem document, which names the field, or the beginning of whatever else came."""
    with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError):
        return str(orjson.loads(body)["title"])
    return body[:200].decode("utf-8", "replace")
