"""What the directory is asked: words, and values of facets, several of a facet at once. Pure."""

from typing import Literal, NamedTuple

from shared.postgres.values import sort_key

Facet = Literal["process", "sector", "standard", "position", "type", "size", "state", "cluster"]
FACETS: tuple[Facet, ...] = ("process", "standard", "sector", "position", "type", "size", "state", "cluster")


class Asked(NamedTuple):
    """The words that all must occur, and for each facet the values of which one must hold. Empty: any."""

    text: str | None = None
    process: tuple[str, ...] = ()
    standard: tuple[str, ...] = ()
    sector: tuple[str, ...] = ()
    position: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    size: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The words of the text as they compare: without case, accents and signs."""
        return plain(self.text).split()[:12]


def plain(text: str | None) -> str:
    """A text as the directory compares it."""
    return sort_key(text or "").replace("\x7f", "")
