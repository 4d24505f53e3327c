"""Which fact concerns whom: one rule for every fact that exists, beside the templates of its subject.

A fact that nobody is written to about says so here with its reason; a fact without any rule fails a test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.contracts import events, membership, reporting
from shared.contracts.base import Fact
from shared.messaging.events import Event, EventRefused

Subject = Literal["welcome", "contact"]

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
    """What a fact asks for: every representative of the organisation hears of it, in this cluster's name."""

    subject: Subject
    organization_id: UUID
    cluster_id: UUID
    category: str
    effective: date
    about: UUID | None = None
    """What it waits for besides names and people: the text of a contact."""


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


_STAFF = "the cluster's staff sees it on its pages; nobody asked for a mail"
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
    membership.MembershipApplied: ConcernsNobody(_STAFF),
    membership.MembershipApproved: ConcernsNobody("the membership is not in force yet; the welcome follows"),
    membership.MembershipCategoryChanged: ConcernsNobody(_STAFF),
    membership.MembershipRefused: ConcernsNobody("the cluster's director tells them why; a mail would come too late"),
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
    events.GatheringPublished: ConcernsNobody(_STAFF),
    events.GatheringChanged: ConcernsNobody(_STAFF),
    events.GatheringPostponed: ConcernsNobody(_STAFF),
    events.GatheringCancelled: ConcernsNobody(_STAFF),
    events.GatheringHeld: ConcernsNobody(_STAFF),
    events.RegistrationConfirmed: ConcernsNobody(_STAFF),
    events.RegistrationWaitlisted: ConcernsNobody(_STAFF),
    events.PlaceOffered: ConcernsNobody(_STAFF),
    events.PlaceOfferLapsed: ConcernsNobody(_STAFF),
    events.RegistrationCancelled: ConcernsNobody(_STAFF),
    events.AttendanceRecorded: ConcernsNobody(_STAFF),
    events.AttendanceWithdrawn: ConcernsNobody(_STAFF),
    reporting.IndicatorChanged: ConcernsNobody("figures are watched on their page"),
}


def asked_by(event: Event, fact: type[Fact], now: datetime) -> Asked | None:
    """What an event that is handled `now` asks for by the rule of its type. Raises `EventRefused`."""
    rule = RULES[fact]
    if isinstance(rule, ConcernsNobody) or now - event.time > NEWS_FOR:
        return None
    return rule(event)
