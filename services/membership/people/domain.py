"""Representatives: who speaks for an organisation. A person is known within it by mail, without case."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from shared.contracts.membership import PersonState
from shared.refusal import NotFound
from shared.runtime.privacy import Personal

Language = Literal["es", "en"]
PERSONAL = (Personal("person", ("name", "mail", "mail_key"), "id::text = ANY ($1)", "record"),)
"""What access and erasure of a person concern."""


class NoSuchPerson(NotFound):
    """No person has this id, or they were erased."""


@dataclass(frozen=True, slots=True)
class Person:
    """A representative of one organisation; only a state is published, never a fact."""

    id: UUID
    organization_id: UUID
    name: str
    mail: str
    language: Language
    version: int

    def published(self) -> PersonState:
        """The record for the state topic."""
        return PersonState(
            person_id=self.id,
            organization_id=self.organization_id,
            name=self.name,
            mail=self.mail,
            language=self.language,
        )


def mail_key(mail: str) -> str:
    """What a mail address compares by."""
    return mail.casefold()


def described(person: Person, name: str | None, language: Language | None) -> Person:
    """The person with another name or language; what is None stays. The same person when nothing differs."""
    after = replace(person, name=name or person.name, language=language or person.language)
    return person if after == person else replace(after, version=person.version + 1)
