"""Places in lists that show the newest first, as a cursor tells them: an instant and an id. Pure."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.refusal import Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NoSuchPlaceInIt(Refusal):
    """A cursor that names no place of the list."""


def place_told(at: datetime, id_: UUID) -> str:
    """A place as a cursor."""
    return f"{(at - EPOCH) // timedelta(microseconds=1)}.{id_}"


def place_of(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The place of a cursor. Raises `NoSuchPlaceInIt`."""
    if cursor is None:
        return None
    micros, _, id_ = cursor.partition(".")
    try:
        if not (micros.isascii() and micros.isdigit() and len(micros) <= 16):
            raise ValueError
        return EPOCH + timedelta(microseconds=int(micros)), UUID(id_)
    except ValueError:
        raise NoSuchPlaceInIt("this is no place of the list", field="after") from None
