"""Files over HTTP: taken in without holding them in memory, given out so that they cannot run in a page.

Functions that any module's routes use; who may send or read a file is asked by the route.
"""

import asyncio
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from typing import IO
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile

from shared.http.policy import service_of
from shared.runtime.files import Content, File, Files, open_files, proper_name, too_large

IN_MEMORY = 1024 * 1024

_CANNOT_RUN = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Accept-Ranges": "none",
}


def store_of(request: Request) -> Files:
    """The store of the service that answers. Raises `NoFileStore`, `StoreAway`."""
    service = service_of(request)
    kept: Files | None = getattr(request.app.state, "files", None)
    if kept is None or kept.service != service.name:
        kept = request.app.state.files = open_files(service.settings, service.name)
    return kept


async def receive(request: Request, upload: UploadFile | None = None, *, name: str | None = None) -> Content:
    """Takes in a file of a form, or the request's whole body under a name. A command then keeps it: `files.keep`.

    Raises `NoFileStore`, `FileTooLarge`, `StoreAway`, and the refusals of `filetypes.kind_of`; field `file`.
    """
    store, service = store_of(request), service_of(request)
    if upload is not None:
        called = upload.filename or name or "file"
        if upload.size is not None and upload.size > store.max_bytes:
            raise too_large(proper_name(called), store.max_bytes)
        return await store.take_in(service.database, upload.file, called, upload.content_type, now=service.clock())
    called = name or "file"
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
        await _spool(request, body, called, store.max_bytes)
        claimed = request.headers.get("content-type")
        return await store.take_in(service.database, body, called, claimed, now=service.clock())


async def download(request: Request, file: File) -> StreamingResponse:
    """A file to save: as an attachment of its own type, with its length. Raises `ContentGone`, `StoreAway`."""
    pieces: AsyncIterator[bytes] = await store_of(request).read(file)
    headers = {
        "Content-Type": file.media_type,
        "Content-Length": str(file.size),
        "Content-Disposition": disposition(file.name),
        **_CANNOT_RUN,
    }
    return StreamingResponse(pieces, headers=headers)


def disposition(name: str) -> str:
    """`Content-Disposition` of an attachment: the name in ASCII, and as it is (RFC 6266, RFC 8187)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(char if char.isprintable() and char not in '"\\%;' else "_" for char in plain) or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"


async def _spool(request: Request, body: IO[bytes], name: str, max_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large(proper_name(name), max_bytes)
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > max_bytes:
            raise too_large(proper_name(name), max_bytes)
        await asyncio.to_thread(body.write, piece)
