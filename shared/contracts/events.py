"""Facts and states that the service events publishes: gatherings, and who comes to them.

A gathering is what people attend ("evento" on pages). A person who is registered is one state record and never
appears in a fact; a draft is nobody's business yet and is not published.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.base import Fact, State
from shared.contracts.membership import Country, FieldName, Subdivision, Zone

GatheringKind = Literal[
    "webinar",
    "course",
    "diploma_course",
    "workshop",
    "conference",
    "forum",
    "business_round",
    "supplier_fair",
    "plant_visit",
    "advisory_session",
    "open_doors_day",
    "study_tour",
    "mission",
    "committee_meeting",
    "board_meeting",
    "annual_assembly",
]
Mode = Literal["online", "in_place", "both"]
GatheringStatus = Literal["published", "postponed", "cancelled", "held"]
PriceGroup = Literal["own", "network", "public"]
"""Associates of the host's own cluster, of the network's other clusters, everybody else."""
RegistrationStatus = Literal["waiting", "offered", "confirmed", "cancelled", "lapsed"]
"""`offered`: a place is kept until `offer_until`; `lapsed`: it was not taken in time."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217, e.g. "MXN"."""
Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}[.][0-9]{2}$")]
"""An amount of money as decimal text, e.g. "850.00"."""


class Price(BaseModel):
    """What somebody pays, and as whom; "0.00" is free."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    group: PriceGroup
    amount: Amount
    currency: Currency


# --- gatherings ----------------------------------------------------------------------------------


class _GatheringFact(Fact):
    SERVICE: ClassVar[str] = "events"
    AGGREGATE: ClassVar[str] = "gathering"

    gathering_id: UUID


class GatheringPublished(_GatheringFact):
    """Everybody may see it and register. `cluster_id` is the host; None: the network itself.

    `capacity` is the number of places; None: no limit. `country` and `state` are where it is; None online.
    """

    network_id: UUID
    cluster_id: UUID | None
    kind: GatheringKind
    mode: Mode
    starts: datetime
    ends: datetime
    zone: Zone
    capacity: Annotated[int, Field(ge=1)] | None
    country: Country | None
    state: Subdivision | None


class GatheringChanged(_GatheringFact):
    """It is now so, whole; `fields` names what differs. `sequence` counts what calendars must follow (RFC 5545)."""

    fields: list[FieldName]
    sequence: int
    kind: GatheringKind
    mode: Mode
    starts: datetime
    ends: datetime
    zone: Zone
    capacity: Annotated[int, Field(ge=1)] | None
    country: Country | None
    state: Subdivision | None


class GatheringPostponed(_GatheringFact):
    """It is not held on its day. `starts` and `ends` are the new ones; None: still to be said."""

    sequence: int
    starts: datetime | None
    ends: datetime | None


class GatheringCancelled(_GatheringFact):
    """It is not held. Whoever was registered is registered no more, without facts of their own."""

    sequence: int


class GatheringHeld(_GatheringFact):
    """It took place; who was confirmed and did not check in was absent."""


class GatheringState(State):
    """The current row of a gathering, once it is published. The link to take part is sent to who is registered."""

    SERVICE: ClassVar[str] = "events"
    AGGREGATE: ClassVar[str] = "gathering"

    gathering_id: UUID
    slug: str
    network_id: UUID
    cluster_id: UUID | None
    status: GatheringStatus
    kind: GatheringKind
    title: str
    summary: str
    language: Literal["es", "en"]
    mode: Mode
    starts: datetime | None
    ends: datetime | None
    zone: Zone
    place: str | None
    sequence: int
    capacity: int | None


# --- registrations -------------------------------------------------------------------------------


class _RegistrationFact(Fact):
    """`organization_id` is for whom the person comes; None: for nobody but themselves."""

    SERVICE: ClassVar[str] = "events"
    AGGREGATE: ClassVar[str] = "registration"

    registration_id: UUID
    gathering_id: UUID
    organization_id: UUID | None


class RegistrationConfirmed(_RegistrationFact):
    """Somebody has a place; `waited`: they had been on the waiting list before."""

    price: Price
    waited: bool


class RegistrationWaitlisted(_RegistrationFact):
    """Every place is taken; they wait, first come, first served."""


class PlaceOffered(_RegistrationFact):
    """A place became free and is kept for them until `until`."""

    until: datetime


class PlaceOfferLapsed(_RegistrationFact):
    """The kept place was not taken in time and went to the next; they wait no more."""


class RegistrationCancelled(_RegistrationFact):
    """They do not come. `by` says whether they or the organiser decided it; the place is free."""

    by: Literal["registrant", "organizer"]


class AttendanceRecorded(_RegistrationFact):
    """They were there, seen at `at`. Once for each registration, however often somebody scans it."""

    at: datetime
    method: Literal["qr", "hand", "report"]


class AttendanceWithdrawn(_RegistrationFact):
    """It was recorded by mistake: they were not there."""


class RegistrationState(State):
    """The current row of a registration, for the messages about it. Erased when its person is."""

    SERVICE: ClassVar[str] = "events"
    AGGREGATE: ClassVar[str] = "registration"

    registration_id: UUID
    gathering_id: UUID
    organization_id: UUID | None
    status: RegistrationStatus
    name: str
    email: str
    language: Literal["es", "en"]
    person_id: UUID | None
    price: Price
    offer_until: datetime | None
    join_url: str | None
    check_in_code: str | None
