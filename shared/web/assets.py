"""Static files under addresses that hold the hash of their content, kept by browsers for good, small on the way.

Every file is read and compressed once, at the first use. An address with an old hash (a page from before an update)
gets the present file, but is not kept.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).parent / "static"
FOR_GOOD = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json"}
TEXT = frozenset({"text/javascript", "text/css", "image/svg+xml", "application/json", "text/plain"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its content as it is and compressed (None where that saves nothing)."""

    digest: str
    kind: str
    content: bytes
    small: bytes | None


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """All files by their name below the folder, with forward slashes."""
    return {
        file.relative_to(FOLDER).as_posix(): _read(file)
        for file in sorted(FOLDER.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


def _read(file: Path) -> Asset:
    content = file.read_bytes()
    kind = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"
    small = gzip.compress(content, 9, mtime=0) if kind in TEXT else None
    if small is not None and len(small) >= len(content):
        small = None
    return Asset(hashlib.sha256(content).hexdigest()[:12], kind, content, small)


def static(name: str) -> str:
    """The address of a file. Raises KeyError for one that is not there, so that a page with it fails in its test."""
    return f"/static/{assets()[name].digest}/{name}"


def static_router() -> APIRouter:
    """`GET /static/<hash>/<name>`, the same in every service."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/static/{digest}/{name:path}", methods=["GET", "HEAD"])
    async def serve(digest: str, name: str, request: Request) -> Response:
        asset = assets().get(name)
        if asset is None:
            raise HTTPException(404, "there is no such file")
        tag = f'"{asset.digest}"'
        headers = {
            "ETag": tag,
            "Cache-Control": FOR_GOOD if digest == asset.digest else "no-cache",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = asset.content
        if asset.small is not None and "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["Content-Encoding"] = asset.small, "gzip"
        kind = f"{asset.kind}; charset=utf-8" if asset.kind in TEXT else asset.kind
        return Response(content, headers=headers, media_type=kind)

    return router
