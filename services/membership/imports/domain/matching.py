"""Whom a row means: by tax number first, then by comparable name and state; and which rows mean the same.

Pure. Two different tax numbers are two organisations whatever their names, so that the same file twice
always finds the same ones.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from services.membership.imports.domain.entries import Entry
from services.membership.organizations.domain import Candidate
from shared.refusal import Said


class Touched(NamedTuple):
    """The row that meant an organisation first and was taken, and what it said."""

    row: int
    said: tuple[Any, ...]


class Match(NamedTuple):
    """The organisation that a row means; None when it is a new one. `reason` refuses the row.

    `former`: it is known by the tax number of an entry that was merged into it.
    """

    id: UUID | None
    reason: str | None = None
    warning: str | None = None
    former: bool = False


class Known:
    """Organisations that rows may mean, and which of them rows have meant.

    Layered: what one chunk adds reaches the whole import only with `keep()`, after its commit.
    """

    def __init__(self, under: "Known | None" = None) -> None:
        self._under = under
        self._by_tax: dict[tuple[str, str], Candidate] = {}
        self._by_name: dict[str, dict[UUID, Candidate]] = {}
        self._touched: dict[UUID, Touched] = {}
        self._named: set[UUID] = set()
        self._added: list[Candidate] = []

    def learn(self, candidates: Iterable[Candidate]) -> None:
        """Organisations of the register."""
        for candidate in candidates:
            if candidate.tax_number is not None:
                self._by_tax[candidate.country, candidate.tax_number] = candidate
            if not candidate.former:
                self._by_name.setdefault(candidate.normalised_name, {})[candidate.id] = candidate

    def add(self, candidate: Candidate) -> None:
        """An organisation that a row of this file makes."""
        self._added.append(candidate)
        self.learn([candidate])

    def touch(self, id_: UUID, entry: Entry) -> None:
        """A row means this organisation and is taken: no other row is to say something else of it."""
        self._touched[id_] = Touched(entry.number, entry.said)
        self._named.add(id_)

    def name(self, id_: UUID) -> None:
        """A row means this organisation and is refused: it claims nothing, but the file does name the member."""
        self._named.add(id_)

    def touched(self, id_: UUID) -> Touched | None:
        """The row that meant it first and was taken."""
        return self._touched.get(id_) or (self._under.touched(id_) if self._under else None)

    def named_ids(self) -> frozenset[UUID]:
        """All organisations that the rows so far meant, taken or refused."""
        return frozenset(self._named)

    def keep(self) -> None:
        """Hands what this layer added down to the whole import."""
        assert self._under is not None
        for candidate in self._added:
            self._under.add(candidate)
        self._under._added.clear()
        for id_, touched in self._touched.items():
            self._under._touched.setdefault(id_, touched)
        self._under._named |= self._named

    def meant_by(self, entry: Entry) -> Match:
        """Whom a row means."""
        if entry.tax_number is not None and (found := self._with_tax(entry.country, entry.tax_number)):
            return Match(found.id, former=found.former)
        if not entry.name_key:
            if entry.tax_number is None:
                return Match(None)
            return Match(None, Said("legal_name: the tax number is not in the register, so the row needs a name"))
        named = [c for c in self._with_name(entry.name_key) if c.country == entry.country]
        if not named:
            return _NOBODY
        if entry.tax_number is None:
            return self._one_of(_in_state(named, entry.state), entry)
        match = self._one_of(_in_state([c for c in named if c.tax_number is None], entry.state), entry)
        others = [c for c in named if c.tax_number is not None and c.state in (entry.state, None)]
        if match.id is None and match.reason is None and others:
            return Match(
                None,
                warning=Said(
                    "another organisation has this name and the tax number {number}: a duplicate?",
                    number=others[0].tax_number,
                ),
            )
        return match

    def _one_of(self, found: list[Candidate], entry: Entry) -> Match:
        if len(found) > 1:
            return Match(
                None,
                Said(
                    "{count} organisations have this name; write the tax number to tell which is meant",
                    count=len(found),
                ),
            )
        return Match(found[0].id if found else None)

    def _with_tax(self, country: str, number: str) -> Candidate | None:
        return self._by_tax.get((country, number)) or (self._under._with_tax(country, number) if self._under else None)

    def _with_name(self, key: str) -> list[Candidate]:
        own = self._by_name.get(key)
        under = self._under._with_name(key) if self._under else []
        return list({**{c.id: c for c in under}, **own}.values()) if own else under


_NOBODY = Match(None)


def _in_state(named: list[Candidate], state: str | None) -> list[Candidate]:
    """Those in the same state; else those whose state is unknown, on one side or the other."""
    same = [c for c in named if c.state == state]
    if same:
        return same
    return named if state is None else [c for c in named if c.state is None]
