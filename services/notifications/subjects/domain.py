"""Which fact concerns whom: one rule for every fact that exists, beside the templates of its subject.

A fact that nobody is written to about says so here with its reason; a fact without any rule fails a test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.contracts import events, membership, notifications, reporting
from shared.contracts.base import Fact
from shared.messaging.events import Event, EventRefused

Subject = Literal[
    "welcome", "contact", "application", "approved", "refused", "registered", "waiting", "offered", "offer_lapsed",
    "unregistered", "changed", "postponed", "cancelled", "reminder_week", "reminder_day", "certificate",
    "announcement",
]  # fmt: skip

GREETED_WITHIN = timedelta(days=1)
"""A representative who becomes known later than this is not greeted any more.

Counted from when we handle the fact, not from the fact: an outage of ours costs nobody a greeting.
"""

NEWS_FOR = timedelta(days=30)
"""A fact that was recorded longer ago is history when we come to handle it, and asks nothing of anybody.

Longer than any outage; without it a listener that reads a topic from its beginning (a new database, a backfill)
would greet whoever has joined since the topic exists.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fact asks for: every representative of the organisation hears of it, in this cluster's name.

    About a gathering it is whoever is registered there, or the one registration that it is about.
    """

    subject: Subject
    organization_id: UUID | None
    cluster_id: UUID | None
    category: str
    effective: date
    about: UUID | None = None
    """What it waits for besides names and people: the text of a contact, a registration."""
    gathering_id: UUID | None = None
    certificate_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ConcernsNobody:
    """Nobody is written to about this fact, for this reason."""

    reason: str


Rule = Callable[[Event], Asked | None] | ConcernsNobody


def welcome(event: Event) -> Asked | None:
    """A membership in force concerns the company's representatives, unless the register says not to announce it."""
    fact: membership.MembershipActivated = event.data
    if not fact.announce:
        return None
    if event.effective is None:
        raise EventRefused("effective: a membership is in force from some day on")
    return Asked("welcome", fact.organization_id, fact.cluster_id, fact.category, event.effective)


def contact(event: Event) -> Asked | None:
    """What somebody wrote concerns the representatives of the company that they wrote to."""
    fact: membership.ContactRequested = event.data
    if event.effective is None:
        raise EventRefused("effective: somebody writes on some day")
    return Asked("contact", fact.organization_id, fact.cluster_id, "associate", event.effective, fact.contact_id)


def application(event: Event) -> Asked | None:
    """An application that came in, and what was decided, concern the applicant's representatives."""
    fact: membership.MembershipApplied | membership.MembershipApproved | membership.MembershipRefused = event.data
    subjects: dict[type[Fact], Subject] = {
        membership.MembershipApplied: "application", membership.MembershipApproved: "approved",
        membership.MembershipRefused: "refused",
    }  # fmt: skip
    on = event.effective or event.time.date()
    if on < event.time.date() - NEWS_FOR:  # somebody enters what was decided long ago
        return None
    return Asked(subjects[type(fact)], fact.organization_id, fact.cluster_id, fact.category, on)


_OF_REGISTRATION: dict[type[Fact], Subject] = {
    events.RegistrationConfirmed: "registered", events.RegistrationWaitlisted: "waiting",
    events.PlaceOffered: "offered", events.PlaceOfferLapsed: "offer_lapsed",
    events.RegistrationCancelled: "unregistered",
}  # fmt: skip


def registration(event: Event) -> Asked | None:
    """What becomes of a registration concerns whom it is for."""
    fact: events.RegistrationConfirmed = event.data
    on = event.effective or event.time.date()
    if on < event.time.date() - timedelta(days=1):  # the organiser enters who was registered otherwise, and told so
        return None
    return Asked(_OF_REGISTRATION[type(fact)], fact.organization_id, None, "associate", on, fact.registration_id,
                 fact.gathering_id)  # fmt: skip


TOLD_CHANGES = frozenset(("starts", "ends", "zone", "mode", "place", "title", "join_url", "sessions"))
"""A change of these is written about; more places or another price are seen on the page."""


def gathering(event: Event) -> Asked | None:
    """That it is held otherwise than was said concerns everybody who is registered."""
    fact: events.GatheringChanged | events.GatheringPostponed | events.GatheringCancelled = event.data
    if isinstance(fact, events.GatheringChanged) and not TOLD_CHANGES.intersection(fact.fields):
        return None
    subjects: dict[type[Fact], Subject] = {
        events.GatheringChanged: "changed", events.GatheringPostponed: "postponed",
        events.GatheringCancelled: "cancelled",
    }  # fmt: skip
    on = event.effective or event.time.date()
    return Asked(subjects[type(fact)], None, None, "associate", on, None, fact.gathering_id)


_STAFF = "the cluster's staff sees it on its pages; nobody asked for a mail"
_OWN_LOG = "what became of a mail stands in its log"
_NO_DECISION = "it asks nothing of its representatives"

RULES: dict[type[Fact], Rule] = {
    membership.MembershipActivated: welcome,
    membership.ContactRequested: contact,
    membership.ProspectNoted: ConcernsNobody(_STAFF),
    membership.ProspectApplied: ConcernsNobody(_STAFF),
    membership.ProspectLost: ConcernsNobody(_STAFF),
    membership.ApplicationDocumentReceived: ConcernsNobody(_STAFF),
    membership.ApplicationDocumentRefused: ConcernsNobody("staff tells them why, the reason stands on their page"),
    membership.MemberVouched: ConcernsNobody(_STAFF),
    membership.VoucherWithdrawn: ConcernsNobody(_STAFF),
    membership.MembershipApplied: application,
    membership.MembershipApproved: application,
    membership.MembershipCategoryChanged: ConcernsNobody(_STAFF),
    membership.MembershipRefused: application,
    membership.MembershipExpelled: ConcernsNobody("the cluster's board tells them why; a mail would come too late"),
    membership.MembershipReinstated: ConcernsNobody("they know the cluster; nobody is greeted twice"),
    membership.MembershipResigned: ConcernsNobody("whoever resigned knows it"),
    membership.MembershipActivationWithdrawn: ConcernsNobody("an import was undone; a mail would only confuse"),
    membership.MembershipTransferred: ConcernsNobody("two entries of one company became one; nothing changed for it"),
    membership.MembershipMerged: ConcernsNobody("two entries of one company became one; nothing changed for it"),
    membership.OrganizationWithdrawn: ConcernsNobody(_NO_DECISION),
    membership.OrganizationMerged: ConcernsNobody(_NO_DECISION),
    membership.OrganizationRegistered: ConcernsNobody(_NO_DECISION),
    membership.OrganizationReclassified: ConcernsNobody(_NO_DECISION),
    membership.OrganizationProfileChanged: ConcernsNobody(_NO_DECISION),
    membership.CapabilitiesDescribed: ConcernsNobody(_NO_DECISION),
    membership.CertificateRecorded: ConcernsNobody(_NO_DECISION),
    membership.CertificateRemoved: ConcernsNobody(_NO_DECISION),
    membership.SiteRecorded: ConcernsNobody(_NO_DECISION),
    membership.SiteClosed: ConcernsNobody(_NO_DECISION),
    membership.VisibilityChanged: ConcernsNobody(_NO_DECISION),
    membership.ClusterFounded: ConcernsNobody("the network's coordinator made it"),
    membership.ClusterJoinedNetwork: ConcernsNobody("the network's coordinator made it"),
    membership.ClusterLeftNetwork: ConcernsNobody("the network's coordinator made it"),
    events.GatheringPublished: ConcernsNobody("it stands in the calendar; whoever holds it announces it"),
    events.GatheringChanged: gathering,
    events.GatheringPostponed: gathering,
    events.GatheringCancelled: gathering,
    events.GatheringHeld: ConcernsNobody("whoever came was there"),
    events.RegistrationConfirmed: registration,
    events.RegistrationWaitlisted: registration,
    events.PlaceOffered: registration,
    events.PlaceOfferLapsed: registration,
    events.RegistrationCancelled: registration,
    events.AttendanceRecorded: ConcernsNobody("whoever came was there"),
    events.AttendanceWithdrawn: ConcernsNobody("a mistake at the door was mended"),
    notifications.MessageSent: ConcernsNobody(_OWN_LOG),
    notifications.MessageNotSent: ConcernsNobody(_OWN_LOG),
    notifications.MessageAnswered: ConcernsNobody(_OWN_LOG),
    notifications.AnnouncementPrepared: ConcernsNobody("it stands in what waits for whoever may release it"),
    notifications.AnnouncementReleased: ConcernsNobody("its mails are on their way"),
    notifications.AnnouncementStopped: ConcernsNobody("what has not gone out is of no concern to anybody"),
    reporting.IndicatorChanged: ConcernsNobody("figures are watched on their page"),
    reporting.AlertRaised: ConcernsNobody("it stands in what waits for whoever watches it, on the first page"),
    reporting.AlertCleared: ConcernsNobody("what is over asks nothing of anybody"),
}


def asked_by(event: Event, fact: type[Fact], now: datetime) -> Asked | None:
    """What an event that is handled `now` asks for by the rule of its type. Raises `EventRefused`."""
    rule = RULES[fact]
    if isinstance(rule, ConcernsNobody) or now - event.time > NEWS_FOR:
        return None
    return rule(event)
