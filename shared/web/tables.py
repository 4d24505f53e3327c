"""What a list page shows: columns, filters with counts, the page of rows and how to go on.

Everything that is chosen lives in the address: `sort=name` or `sort=-name`, one parameter per filter (several
times for several values), `q`, and the cursor `after` or `before`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `sort` is the name of its order in the address, None where there is none; `words` is a message."""

    key: str
    words: str
    sort: str | None = None
    numeric: bool = False
    minor: bool = False
    """Left out on a phone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, in words of the reader's language, with how many rows it would leave."""

    value: str
    words: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter: its parameter in the address, its words (a message), its values. `one`: only one value at a time."""

    key: str
    words: str
    choices: Sequence[Choice]
    one: bool = False


@dataclass(frozen=True, slots=True)
class Without:
    """What taking one filter value away would give: "quitar 'IATF' da 31"."""

    key: str
    value: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list. `rows` may be mappings or objects; cells come from the page's template.

    `next` and `previous` are cursors, None at an end. `total` is the count with these filters, None where it was not
    counted. `without` is asked for only when there are no rows. `default_sort` is the order without a parameter.
    """

    columns: Sequence[Column]
    rows: Sequence[Any]
    filters: Sequence[Filter] = ()
    next: str | None = None
    previous: str | None = None
    total: int | None = None
    without: Sequence[Without] = ()
    default_sort: str | None = None
    search: bool = False
    keep: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the address that the filter form carries on besides its own."""
