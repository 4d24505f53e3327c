"""How often somebody may try: counted in a table, so that any number of replicas count together.

An attempt is written before it is judged and committed by itself, so that one that fails counts too.
"""

from datetime import datetime, timedelta
from typing import Any

from fastapi import Request

from shared.postgres.pool import Connection
from shared.refusal import Refusal

IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('cumulo.attempt.' || $1, 0))"
COUNT = "SELECT count(*), min(at) FROM attempt WHERE bucket = $1 AND at > $2"
NOTE = "INSERT INTO attempt (bucket, at) VALUES ($1, $2)"
MAY_REFUSE: dict[int | str, dict[str, Any]] = {429: {}}
"""`responses` of a route that counts attempts."""


class TooOften(Refusal):
    """Too many attempts in too short a time; `seconds` until the next one counts."""

    status = 429

    def __init__(self, template: str, *, seconds: int) -> None:
        super().__init__(template, seconds=seconds)
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.seconds)}


async def allow(connection: Connection, bucket: str, limit: int, window: timedelta, *, now: datetime) -> None:
    """Notes one attempt. Raises `TooOften` when there were `limit` within `window` already."""
    async with connection.transaction():
        await connection.execute(IN_TURN, bucket)
        count, first = await connection.fetchrow(COUNT, bucket, now - window)  # type: ignore[misc]
        if count >= limit:
            seconds = max(1, round((first + window - now).total_seconds()))
            raise TooOften("too many attempts; try again in {seconds} seconds", seconds=seconds)
        await connection.execute(NOTE, bucket, now)


async def allow_links(connection: Connection, request: Request, mail: str, *, now: datetime) -> None:
    """Notes that somebody asks for a sign-in link, per address of the network and per mail. Raises `TooOften`."""
    window = timedelta(minutes=15)
    await allow(connection, f"sign-in from {address_of(request)}", 60, window, now=now)
    await allow(connection, f"sign-in of {mail}", 5, window, now=now)


async def allow_opening(connection: Connection, request: Request, *, now: datetime) -> None:
    """Notes that somebody opens a sign-in link, per address of the network. Raises `TooOften`."""
    await allow(connection, f"links opened from {address_of(request)}", 60, timedelta(minutes=15), now=now)


def address_of(request: Request) -> str:
    """The address a request comes from, as the server that took it says."""
    return request.client.host if request.client else "unknown"
