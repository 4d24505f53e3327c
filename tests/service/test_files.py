"""Files through HTTP, the table and the store; the same for a folder and for an S3 protocol on this machine."""

import asyncio
import hashlib
import io
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, Request, Response, UploadFile
from moto.server import ThreadedMotoServer

from shared.http.edge import unit_of
from shared.http.files import download, receive
from shared.http.policy import Serving
from shared.postgres.pool import Database
from shared.runtime import files
from shared.runtime.files import Content, ContentGone, File, Files
from shared.runtime.filestore import NoFileStore, StoreAway
from shared.runtime.service import Definition
from shared.runtime.settings import ServiceName
from tests.conftest import ClientFor, SettingsFor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=2)
"""After every lease of these tests, and a day after what the store itself dates by its own clock."""

SERVICE: ServiceName = "events"
router = APIRouter(prefix="/events/papers")


@router.post("/form/{owner}", status_code=201)
async def by_form(request: Request, owner: UUID, file: UploadFile) -> dict[str, Any]:
    return await _kept(request, owner, await receive(request, file))


@router.put("/body/{owner}", status_code=201)
async def by_body(request: Request, owner: UUID, name: str) -> dict[str, Any]:
    return await _kept(request, owner, await receive(request, name=name))


@router.get("/{file_id}")
async def one(request: Request, service: Serving, file_id: UUID) -> Response:
    async with service.database.connection() as connection:
        file = await files.file_by_id(connection, file_id)
    return await download(request, file)


async def _kept(request: Request, owner: UUID, content: Content) -> dict[str, Any]:
    async with unit_of(request, "person:ana") as unit:
        file = await files.keep(unit, content, aggregate="paper", aggregate_id=owner)
    return {"id": file.id, "name": file.name, "media_type": file.media_type, "size": file.size}


@dataclass
class Place:
    """One store and the service on it."""

    client: httpx.AsyncClient
    files: Files
    database: Database

    async def lies_there(self) -> dict[str, int]:
        """Key -> size, of everything in the store under this service."""
        listed = self.files.store.list(f"{SERVICE}/")
        return {each["path"]: each["size"] async for page in listed for each in page}

    async def kept(self, content: bytes, name: str = "a.txt", now: datetime = NOW) -> File:
        taken = await self.files.take_in(self.database, io.BytesIO(content), name, now=now)
        async with self.database.unit(actor="test", cause="test", now=now) as unit:
            return await files.keep(unit, taken, aggregate="paper", aggregate_id=uuid_utils.uuid7())

    async def removed(self, *ids: UUID) -> int:
        async with self.database.connection() as connection:
            return await files.remove(connection, ids)

    async def bytes_of(self, file: File) -> bytes:
        return b"".join([piece async for piece in await self.files.read(file)])


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
async def place(
    request: pytest.FixtureRequest, client_for: ClientFor, databases: dict[str, Database], tmp_path: Path
) -> AsyncIterator[Place]:
    more: dict[str, Any] = {"files": str(tmp_path / "kept files")}
    if request.param == "s3":
        endpoint = request.getfixturevalue("s3")
        bucket = f"b-{uuid_utils.uuid7().hex}"
        made = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
        await asyncio.to_thread(urllib.request.urlopen, made)
        more = {
            "files": f"s3://{bucket}/cumulo/files", "files_endpoint": endpoint, "files_key_id": "id",
            "files_secret": "word",
        }  # fmt: skip
    definition = Definition(SERVICE, routers=(router,), uploads=("/events/papers",))
    client = await client_for(SERVICE, definition=definition, clock=lambda: NOW, **more)
    store = files.open_files(client.service.settings, SERVICE)  # type: ignore[attr-defined]
    database = databases[SERVICE]
    yield Place(client, store, database)
    async with database.connection() as connection:
        await connection.execute("DELETE FROM file")
        await connection.execute("DELETE FROM file_content")


async def test_a_file_comes_back_as_it_went_and_cannot_run(place: Place) -> None:
    owner = uuid_utils.uuid7()
    content = "año;1\n".encode() * 1_200_000  # more than one part of an upload to S3
    sent = await place.client.post(
        f"/events/papers/form/{owner}", files={"file": ("../../etc/año “1”.csv", content, "text/csv")}
    )
    assert sent.status_code == 201, sent.text
    assert sent.json() | {"id": ""} == {"id": "", "name": "año “1”.csv", "media_type": "text/csv", "size": len(content)}
    answer = await place.client.get(f"/events/papers/{sent.json()['id']}")
    assert answer.content == content
    assert {name: answer.headers[name] for name in (
        "content-type", "content-length", "content-disposition", "content-security-policy", "x-content-type-options",
        "cross-origin-resource-policy")} == {
        "content-type": "text/csv",
        "content-length": str(len(content)),
        "content-disposition":
            "attachment; filename=\"ano 1.csv\"; filename*=UTF-8''a%C3%B1o%20%E2%80%9C1%E2%80%9D.csv",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
    }  # fmt: skip
    async with place.database.connection() as connection:
        [file] = await files.files_of(connection, "paper", [owner])
    assert (file.hash, file.uploaded_by, file.at) == (hashlib.sha256(content).hexdigest(), "person:ana", NOW)


async def test_the_same_content_lies_there_once_under_its_hash_alone(place: Place) -> None:
    content = b"the same"
    for name in ("a.txt", "../b.txt", "/etc/passwd.txt", "..\\..\\c.txt"):
        path = f"/events/papers/body/{uuid_utils.uuid7()}"
        sent = await place.client.put(
            path, params={"name": name}, content=content, headers={"Content-Type": "text/plain"}
        )
        assert sent.status_code == 201, sent.text
    hash_ = hashlib.sha256(content).hexdigest()
    assert await place.lies_there() == {f"{SERVICE}/{hash_[:2]}/{hash_}": len(content)}


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("a.png", b"<svg onload=alert(1)>", 422, "file-runs"),
        ("a.pdf", b"plain text", 422, "file-not-what-it-says"),
        ("a.txt", b"", 422, "file-empty"),
        ("a.txt", b"x" * (1024 * 1024 + 1), 413, "file-too-large"),
    ],
)
async def test_a_refused_file_leaves_nothing(place: Place, name: str, content: bytes, status: int, code: str) -> None:
    place.client.service.settings.files_max_megabytes = 1  # type: ignore[attr-defined]

    async def in_pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 65_536):
            yield content[at : at + 65_536]

    owner = uuid_utils.uuid7()
    for answer in (
        await place.client.post(f"/events/papers/form/{owner}", files={"file": (name, content)}),
        await place.client.put(f"/events/papers/body/{owner}", params={"name": name}, content=content),
        await place.client.put(f"/events/papers/body/{owner}", params={"name": name}, content=in_pieces()),
    ):
        assert answer.status_code == status, answer.text
        assert answer.json()["type"] == f"urn:cumulo:problem:{code}"
        assert (answer.json()["field"], name in answer.json()["title"]) == ("file", True)
    assert await place.lies_there() == {}
    async with place.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM file_content") == 0


async def test_content_goes_with_the_last_file_that_names_it(place: Place) -> None:
    first, second = await place.kept(b"shared"), await place.kept(b"shared", "b.txt")
    assert await place.removed(first.id) == 1
    assert await place.files.sweep(place.database, now=LATER) == 0
    assert await place.bytes_of(second) == b"shared"
    await place.removed(second.id)
    assert await place.files.sweep(place.database, now=NOW + timedelta(hours=23)) == 0
    assert await place.files.sweep(place.database, now=LATER) == 1
    assert await place.lies_there() == {}
    with pytest.raises(ContentGone):
        await place.files.read(second)


async def test_what_a_crash_left_between_store_and_row_goes_after_a_day(place: Place) -> None:
    await place.files.take_in(place.database, io.BytesIO(b"never kept"), "a.txt", now=NOW)
    stray = hashlib.sha256(b"stray").hexdigest()
    await place.files.store.put_async(f"{SERVICE}/{stray[:2]}/{stray}", b"stray")
    await place.files.store.put_async(f"{SERVICE}/notes/by hand.txt", b"not ours")
    if place.files.folder is not None:
        (place.files.folder / SERVICE / stray[:2] / f"{stray}#1").write_bytes(b"half")
    kept = await place.kept(b"kept")
    assert await place.files.sweep(place.database, now=NOW + timedelta(hours=23)) == 0
    assert len(await place.lies_there()) == 4
    assert await place.files.sweep(place.database, now=LATER) == 2
    assert (
        sorted(await place.lies_there())
        == sorted([f"{SERVICE}/{kept.hash[:2]}/{kept.hash}", f"{SERVICE}/notes/by%20hand.txt"])
        or len(await place.lies_there()) == 2
    )
    if place.files.folder is not None:
        assert list(place.files.folder.rglob("*#*")) == []


async def test_an_upload_that_is_kept_too_late_is_told_so(place: Place) -> None:
    taken = await place.files.take_in(place.database, io.BytesIO(b"slow"), "a.txt", now=NOW)
    with pytest.raises(ContentGone, match="upload it again"):
        async with place.database.unit(actor="test", cause="test", now=NOW + timedelta(days=1)) as unit:
            await files.keep(unit, taken, aggregate="paper", aggregate_id=uuid_utils.uuid7())


async def test_no_file_loses_its_content_to_a_sweep_that_runs_beside_uploads(place: Place) -> None:
    kept: list[File] = []
    done = asyncio.Event()

    async def upload(who: int) -> None:
        for turn in range(12):
            try:  # three contents, over and over, so that each is deleted and uploaded at the same time
                file = await place.kept(b"content %d" % (turn % 3))
            except ContentGone:  # deleted before it was kept, and told so
                continue
            if (turn + who) % 3:
                await place.removed(file.id)
            else:
                kept.append(file)

    async def sweep() -> None:
        while not done.is_set():
            await place.files.sweep(place.database, now=NOW + files.KEPT)  # every lease has just lapsed

    sweeping = asyncio.create_task(sweep())
    try:
        await asyncio.gather(*(upload(who) for who in range(3)))
    finally:
        done.set()
        await sweeping
    assert kept
    for file in kept:
        assert hashlib.sha256(await place.bytes_of(file)).hexdigest() == file.hash
    assert {key.rpartition("/")[2] for key in await place.lies_there()} >= {file.hash for file in kept}


async def test_content_that_was_changed_in_the_store_is_not_given_out_as_whole(place: Place) -> None:
    file = await place.kept(b"a" * 300_000)
    key = f"{SERVICE}/{file.hash[:2]}/{file.hash}"
    await place.files.store.put_async(key, b"a" * 299_999 + b"b")
    with pytest.raises(ContentGone):
        await place.bytes_of(file)
    await place.files.store.put_async(key, b"cut")
    answer = await place.client.get(f"/events/papers/{file.id}")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:cumulo:problem:content-gone")
    assert await place.kept(b"a" * 300_000) != file  # the next upload of it mends it
    assert await place.bytes_of(file) == b"a" * 300_000


async def test_a_file_that_does_not_exist_is_not_found(place: Place) -> None:
    answer = await place.client.get(f"/events/papers/{uuid_utils.uuid7()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:cumulo:problem:no-such-file")


class Watched(io.FileIO):
    """A file that remembers how much of it was asked for at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        self.most = max(self.most, 2**63 if size is None or size < 0 else size)
        return super().read(size) or b""


async def test_a_large_file_passes_piece_by_piece(place: Place, tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"0123456789abcde\n" * (2 * 1024 * 1024))
    place.files.max_bytes = 2**30
    with Watched(tmp_path / "large.txt") as watched:
        taken = await place.files.take_in(place.database, watched, "large.txt", now=NOW)
        assert watched.most <= 5 * 1024 * 1024
    async with place.database.unit(actor="test", cause="test", now=NOW) as unit:
        file = await files.keep(unit, taken, aggregate="paper", aggregate_id=uuid_utils.uuid7())
    pieces = [len(piece) async for piece in await place.files.read(file)]
    assert (sum(pieces), max(pieces) < 1024 * 1024) == (32 * 1024 * 1024, True)


async def test_a_store_that_is_not_there_is_told_by_name(
    databases: dict[str, Database], service_settings: SettingsFor, tmp_path: Path
) -> None:
    with pytest.raises(NoFileStore, match="CUMULO_FILES"):
        files.open_files(service_settings(SERVICE), SERVICE)
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StoreAway):
        files.open_files(service_settings(SERVICE, files=str(tmp_path / "taken")), SERVICE)
    away = service_settings(
        SERVICE, files="s3://bucket", files_endpoint="http://127.0.0.1:9", files_key_id="id", files_secret="word"
    )
    store = files.open_files(away, SERVICE)
    with pytest.raises(StoreAway):
        await store.take_in(databases[SERVICE], io.BytesIO(b"x"), "a.txt", now=NOW)
    async with databases[SERVICE].connection() as connection:
        await connection.execute("DELETE FROM file_content")


def test_a_secret_may_stand_in_a_file(
    service_settings: SettingsFor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("not to be told\n")
    monkeypatch.setenv("CUMULO_FILES_SECRET_FILE", str(tmp_path / "secret"))
    settings = service_settings(SERVICE)
    assert settings.files_secret is not None
    assert settings.files_secret.get_secret_value() == "not to be told"
    assert "not to be told" not in repr(settings)
