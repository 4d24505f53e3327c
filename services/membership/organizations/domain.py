"""The rules of organisations: names, type, place, tax number, dated positions in the chain.

Pure. Type, place and positions are what figures count by, so that a change of them is a fact that holds
them whole; a change of texts is a fact that names the fields, the texts stand in the state only.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, get_args
from uuid import UUID

from services.membership.decisions import Decided
from shared.contracts.membership import (
    ChainPosition,
    DatedPosition,
    OrganizationMerged,
    OrganizationProfileChanged,
    OrganizationReclassified,
    OrganizationRegistered,
    OrganizationState,
    OrganizationType,
    OrganizationWithdrawn,
)
from shared.postgres.values import normalised_name, sort_key
from shared.refusal import Conflict, NotFound, Refusal

TYPES: tuple[OrganizationType, ...] = get_args(OrganizationType)
POSITIONS: tuple[ChainPosition, ...] = get_args(ChainPosition)


class NoSuchOrganization(NotFound):
    """No organisation has this id."""


class TaxNumberTaken(Conflict):
    """Another organisation of the country has this tax number."""


class NameWithoutLetters(Refusal):
    """A name that nothing can be compared with."""


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the chain: `until` is the first day without it, None while it holds."""

    position: ChainPosition
    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Organization:
    """One organisation. `country` is ISO 3166-1, `state` ISO 3166-2 without it, None while unknown."""

    id: UUID
    slug: str
    legal_name: str
    trade_name: str
    type: OrganizationType
    country: str
    state: str | None
    city: str | None
    tax_number: str | None
    positions: tuple[Position, ...]
    version: int

    @property
    def open_positions(self) -> frozenset[ChainPosition]:
        """The positions that have no end."""
        return frozenset(p.position for p in self.positions if p.until is None)

    def dated(self) -> list[DatedPosition]:
        """Its positions as contracts write them."""
        return [_dated(p.position, p.since, p.until) for p in self.positions]

    def published(self) -> OrganizationState:
        """The record for the state topic; without the tax number."""
        return OrganizationState(
            organization_id=self.id,
            slug=self.slug,
            legal_name=self.legal_name,
            trade_name=self.trade_name,
            type=self.type,
            country=self.country,
            state=self.state,
            city=self.city,
            positions=self.dated(),
        )


@lru_cache(maxsize=4096)
def _dated(position: ChainPosition, since: date, until: date | None) -> DatedPosition:
    """Frozen and repeated thousands of times in a register: made once."""
    return DatedPosition(position=position, since=since, until=until)


@lru_cache(maxsize=4096)
def _held(positions: frozenset[ChainPosition], since: date) -> tuple[Position, ...]:
    return tuple(Position(position, since) for position in POSITIONS if position in positions)


class Candidate(NamedTuple):
    """What an organisation is recognised by; `normalised_name` is that of its legal name.

    `former`: the tax number is that of an entry that was merged into it.
    """

    id: UUID
    country: str
    tax_number: str | None
    normalised_name: str
    state: str | None
    former: bool = False


Decision = tuple[Organization, list[Decided]]
Differences = dict[str, tuple[Any, Any]]
_RECLASSIFYING = frozenset({"type", "country", "state", "positions"})
_TEXTS = ("legal_name", "trade_name", "city", "tax_number")
_WORD = re.compile(r"[^\W_]+")


def registered(
    id_: UUID,
    *,
    legal_name: str,
    trade_name: str | None,
    type_: OrganizationType,
    country: str,
    state: str | None,
    city: str | None,
    tax_number: str | None,
    positions: Collection[ChainPosition],
    on: date,
) -> Decision:
    """A new organisation with positions that hold from `on`. Raises `NameWithoutLetters`.

    Without a trade name it goes by its legal name without the legal form.
    """
    comparable(legal_name)
    trade = trade_name or without_legal_form(legal_name)
    held = _held(frozenset(positions), on)
    organization = Organization(
        id_, slug_of(trade), legal_name, trade, type_, country, state, city, tax_number, held, 1
    )
    fact = OrganizationRegistered(
        organization_id=id_, type=type_, country=country, state=state, positions=organization.dated()
    )
    return organization, [Decided(fact, on)]


def changed(
    organization: Organization, values: Mapping[str, Any], positions: Collection[ChainPosition] | None, on: date
) -> tuple[Organization, list[Decided], Differences]:
    """The organisation with new values of some fields, the facts, and what differed (old, new).

    `positions` are those that hold from `on` on; the others end on that day. Nothing that is the same makes
    a fact. Raises `NameWithoutLetters`.
    """
    differences: Differences = {
        name: (old, new) for name, new in values.items() if (old := getattr(organization, name)) != new
    }
    if "legal_name" in differences:
        comparable(differences["legal_name"][1])
    moved = positions is not None and frozenset(positions) != organization.open_positions
    if not differences and not moved:
        return organization, [], {}
    after = replace(organization, **{name: new for name, (_, new) in differences.items()})
    if positions is not None and moved:
        differences["positions"] = (_listed(organization.open_positions), _listed(positions))
        after = replace(after, positions=_repositioned(organization.positions, positions, on))
    facts: list[Decided] = []
    if _RECLASSIFYING & differences.keys():
        reclassified = OrganizationReclassified(
            organization_id=after.id, type=after.type, country=after.country, state=after.state, positions=after.dated()
        )
        facts.append(Decided(reclassified, on))
    if texts := [name for name in _TEXTS if name in differences]:
        facts.append(Decided(OrganizationProfileChanged(organization_id=after.id, fields=texts), on))
    return replace(after, version=organization.version + len(facts)), facts, differences


def merged(
    stays: Organization, goes: Organization, values: Mapping[str, Any], on: date
) -> tuple[Organization, list[Decided], Differences]:
    """The organisation that stays, with some values of the other and the positions of both, each on its own days.

    Its facts, and what differed (old, new). Raises `NameWithoutLetters`.
    """
    after, facts, differences = changed(stays, values, None, on)
    positions = _united(stays.positions, goes.positions)
    if positions == stays.positions:
        return after, facts, differences
    differences = {**differences, "positions": (_listed(stays.open_positions), _listed({
        p.position for p in positions if p.until is None}))}  # fmt: skip
    after = replace(after, positions=positions, version=stays.version)
    reclassified = OrganizationReclassified(
        organization_id=after.id, type=after.type, country=after.country, state=after.state, positions=after.dated()
    )
    others = [one for one in facts if not isinstance(one.fact, OrganizationReclassified)]
    facts = [Decided(reclassified, on), *others]
    return replace(after, version=stays.version + len(facts)), facts, differences


def _united(one: Sequence[Position], other: Sequence[Position]) -> tuple[Position, ...]:
    """The days of both, position by position; days that touch or overlap become one period."""
    found: list[Position] = []
    for item in sorted((*one, *other), key=lambda p: (POSITIONS.index(p.position), p.since)):
        last = found[-1] if found else None
        if last is None or last.position != item.position or (last.until is not None and item.since > last.until):
            found.append(item)
        elif last.until is not None:
            until = None if item.until is None else max(last.until, item.until)
            found[-1] = replace(last, until=until)
    return tuple(found)


def gone(present: Organization, into_id: UUID, on: date) -> list[Decided]:
    """It goes on as another one."""
    return [Decided(OrganizationMerged(organization_id=present.id, into_id=into_id), on)]


def put_back(present: Organization, before: Organization, on: date) -> tuple[Organization, list[Decided]]:
    """Undoes a change: the organisation as it was before it, the facts counting from the day of the change."""
    facts: list[Decided] = []
    if any(getattr(present, name) != getattr(before, name) for name in _RECLASSIFYING):
        reclassified = OrganizationReclassified(
            organization_id=before.id, type=before.type, country=before.country, state=before.state,
            positions=before.dated(),
        )  # fmt: skip
        facts.append(Decided(reclassified, on))
    if texts := [name for name in _TEXTS if getattr(present, name) != getattr(before, name)]:
        facts.append(Decided(OrganizationProfileChanged(organization_id=before.id, fields=texts), on))
    return replace(before, slug=present.slug, version=present.version + len(facts)), facts


def withdrawn(present: Organization, on: date) -> list[Decided]:
    """It was registered by mistake and never was; `on` is the day from which it was registered."""
    return [Decided(OrganizationWithdrawn(organization_id=present.id), on)]


def _repositioned(old: Sequence[Position], wanted: Collection[ChainPosition], on: date) -> tuple[Position, ...]:
    kept: list[Position] = []
    present: set[ChainPosition] = set()
    for item in old:
        if item.until is not None:
            if item.until <= on:
                kept.append(item)
            elif item.since < on:  # its end was planned for later; what is said now counts from `on`
                kept.append(replace(item, until=on))
            continue
        if item.position in wanted:
            kept.append(item)
            present.add(item.position)
        elif item.since < on:
            kept.append(replace(item, until=on))
        # one that began on the same day or later was never true
    kept.extend(Position(position, on) for position in POSITIONS if position in wanted and position not in present)
    return tuple(sorted(kept, key=lambda p: (POSITIONS.index(p.position), p.since)))


def _listed(positions: Collection[ChainPosition]) -> list[ChainPosition]:
    return [position for position in POSITIONS if position in positions]


def comparable(name: str) -> str:
    """The name as it compares. Raises `NameWithoutLetters` when nothing is left to compare."""
    key = normalised_name(name)
    if not key:
        raise NameWithoutLetters("legal_name: {name!r} has no letters or digits", name=name, field="legal_name")
    return key


def without_legal_form(name: str) -> str:
    """A legal name as people call it: "Arneses del Nazas, S.A. de C.V." -> "Arneses del Nazas"."""
    wanted = len(normalised_name(name).split(" "))
    for counted, word in enumerate(_WORD.finditer(name), start=1):
        if counted == wanted:
            end = word.end()
            return name[:end] if _WORD.search(name, end) else name
    return name


def slug_of(name: str) -> str:
    """How the organisation stands in addresses: at most 50 lower-case letters, digits and hyphens."""
    plain = sort_key(name).replace("\x7f", "")
    return "-".join(plain.split())[:50].strip("-") or "organizacion"


def distinct_slug(slug: str, id_: UUID) -> str:
    """The slug of another organisation of the same name: with the end of its id."""
    return f"{slug}-{id_.hex[-8:]}"
