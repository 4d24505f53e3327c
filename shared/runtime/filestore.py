"""The place where files lie: a folder or an S3-compatible bucket, opened by the settings, asked without guessing.

What the place answers, or that it does not, is told by name; a write that is through has reached the disk.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from shared.refusal import Refusal
from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

Store = LocalStore | S3Store


class NoFileStore(Refusal):
    """This installation keeps no files: `CUMULO_FILES` is not set."""

    status = 503


class StoreAway(Refusal):
    """The store of files does not answer. Trying again may help."""

    status = 503


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Turns what a store raises into `StoreAway`, but for `FileNotFoundError`: the object is not there."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise StoreAway("the store of files does not answer ({kind})", kind=type(error).__name__) from error


def open_store(settings: Settings) -> tuple[Store, Path | None]:
    """The store that the settings name, and its folder when it is one.

    Raises `NoFileStore`, and `StoreAway` for a folder that cannot be made. A bucket is asked with the first file.
    """
    if not settings.files:
        raise NoFileStore("this installation keeps no files; its operator sets CUMULO_FILES")
    if not settings.files.startswith("s3://"):
        folder = Path(settings.files).expanduser().resolve()
        with answering():
            folder.mkdir(parents=True, exist_ok=True)
            return LocalStore(folder), folder
    place = urlsplit(settings.files)
    config: S3Config = {"region": settings.files_region}
    if settings.files_endpoint:
        config["endpoint"] = settings.files_endpoint
    if settings.files_key_id and settings.files_secret:
        config["access_key_id"] = settings.files_key_id
        config["secret_access_key"] = settings.files_secret.get_secret_value()
    store = S3Store(
        place.netloc,
        prefix=place.path.strip("/") or None,
        config=config,
        client_options={
            "allow_http": (settings.files_endpoint or "").startswith("http://"),
            "timeout": "60s",
            "connect_timeout": "5s",
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )
    return store, None


def onto_disk(path: Path) -> None:
    """What was written survives a power cut: the file and the names that lead to it."""
    for each in (path, path.parent, path.parent.parent):
        opened = os.open(each, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def drop_broken_off(folder: Path, before: datetime) -> None:
    """Deletes what a write that was killed left beside its place (`HASH#1`)."""
    for left in folder.glob("*/*#*"):
        with contextlib.suppress(FileNotFoundError):  # one that is being written has just got its name
            if left.stat().st_mtime <= before.timestamp():
                left.unlink()
