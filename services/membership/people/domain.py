"""Representatives: who speaks for which organisations, as what, since when; what they agreed to.

A person is known by mail, without case, and is one however many organisations they speak for. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from shared.contracts.membership import PersonRole, PersonState, Represented
from shared.refusal import Conflict, NotFound, Refusal
from shared.runtime.privacy import Personal

Language = Literal["es", "en"]
Purpose = Literal["directory", "events", "announcements"]
"""What somebody may agree to: to be shown to other members, invitations, news."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
ROLES: tuple[PersonRole, ...] = get_args(PersonRole)
MOST = 10
"""How many may speak for a member where its cluster has not decided otherwise (docs/decisions.md)."""
PERSONAL = (
    Personal("person", ("name", "mail", "mail_key"), "id::text = ANY ($1)", "record"),
    Personal("person_organization", ("phone",), "person_id::text = ANY ($1)", "record"),
    Personal("consent", ("note",), "person_id::text = ANY ($1)", "record"),
)
"""What access and erasure of a person concern."""
SILENT = frozenset({"name", "mail", "phone"})
"""Fields of which the change log says that they changed, not from what to what."""


class NoSuchPerson(NotFound):
    """No person has this id, they were erased, or they do not speak for the organisation."""


class AlreadySpeaks(Conflict):
    """Who is to be added speaks for the organisation already."""


class MailTaken(Conflict):
    """Somebody else has this mail address."""


class TooManyRepresentatives(Conflict):
    """The organisation has as many as its clusters allow."""


class NotOnThatDay(Refusal):
    """A day that is to come, or before they began."""


class Representation(NamedTuple):
    """For which organisation somebody speaks and as what; `until` is the first day on which they do not."""

    organization_id: UUID
    role: PersonRole
    main: bool
    phone: str | None
    since: date
    until: date | None = None


class Consent(NamedTuple):
    """One line of the history of what somebody agreed to: how or why, and who recorded it."""

    id: UUID
    purpose: Purpose
    given: bool
    at: datetime
    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class Person:
    """A representative; only a state is published, never a fact. `organization_id` is the first they speak for."""

    id: UUID
    organization_id: UUID
    name: str
    mail: str
    language: Language
    version: int
    represents: tuple[Representation, ...] = ()

    @property
    def present(self) -> tuple[Representation, ...]:
        """What has not ended."""
        return tuple(one for one in self.represents if one.until is None)

    def at(self, organization_id: UUID) -> Representation:
        """How they speak for an organisation now. Raises `NoSuchPerson` when they do not."""
        found = next((one for one in self.present if one.organization_id == organization_id), None)
        if found is None:
            raise NoSuchPerson("{id} does not speak for this organisation", id=self.id, field="person_id")
        return found

    def published(self) -> PersonState:
        """The record for the state topic."""
        return PersonState(
            person_id=self.id,
            organization_id=self.organization_id,
            name=self.name,
            mail=self.mail,
            language=self.language,
            represents=[
                Represented(organization_id=one.organization_id, role=one.role, main=one.main, since=one.since)
                for one in self.present
            ],
        )


def mail_key(mail: str) -> str:
    """What a mail address compares by."""
    return mail.casefold()


def described(person: Person, name: str | None, language: Language | None) -> Person:
    """The person with another name or language; what is None stays. The same person when nothing differs."""
    return corrected(person, {"name": name or person.name, "language": language or person.language})


def corrected(person: Person, values: Mapping[str, Any]) -> Person:
    """The person with other values of some of name, mail, language. The same person when nothing differs."""
    after = replace(person, **values)
    return person if after == person else replace(after, version=person.version + 1)


def speaking(person: Person, new: Representation) -> Person:
    """The person speaks for one organisation more. Raises `AlreadySpeaks`, `NotOnThatDay`."""
    for one in person.represents:
        if one.organization_id != new.organization_id:
            continue
        if one.until is None:
            raise AlreadySpeaks("this mail address belongs to somebody who speaks for it already", field="mail")
        if new.since < one.until:
            raise NotOnThatDay("since: they spoke for it until {until}", until=one.until, field="since")
    return _with(person, (*person.represents, new))


def placed(person: Person, organization_id: UUID, values: Mapping[str, Any]) -> Person:
    """Other values of some of role, phone, main at one organisation. The same person when nothing differs.

    Raises `NoSuchPerson`.
    """
    before = person.at(organization_id)
    after = before._replace(**values)
    if after == before:
        return person
    return _with(person, tuple(after if one is before else one for one in person.represents))


def ended(person: Person, organization_id: UUID, on: date) -> Person:
    """They speak for it no more from a day on; a main contact is none then. Raises `NoSuchPerson`, `NotOnThatDay`."""
    before = person.at(organization_id)
    if on < before.since:
        raise NotOnThatDay("effective: they speak for it since {since}", since=before.since, field="effective")
    rest = tuple(one for one in person.represents if one is not before)
    # whoever never spoke for a day leaves no line behind
    return _with(person, rest if on == before.since else (*rest, before._replace(until=on, main=False)))


def carried_over(person: Person, from_id: UUID, to_id: UUID, *, main: bool) -> Person:
    """They speak for one organisation as they did for another, which is the same; `main`: as its main contact too."""
    made: list[Representation] = []
    moved = [one._replace(organization_id=to_id, main=one.main and main) if one.organization_id == from_id else one
             for one in person.represents]  # fmt: skip
    for one in sorted(moved, key=lambda each: (each.organization_id, each.since)):
        last = made[-1] if made else None
        if last is None or last.organization_id != one.organization_id or (last.until and one.since >= last.until):
            made.append(one)
            continue
        ends = {last.until, one.until}
        made[-1] = last._replace(until=None if None in ends else max(end for end in ends if end),
                                 main=last.main or one.main, phone=last.phone or one.phone)  # fmt: skip
    first = to_id if person.organization_id == from_id else person.organization_id
    return replace(_with(person, tuple(made)), organization_id=first, version=person.version + 1)


def _with(person: Person, represents: tuple[Representation, ...]) -> Person:
    present = [one for one in represents if one.until is None] or list(represents)
    known = [one.organization_id for one in present] or [person.organization_id]
    main = person.organization_id if person.organization_id in known else known[0]
    return replace(person, represents=represents, organization_id=main, version=person.version + 1)


def require_room(there: int, most: int) -> None:
    """Raises `TooManyRepresentatives` when one more would be too many."""
    if there >= most:
        raise TooManyRepresentatives("it has {there} representatives; at most {most} may speak for it",
                                     there=there, most=most, field="organization_id")  # fmt: skip


def differences(before: Person, after: Person, organization_id: UUID | None = None) -> dict[str, tuple[Any, Any]]:
    """What a change log says of a change: field to old and new value, of what is personal neither."""
    found: dict[str, tuple[Any, Any]] = {}
    pairs: list[tuple[str, Any, Any]] = [
        (n, getattr(before, n), getattr(after, n)) for n in ("name", "mail", "language")
    ]
    if organization_id is not None:
        old, new = (
            next((one for one in reversed(p.represents) if one.organization_id == organization_id), None)
            for p in (before, after)
        )
        pairs += [(n, getattr(old, n, None), getattr(new, n, None)) for n in Representation._fields[1:]]
        if any(a != b for _, a, b in pairs):
            found["organization_id"] = (None, organization_id)
    for name, old_value, new_value in pairs:
        if old_value != new_value:
            found[name] = (None, None) if name in SILENT else (old_value, new_value)
    return found
