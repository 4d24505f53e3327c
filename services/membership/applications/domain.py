"""What a cluster asks for with an application, and whether it is there: documents, members who vouch, a resolution.

Pure. What is asked for is dated data of each cluster; a cluster that says nothing asks for nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.refusal import Conflict, NotFound, Refusal
from shared.runtime.privacy import Personal, by_text

DocumentState = Literal["missing", "present", "refused"]
MOST_DOCUMENTS = 20
CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")
PERSONAL = (
    Personal("application_document", ("reason",), by_text("reason"), "values", "reason = 'erased'"),
    Personal("application", ("resolution",), by_text("resolution"), "values", "resolution = 'erased'"),
)


class NoSuchApplication(NotFound):
    """There is no application under this id, or not for this caller."""


class NoSuchDocument(NotFound):
    """The application has no document of this kind."""


class NotAskedFor(Refusal):
    """A document that the cluster does not ask for."""


class AlreadyDecided(Conflict):
    """The application was decided; its file stays as it is."""


class NotComplete(Conflict):
    """What the cluster asks for is not all there."""


class CannotVouch(Refusal):
    """Only members in force of the cluster vouch, and nobody for themselves."""


class MalformedRequirements(Refusal):
    """A list of what is asked for that nobody could keep to."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is asked for: its code and what it is called."""

    code: str
    es: str
    en: str


USUAL: tuple[Document, ...] = (
    Document("letter", "Carta de solicitud", "Letter of application"),
    Document("deed", "Acta constitutiva", "Deed of incorporation"),
    Document("tax_certificate", "Constancia de situación fiscal", "Tax certificate"),
    Document("power", "Poder del representante legal", "Power of the legal representative"),
    Document("presentation", "Presentación de la empresa", "Presentation of the company"),
)
"""What clusters usually ask for (DOMAIN section 2: letter, deed, tax certificate), to choose from."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What is asked for: documents, so many members who vouch, a resolution of the board."""

    documents: tuple[Document, ...] = ()
    vouchers: int = 0
    resolution: bool = False


NOTHING = Requirements()


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A document as it came: its file, and why it was refused."""

    code: str
    state: Literal["present", "refused"]
    file_id: UUID
    reason: str | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """The file of one application. `version` 0 is one to which nothing was added yet."""

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID
    standing: str
    applied_on: date
    resolution: str | None = None
    documents: Mapping[str, HandedIn] = field(default_factory=dict)
    vouchers: tuple[UUID, ...] = ()
    version: int = 0

    def state(self, code: str) -> DocumentState:
        """Whether a document is there."""
        found = self.documents.get(code)
        return found.state if found else "missing"

    def require_open(self) -> None:
        """Raises `AlreadyDecided` when nothing can be added any more."""
        if self.standing not in ("applied", "approved"):
            raise AlreadyDecided("the application was decided; its file stays as it is")


def missing(asked: Requirements, application: Application, resolution: str | None) -> list[str]:
    """Codes of what is not there: those of documents, "vouchers", "resolution"."""
    found = [one.code for one in asked.documents if application.state(one.code) != "present"]
    if len(application.vouchers) < asked.vouchers:
        found.append("vouchers")
    if asked.resolution and not (resolution or application.resolution):
        found.append("resolution")
    return found


def require_complete(asked: Requirements, application: Application, resolution: str | None) -> None:
    """Raises `NotComplete`, naming what is missing."""
    lacking = missing(asked, application, resolution)
    if not lacking:
        return
    if lacking == ["resolution"]:
        raise NotComplete("write the board's resolution, e.g. CD-2026-14", field="resolution")
    names = [one.es for one in asked.documents if one.code in lacking]
    if "vouchers" in lacking:
        raise NotComplete(
            "the file is not complete: {names}; {count} of {needed} members vouch",
            names=", ".join(names) or "–", count=len(application.vouchers), needed=asked.vouchers, field="documents",
        )  # fmt: skip
    raise NotComplete("the file is not complete: {names}", names=", ".join(names), field="documents")


def checked(documents: Sequence[Document], vouchers: int) -> None:
    """Raises `MalformedRequirements`."""
    if len(documents) > MOST_DOCUMENTS:
        raise MalformedRequirements("at most {most} documents", most=MOST_DOCUMENTS, field="documents")
    codes: Collection[str] = [one.code for one in documents]
    if len(set(codes)) < len(codes):
        raise MalformedRequirements("a document is named twice", field="documents")
    for one in documents:
        if not CODE.fullmatch(one.code) or not one.es.strip() or not one.en.strip():
            raise MalformedRequirements("{code!r} is no code of small letters with a name", code=one.code[:40],
                                        field="documents")  # fmt: skip
    if not 0 <= vouchers <= 10:
        raise MalformedRequirements("between 0 and 10 members vouch", field="vouchers")


def code_of(name: str, plain: str) -> str:
    """A code for a document that a cluster names itself: "Carta de no adeudo" -> "carta_de_no_adeudo"."""
    code = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40].strip("_")
    return code if CODE.fullmatch(code) else f"documento_{code}"[:40].strip("_")
