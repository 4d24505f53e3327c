"""Facts and states that the service membership publishes: clusters, organisations, memberships, people.

Facts hold ids, codes and dates; names and addresses stand in states only, so that they can be erased.
A person is one state record and never appears in a fact.
"""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.base import Fact, State

OrganizationType = Literal["company", "university", "research_centre", "government", "association"]
ChainPosition = Literal["oem", "tier1", "tier2", "tier3", "service", "raw_material"]
Category = Literal["associate", "affiliate", "honorary"]
Standing = Literal["applied", "approved", "active", "grace", "lapsed", "resigned", "expelled", "refused"]
Origin = Literal["application", "import"]

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2, e.g. "MX"."""
Subdivision = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
"""ISO 3166-2 without the country, e.g. "JAL", "NLE", "CA"."""
Zone = Annotated[
    str,
    StringConstraints(
        pattern=r"^(UTC|(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)"
        r"(/[A-Za-z0-9_+-]{1,20}){1,2})$"
    ),
]
"""An IANA time zone, e.g. "America/Mexico_City"."""
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,39}$")]
"""The name of a field of a profile, e.g. "trade_name"; never its content."""


class DatedPosition(BaseModel):
    """A position in the chain from one day on; an open end is None. Several may hold at once."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    position: ChainPosition
    since: date
    until: date | None = None


# --- clusters ------------------------------------------------------------------------------------


class _ClusterFact(Fact):
    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "cluster"


class ClusterFounded(_ClusterFact):
    """A cluster exists. `state` is the ISO 3166-2 code without country ("JAL")."""

    cluster_id: UUID
    network_id: UUID
    country: Country
    state: Subdivision
    zone: Zone


class ClusterJoinedNetwork(_ClusterFact):
    """A cluster belongs to the network from `effective` on."""

    cluster_id: UUID
    network_id: UUID


class ClusterLeftNetwork(_ClusterFact):
    """A cluster's last day in the network is the day before `effective`."""

    cluster_id: UUID
    network_id: UUID


class ClusterState(State):
    """The current row of a cluster."""

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "cluster"

    cluster_id: UUID
    network_id: UUID
    slug: str
    name: str
    country: Country
    state: Subdivision
    zone: Zone
    language: Literal["es", "en"]
    in_network_since: date | None
    in_network_until: date | None


# --- organisations -------------------------------------------------------------------------------


class _OrganizationFact(Fact):
    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "organization"


class OrganizationRegistered(_OrganizationFact):
    """An organisation is in the register. `state` is None while its place is unknown."""

    organization_id: UUID
    type: OrganizationType
    country: Country
    state: Subdivision | None
    positions: list[DatedPosition]


class OrganizationReclassified(_OrganizationFact):
    """Type, place or positions are now these, whole; they replace what was known before."""

    organization_id: UUID
    type: OrganizationType
    country: Country
    state: Subdivision | None
    positions: list[DatedPosition]


class OrganizationProfileChanged(_OrganizationFact):
    """Texts of the profile changed; the new ones stand in the state. `fields` names them."""

    organization_id: UUID
    fields: list[FieldName]


class OrganizationWithdrawn(_OrganizationFact):
    """The organisation was registered by mistake, by an import that was undone: it never was. Its state is erased."""

    organization_id: UUID


class OrganizationMerged(_OrganizationFact):
    """It is the same as another one, which goes on under its own id: this id means that one from now on.

    Its memberships are told by facts of their own; its state is erased.
    """

    organization_id: UUID
    into_id: UUID


class OrganizationState(State):
    """The current row of an organisation. The tax number is not published."""

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "organization"

    organization_id: UUID
    slug: str
    legal_name: str
    trade_name: str
    type: OrganizationType
    country: Country
    state: Subdivision | None
    city: str | None
    positions: list[DatedPosition]


# --- what an organisation can do -----------------------------------------------------------------

Size = Literal["micro", "small", "medium", "large"]
"""By people employed: up to 10, 50, 250, more (Mexico: DOF 30 June 2009, manufacturing, without its sales)."""
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
"""A process, sector or standard of the published lists, e.g. "stamping", "medical", "iatf_16949"."""
HsCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}([0-9]{2})?$")]
"""A heading or subheading of the Harmonized System without dots, e.g. "870829"."""


class Activity(BaseModel):
    """A class of economic activity: NAICS 2022 or SCIAN, e.g. scian 336370."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    scheme: Literal["naics", "scian"]
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,6}$")]


class _ProfileFact(Fact):
    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "profile"

    organization_id: UUID


class CapabilitiesDescribed(_ProfileFact):
    """What an organisation can do and for whom, whole; it replaces what was known before. `parent_id`: of a branch."""

    size: Size | None
    parent_id: UUID | None
    processes: list[Code]
    sectors: list[Code]
    products: list[HsCode]
    activities: list[Activity]


class CertificateRecorded(_ProfileFact):
    """A certificate holds from `since` on; `until` is the first day without it. The newest of an id counts."""

    certificate_id: UUID
    standard: Code
    since: date
    until: date


class CertificateRemoved(_ProfileFact):
    """A certificate is no longer in the register: it was a mistake, or was withdrawn."""

    certificate_id: UUID


class SiteRecorded(_ProfileFact):
    """A plant or office is there, or moved. `state` is None abroad where it is unknown."""

    site_id: UUID
    country: Country
    state: Subdivision | None


class SiteClosed(_ProfileFact):
    """A plant or office is there no more from `effective` on."""

    site_id: UUID


class VisibilityChanged(_ProfileFact):
    """Other readers than before see these fields; the state holds what the network sees."""

    fields: list[FieldName]


class Certificate(BaseModel):
    """A certificate as the network sees it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    certificate_id: UUID
    standard: Code
    body: str
    number: str | None
    scope: str | None
    since: date
    until: date


class Site(BaseModel):
    """A plant or office as the network sees it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    site_id: UUID
    name: str
    country: Country
    state: Subdivision | None
    city: str | None


class ProfileState(State):
    """What an organisation can do, as far as the whole network may see it. What it keeps to itself is left out."""

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "profile"

    organization_id: UUID
    size: Size | None
    parent_id: UUID | None
    processes: list[Code]
    sectors: list[Code]
    products: list[HsCode]
    activities: list[Activity]
    certificates: list[Certificate]
    sites: list[Site]


# --- memberships of an organisation in a cluster -------------------------------------------------


class _MembershipFact(Fact):
    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "membership"

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID


class MembershipApplied(_MembershipFact):
    """An organisation asks to join; `effective` is the day of the application."""

    category: Category


class MembershipApproved(_MembershipFact):
    """The cluster accepts the application; the membership is not in force yet."""

    category: Category


class MembershipActivated(_MembershipFact):
    """The membership is in force from `effective` on, in this category.

    `origin` tells an application from a register taken over; `announce` is False when nobody is to be
    greeted (a register of long-standing members).
    """

    category: Category
    origin: Origin
    announce: bool = True


class MembershipCategoryChanged(_MembershipFact):
    """From `effective` on the membership has this category."""

    category: Category
    previous: Category


class MembershipResigned(_MembershipFact):
    """The membership is no longer in force from `effective` on (the first day without it)."""

    category: Category


class MembershipRefused(_MembershipFact):
    """The cluster does not accept the application; the organisation may ask again."""

    category: Category


class MembershipExpelled(_MembershipFact):
    """The cluster ended the membership: it is no longer in force from `effective` on (the first day without it)."""

    category: Category


class MembershipReinstated(_MembershipFact):
    """A membership that had ended is in force again from `effective` on, in this category, without an application."""

    category: Category


class MembershipActivationWithdrawn(_MembershipFact):
    """It was brought into force by mistake, by an import that was undone: no day from `effective` on counts.

    `effective` is the first day that the mistake brought; what was in force before stays.
    """

    category: Category


class MembershipTransferred(_MembershipFact):
    """It belongs to `organization_id` on all of its days: the former organisation is the same as this one."""

    category: Category
    former_id: UUID


class MembershipMerged(_MembershipFact):
    """It goes on as another membership of the same organisation in the same cluster, `into_id`.

    Its days before `effective` stay, as days of `organization_id`; from then on it is no longer in force.
    """

    category: Category
    into_id: UUID


class StandingState(State):
    """How a membership stands now: whether an organisation is in force in a cluster, as what, since and until when.

    `until` is the first day on which it is no longer in force, None while open.
    """

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "standing"

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID
    category: Category
    standing: Standing
    since: date | None
    until: date | None


# --- companies that may join ----------------------------------------------------------------------

ProspectSource = Literal["member", "event", "agency", "own_search", "asked_us", "other"]
"""How a cluster came to know of a company."""


class _ProspectFact(Fact):
    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "prospect"

    prospect_id: UUID
    cluster_id: UUID


class ProspectNoted(_ProspectFact):
    """A company may join; who it is stays with the cluster until it applies."""

    source: ProspectSource


class ProspectApplied(_ProspectFact):
    """It applies, as this organisation."""

    organization_id: UUID


class ProspectLost(_ProspectFact):
    """It does not join."""


# --- the file of an application ------------------------------------------------------------------


class _ApplicationFact(Fact):
    """Keyed by the membership that is applied for."""

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "application"

    membership_id: UUID
    organization_id: UUID
    cluster_id: UUID


class ApplicationDocumentReceived(_ApplicationFact):
    """A document that the cluster asks for has come, or has come again. `document` is the cluster's code for it."""

    document: Code


class ApplicationDocumentRefused(_ApplicationFact):
    """A document that came does not do; why is told to the applicant, not here."""

    document: Code


class MemberVouched(_ApplicationFact):
    """A member of the cluster vouches for the applicant."""

    voucher_id: UUID


class VoucherWithdrawn(_ApplicationFact):
    """A member vouches for the applicant no more."""

    voucher_id: UUID


# --- people --------------------------------------------------------------------------------------


PersonRole = Literal[
    "general_manager", "human_resources", "purchasing", "quality", "sales", "plant", "legal_representative",
    "main_contact", "other",
]  # fmt: skip
"""As what somebody speaks for an organisation."""


class Represented(BaseModel):
    """An organisation that somebody speaks for now; `main` is who is written to first."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    organization_id: UUID
    role: PersonRole
    main: bool
    since: date


class PersonState(State):
    """A representative and the organisations they speak for. Erased by a record without a value.

    `represents` holds all of them, none when they speak for nobody any more; a record without it is older than the
    field, and its person speaks for `organization_id`, which otherwise names the first.
    """

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "person"

    person_id: UUID
    organization_id: UUID
    name: str
    mail: str
    language: Literal["es", "en"]
    represents: list[Represented] | None = None


# --- one company writes to another ----------------------------------------------------------------


class ContactRequested(Fact):
    """Somebody wrote to a member of `cluster_id`; what they wrote stands in the state."""

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "contact"

    contact_id: UUID
    organization_id: UUID
    cluster_id: UUID


class ContactState(State):
    """What somebody wrote to an organisation, for its delivery; erased after a week."""

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "contact"

    contact_id: UUID
    organization_id: UUID
    sender_name: str
    sender_organization: str
    reply_to: str
    message: str


class SegmentState(State):
    """Whom a segment of the register held at `drawn_at`, for what is written to all of them.

    `cluster_id` None: a segment of the whole network. One of more than 10,000 organisations names none (`too_many`).
    Its name and filters stay where they were written.
    """

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "segment"

    segment_id: UUID
    cluster_id: UUID | None
    drawn_at: datetime
    organization_ids: Annotated[list[UUID], Field(max_length=10_000)]
    too_many: bool = False


# --- who may sign in, and as what ----------------------------------------------------------------

Role = Literal[
    "coordinator", "assistant", "board_member", "treasurer", "cluster_director", "cluster_president",
    "cluster_staff", "representative", "buyer", "partner", "operator", "developer", "service",
]  # fmt: skip
"""What a person or a program does in the network; which role may do what is each service's own policy."""
RoleScope = Literal["network", "cluster", "organization"]


class AccessGrant(BaseModel):
    """One role over one scope, from `since` on, before `until`. `scope_id` is None for the network."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    role: Role
    scope: RoleScope
    scope_id: UUID | None = None
    since: date
    until: date | None = None


class AccessState(State):
    """Who may sign in with which roles: a person, or a program by its token. A record without a value ends it.

    Tokens issued up to `not_before`, and those of a session in `ended`, are refused. `services` limits a
    program's token to some services, `until` is the instant after which it opens nothing. `mail_hash` is the SHA-256,
    in hexadecimal, of the person's mail address in small letters: by it a service that writes to addresses knows
    its reader again, without the address being told.
    """

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "access"

    subject_id: UUID
    kind: Literal["person", "program"]
    name: str
    language: Literal["es", "en"]
    grants: list[AccessGrant]
    services: list[Literal["membership", "events", "notifications", "reporting"]] | None = None
    not_before: datetime
    ended: list[UUID]
    until: datetime | None = None
    mail_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class KeyState(State):
    """A public key that verifies the tokens of membership: Ed25519, `x` as in a JSON Web Key (RFC 8037).

    It signs from `since` on and verifies until `until`; it is published ahead of its first use.
    """

    SERVICE: ClassVar[str] = "membership"
    AGGREGATE: ClassVar[str] = "key"

    key_id: UUID
    x: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    since: datetime
    until: datetime
