"""Writers with journals: what a commit was acknowledged for stands in a file, on the disk, before the next command.

Among the commands are rollbacks, slow transactions, several facts in one commit, people made and erased.
"""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import asyncpg
import orjson
import uuid_utils.compat as uuid_utils

from shared.postgres.pool import TRANSIENT, Database
from tests.failure import membership
from tests.failure.membership import Written


class _RolledBack(Exception):
    pass


class Journal:
    """One JSON line per acknowledged commit, synced; also per command that was rolled back."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def acknowledged(self, key: UUID, written: Written) -> None:
        """Notes what a commit holds, after it has returned."""
        if written:
            self._append({"key": str(key), "written": written})

    def rolled_back(self, key: UUID) -> None:
        """Notes a key that only ever stood in a transaction that was rolled back."""
        self._append({"rolled_back": str(key)})

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        os.fsync(self._file.fileno())


class Writer:
    """Issues commands at random, reproducibly from `seed`, against shared (`hot`) and own aggregates.

    `locked=False` is a planted fault: the aggregate is read without its lock.
    """

    def __init__(
        self, database: Database, journal: Journal, *, seed: int, hot: Sequence[UUID] = (), locked: bool = True,
        people: bool = True,
    ) -> None:  # fmt: skip
        self._database = database
        self._journal = journal
        self._random = random.Random(seed)
        self._hot = list(hot)
        self._locked = locked
        self._with_people = people
        self._own: list[UUID] = []
        self._people: list[UUID] = []

    async def run(self, *, commands: int, seconds: float, pace: float) -> int:
        """At most so many commands in at most so many seconds, `pace` seconds apart. Returns how many committed."""
        done, deadline = 0, time.monotonic() + seconds
        for _ in range(commands):
            if time.monotonic() > deadline:
                break
            try:
                done += await self._command()
            except asyncpg.IntegrityConstraintViolationError:
                pass  # two decided on one version: the database refused the second
            except (*TRANSIENT, asyncpg.PostgresError):
                await asyncio.sleep(0.1)  # the outcome is unknown, so that nothing is noted
            await asyncio.sleep(pace * self._random.uniform(0.5, 1.5))
        return done

    async def _command(self) -> int:
        chance = self._random.random()
        if chance < 0.1:
            return await self._rollback()
        if chance < 0.35 and self._with_people:
            return await self._person()
        return await self._membership(slow=chance > 0.9)

    async def _membership(self, *, slow: bool) -> int:
        if (self._hot and self._random.random() < 0.5) or not self._own:
            key = self._random.choice(self._hot) if self._hot else uuid_utils.uuid7()
        elif self._random.random() < 0.3:
            key = uuid_utils.uuid7()
        else:
            key = self._random.choice(self._own)
        async with self._database.unit(actor="writer", cause="failure test") as unit:
            row = await membership.load(unit, key, locked=self._locked)
            if not self._locked:
                await asyncio.sleep(self._random.uniform(0.0, 0.05))
            written = await membership.advance(unit, key, row, facts=self._random.choice((1, 1, 1, 2, 3)))
            if slow:
                await asyncio.sleep(self._random.uniform(0.02, 0.15))
        self._journal.acknowledged(key, written)
        if key not in self._hot and key not in self._own:
            self._own.append(key)
        return 1

    async def _person(self) -> int:
        new = not self._people or self._random.random() < 0.4
        key = uuid_utils.uuid7() if new else self._random.choice(self._people)
        erase = not new and self._random.random() < 0.4
        async with self._database.unit(actor="writer", cause="failure test") as unit:
            if erase:
                written = await membership.erase_person(unit, key)
            else:
                written = await membership.change_person(unit, key, name=f"Person {self._random.randrange(10**6)}")
        self._journal.acknowledged(key, written)
        if erase:
            self._people.remove(key)  # an erased key never comes back
        elif new:
            self._people.append(key)
        return 1

    async def _rollback(self) -> int:
        key = uuid_utils.uuid7()
        try:
            async with self._database.unit(actor="writer", cause="failure test") as unit:
                await membership.advance(unit, key, None, facts=2)
                await asyncio.sleep(self._random.uniform(0.0, 0.05))
                raise _RolledBack
        except _RolledBack:
            self._journal.rolled_back(key)
        return 0
