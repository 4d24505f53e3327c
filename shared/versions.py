"""Deciding on what was read: a change made from an older version than the present one is refused."""

from shared.refusal import Refusal


class ChangedMeanwhile(Refusal):
    """Somebody else changed it since the caller read it (`If-Match`)."""

    status = 412


def still_at(version: int, expected: int | None) -> None:
    """Raises `ChangedMeanwhile` when the caller decided on another version than the present one."""
    if expected is not None and version != expected:
        raise ChangedMeanwhile(
            "it was changed meanwhile: version {version}, not {expected}",
            version=version,
            expected=expected,
            field="If-Match",
        )
