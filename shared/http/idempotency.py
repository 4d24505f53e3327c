"""Idempotency-Key: a command that is sent again answers as it did the first time, and happens once.

The key is inserted first in the command's own transaction, and the answer is kept in it: a second request waits
for the first and gets its answer; a refusal is rolled back with everything else and is not kept.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

import orjson
from fastapi import Request, Response

from shared.postgres.pool import Connection, Row, Unit
from shared.refusal import Refusal

HEADER = "Idempotency-Key"
FIELD = "idempotency_key"
"""The hidden field of every form."""
LONGEST = 200
KEPT_HEADERS = ("content-type", "etag", "location")

TAKE = """
INSERT INTO idempotency (actor, route, key, hash, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true
"""
KEPT = """
SELECT hash, status, headers::text AS headers, body FROM idempotency WHERE actor = $1 AND route = $2 AND key = $3
"""
KEEP = "UPDATE idempotency SET status = $4, headers = $5, body = $6 WHERE actor = $1 AND route = $2 AND key = $3"
FORGET = "DELETE FROM idempotency WHERE actor = $1"


class MalformedKey(Refusal):
    """An Idempotency-Key is 1 to 200 visible ASCII characters."""


class KeyUsedOtherwise(Refusal):
    """The same key came with another request before."""


class Answered(Exception):
    """This request was answered before; `response` says how."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


class Sending(NamedTuple):
    """A request that carries a key: of which route, under which key, with what hash."""

    route: str
    key: str
    hash: bytes


async def sending(request: Request, route: str) -> Sending | None:
    """The key of a request, from its header or the hidden field of a form, None without one. Raises `MalformedKey`."""
    key = request.headers.get(HEADER)
    if key is None and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        key = _field(await request.body())
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST or not all("!" <= char <= "~" for char in key):
        raise MalformedKey("Idempotency-Key: write 1 to {longest} visible ASCII characters", longest=LONGEST,
                           field=HEADER)  # fmt: skip
    digest = hashlib.sha256()
    for part in (request.method.encode(), request.url.path.encode(), request.url.query.encode(), await request.body()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return Sending(f"{request.method} {route}", key, digest.digest())


def _field(body: bytes) -> str | None:
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=200)
    except ValueError:
        return None
    return next((value for name, value in fields if name == FIELD), None)


async def take(unit: Unit, sent: Sending) -> None:
    """Takes the key for this transaction; waits for another that has it. Raises `Answered`, `KeyUsedOtherwise`."""
    at = (unit.actor, sent.route, sent.key)
    while not await unit.connection.fetchval(TAKE, *at, sent.hash, unit.now):
        row = await unit.connection.fetchrow(KEPT, *at)
        if row is not None:
            if row["hash"] != sent.hash:
                raise KeyUsedOtherwise("Idempotency-Key: this key came with another request before", field=HEADER)
            raise Answered(_again(row))


async def keep(unit: Unit, sent: Sending, response: Response) -> None:
    """Keeps the answer in the command's transaction."""
    headers: Mapping[str, str] = {
        name: response.headers[name] for name in KEPT_HEADERS if response.headers.get(name) is not None
    }
    await unit.connection.execute(
        KEEP, unit.actor, sent.route, sent.key, response.status_code, orjson.dumps(headers).decode(),
        bytes(response.body),
    )  # fmt: skip


async def forget(connection: Connection, actor: str) -> None:
    """Deletes every answer that is kept for somebody; part of erasing a person."""
    await connection.execute(FORGET, actor)


def _again(row: Row) -> Response:
    headers = {**orjson.loads(row["headers"]), "Idempotency-Replayed": "true"}
    return Response(row["body"], row["status"], headers=headers)
