"""Files that records carry, by content, in a folder or an S3-compatible store: the same content lies there once.

A file that a row names is in the store: content is written first and the row after, and what no row names is
deleted a day later by `sweep`, which no upload of the same content can run into. Nothing is held in memory.
"""

import asyncio
import contextlib
import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuid_utils

from shared.postgres.pool import Connection, Database, Row, Unit
from shared.refusal import Conflict, NotFound, Refusal
from shared.runtime.filestore import Store, answering, drop_broken_off, onto_disk, open_store
from shared.runtime.filetypes import kind_of
from shared.runtime.settings import Settings

KEPT = timedelta(days=1)
"""How long content waits for its row, and how old content without any must be before it is deleted."""

PIECE = 262_144
PART = 5 * 1024 * 1024
MAX_NAME = 200

LEASE = """
INSERT INTO file_content (hash, size, kept_until) VALUES ($1, $2, $3)
ON CONFLICT (hash) DO UPDATE SET kept_until = greatest(file_content.kept_until, excluded.kept_until)
"""
KEEP = """
INSERT INTO file (id, hash, size, media_type, name, aggregate, aggregate_id, uploaded_by, at)
SELECT $1::uuid, hash, size, $3::text, $4::text, $5::text, $6::uuid, $7::text, $8::timestamptz
FROM file_content WHERE hash = $2 AND kept_until > $8 FOR KEY SHARE
RETURNING id
"""
COLUMNS = "id, hash, size, media_type, name, aggregate, aggregate_id, uploaded_by, at"
BY_ID = f"SELECT {COLUMNS} FROM file WHERE id = $1"
BY_OWNER = f"SELECT {COLUMNS} FROM file WHERE aggregate = $1 AND aggregate_id = ANY ($2::uuid[]) ORDER BY id"
REMOVE = "DELETE FROM file WHERE id = ANY ($1::uuid[]) RETURNING id"
LAPSED = """
SELECT c.hash FROM file_content c
WHERE c.kept_until <= $1 AND NOT EXISTS (SELECT FROM file f WHERE f.hash = c.hash)
ORDER BY c.hash
"""
FORGET = """
DELETE FROM file_content c
WHERE c.hash = $1 AND c.kept_until <= $2 AND NOT EXISTS (SELECT FROM file f WHERE f.hash = c.hash) RETURNING c.hash
"""
ADOPT = """
INSERT INTO file_content (hash, size, kept_until)
SELECT hash, size, $3 FROM unnest($1::text[], $2::bigint[]) AS r (hash, size)
ON CONFLICT (hash) DO NOTHING
"""


class FileTooLarge(Refusal):
    """The file is larger than this installation takes."""

    status = 413


class NoSuchFile(NotFound):
    """There is no file of this id."""


class ContentGone(Conflict):
    """What was uploaded has been deleted since, because nothing named it for a day."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was taken in and lies in the store; it becomes a `File` when a record keeps it, within a day."""

    hash: str
    size: int
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of one record. `size` in bytes, `hash` SHA-256 in hex, `aggregate` e.g. "agreement"."""

    id: UUID
    hash: str
    size: int
    media_type: str
    name: str
    aggregate: str
    aggregate_id: UUID
    uploaded_by: str
    at: datetime


class Files:
    """The store of one service's files. Its keys are made of the service's name and the content's hash alone."""

    def __init__(self, store: Store, service: str, *, max_bytes: int, folder: Path | None = None) -> None:
        self.store = store
        self.service = service
        self.max_bytes = max_bytes
        self.folder = folder

    async def take_in(
        self, database: Database, file: IO[bytes], name: str, claimed: str | None = None, *, now: datetime
    ) -> Content:
        """Reads a file once, judges it and writes it to the store unless it is there. `claimed`: its media type.

        Raises `FileTooLarge`, `StoreAway`, and the refusals of `filetypes.kind_of`.
        """
        name = proper_name(name)
        hash_, size = await asyncio.to_thread(self._measured, file, name)
        kind = await asyncio.to_thread(kind_of, file, name, claimed)
        async with database.connection() as connection:
            # before the look into the store: from here on a sweep leaves this content alone
            await connection.execute(LEASE, hash_, size, now + KEPT)
        if not await self._lies_there(hash_, size):
            await asyncio.to_thread(file.seek, 0)
            with answering():
                await self.store.put_async(self._key(hash_), file, chunk_size=PART, max_concurrency=2)
                if self.folder is not None:
                    with contextlib.suppress(FileNotFoundError):  # swept by a clock ahead of ours: `keep` tells
                        await asyncio.to_thread(onto_disk, self.folder / self._key(hash_))
        return Content(hash_, size, kind.media_type, name)

    async def read(self, file: File) -> AsyncIterator[bytes]:
        """The content piece by piece. The last piece comes only when all of it is what was taken in.

        Raises `ContentGone` at once when it is not in the store, `StoreAway` also midway.
        """
        try:
            with answering():
                found = await self.store.get_async(self._key(file.hash))
        except FileNotFoundError:
            raise ContentGone("the content of {name} is not in the store", name=file.name) from None
        if found.meta["size"] != file.size:
            raise ContentGone("the content of {name} in the store is not what was taken in", name=file.name)

        async def pieces() -> AsyncIterator[bytes]:
            digest, held = hashlib.sha256(), b""
            with answering():
                async for piece in found.stream(min_chunk_size=PIECE):
                    if held:
                        yield held
                    held = bytes(piece)
                    digest.update(held)
            if digest.hexdigest() != file.hash:
                raise ContentGone("the content of {name} in the store is not what was taken in", name=file.name)
            yield held

        return pieces()

    async def sweep(self, database: Database, *, now: datetime) -> int:
        """Deletes what no file has named for a day, from the table and from the store. Returns how many contents.

        Safe beside uploads and other sweeps; interrupted, the next one goes on. Raises `StoreAway`.
        """
        await self._adopt_strays(database, now)
        async with database.connection() as connection:
            lapsed = [row["hash"] for row in await connection.fetch(LAPSED, now)]
        deleted = 0
        for hash_ in lapsed:
            with contextlib.suppress(asyncpg.ForeignKeyViolationError):  # kept in this instant: it stays
                async with database.pool.acquire(timeout=5.0) as connection, connection.transaction():
                    # an upload of the same content waits at this row until its object is gone, then writes it anew
                    if await connection.fetchval(FORGET, hash_, now) is None:
                        continue
                    with contextlib.suppress(FileNotFoundError), answering():
                        await self.store.delete_async(self._key(hash_))
                deleted += 1
        return deleted

    async def _adopt_strays(self, database: Database, now: datetime) -> None:
        """Gives objects without a row one that has lapsed: of a table restored from an older copy, for example."""
        with answering():
            async for page in self.store.list(f"{self.service}/", chunk_size=1000):
                old = {
                    hash_: each["size"]
                    for each in page
                    if each["last_modified"] <= now - KEPT
                    and re.fullmatch("[0-9a-f]{64}", hash_ := each["path"].rpartition("/")[2])
                }
                async with database.connection() as connection:
                    await connection.execute(ADOPT, list(old), list(old.values()), now)
        if self.folder is not None:
            await asyncio.to_thread(drop_broken_off, self.folder / self.service, now - KEPT)

    def _measured(self, file: IO[bytes], name: str) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        file.seek(0)
        while piece := file.read(PIECE):
            size += len(piece)
            if size > self.max_bytes:
                raise too_large(name, self.max_bytes)
            digest.update(piece)
        return digest.hexdigest(), size

    async def _lies_there(self, hash_: str, size: int) -> bool:
        try:
            with answering():
                return (await self.store.head_async(self._key(hash_)))["size"] == size
        except FileNotFoundError:
            return False

    def _key(self, hash_: str) -> str:
        return f"{self.service}/{hash_[:2]}/{hash_}"


def open_files(settings: Settings, service: str) -> Files:
    """A service's files in the store that the settings name. Raises `NoFileStore`, `StoreAway`."""
    store, folder = open_store(settings)
    return Files(store, service, max_bytes=settings.files_max_megabytes * 1024 * 1024, folder=folder)


async def keep(unit: Unit, content: Content, *, aggregate: str, aggregate_id: UUID) -> File:
    """Makes what was taken in a file of a record, in the record's transaction. Raises `ContentGone`."""
    id_ = uuid_utils.uuid7()
    kept = await unit.connection.fetchval(
        KEEP, id_, content.hash, content.media_type, content.name, aggregate, aggregate_id, unit.actor, unit.now
    )
    if kept is None:
        raise ContentGone("{name} was uploaded too long ago; upload it again", name=content.name, field="file")
    return File(
        id_, content.hash, content.size, content.media_type, content.name, aggregate, aggregate_id, unit.actor, unit.now
    )


async def file_by_id(connection: Connection, file_id: UUID) -> File:
    """One file. Raises `NoSuchFile`. Who may read it is decided by the record that it belongs to."""
    row = await connection.fetchrow(BY_ID, file_id)
    if row is None:
        raise NoSuchFile("there is no file {id}", id=file_id, field="file_id")
    return _file(row)


async def files_of(connection: Connection, aggregate: str, ids: Sequence[UUID]) -> list[File]:
    """The files of these records, oldest first."""
    return [_file(row) for row in await connection.fetch(BY_OWNER, aggregate, ids)]


async def remove(connection: Connection, ids: Sequence[UUID]) -> int:
    """Takes files from their records; content that nothing names any more goes with the next sweep."""
    return len(await connection.fetch(REMOVE, ids))


def too_large(name: str, max_bytes: int) -> FileTooLarge:
    """The refusal of a file over the limit."""
    return FileTooLarge("{name} is larger than {most} MB", name=name, most=max_bytes // (1024 * 1024), field="file")


def proper_name(name: str) -> str:
    """A name to show and to save under: without folders, control characters and marks that turn text around.

    At most 200 characters with its ending; "file" when nothing is left.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in last)
    plain = " ".join(plain.split()).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if dot and len(ending) <= 10:
        return f"{stem[: MAX_NAME - len(ending) - 1].rstrip()}.{ending}"
    return plain[:MAX_NAME].rstrip() or "file"


def _file(row: Row) -> File:
    return File(**dict(row))
