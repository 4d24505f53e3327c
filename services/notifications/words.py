"""What pages of this service call subjects and states of messages: messages of the catalogue. Data only."""

from services.notifications.subjects.domain import Subject
from shared.web.language import mark

SUBJECTS: dict[Subject, str] = {
    "welcome": mark("Welcome"), "contact": mark("Enquiry by the directory"),
    "application": mark("Application received"), "approved": mark("Application approved"),
    "refused": mark("Application refused"), "registered": mark("Place confirmed"), "waiting": mark("Waiting list"),
    "offered": mark("Place offered"), "offer_lapsed": mark("Offer ended"),
    "unregistered": mark("Registration cancelled"),
    "changed": mark("Event changed"), "postponed": mark("Event put off"), "cancelled": mark("Event called off"),
    "certificate": mark("Certificate about to end"),
    "announcement": mark("Announcement"),
    "reminder_week": mark("Reminder, a week before"), "reminder_day": mark("Reminder, the day before"),
}  # fmt: skip
STATES: dict[str, tuple[str, str]] = {
    "due": (mark("to be sent"), "calm"),
    "sent": (mark("sent"), "good"),
    "failed": (mark("failed"), "bad"),
    "muted": (mark("turned off by its reader"), "plain"),
    "suppressed": (mark("address refuses"), "warn"),
    "stopped": (mark("stopped"), "plain"),
    "erased": (mark("person erased"), "plain"),
}
"""States of messages in words, with the tone of their chip."""

FACTS: dict[str, str] = {
    "membership.MembershipActivated": mark("a membership came into force"),
    "membership.ContactRequested": mark("somebody wrote to a company"),
    "membership.ProspectNoted": mark("a prospect was noted"),
    "membership.ProspectApplied": mark("a prospect applied"),
    "membership.ProspectLost": mark("a prospect was lost"),
    "membership.ApplicationDocumentReceived": mark("a document of an application came in"),
    "membership.ApplicationDocumentRefused": mark("a document of an application was refused"),
    "membership.MemberVouched": mark("a member vouched"),
    "membership.VoucherWithdrawn": mark("a member vouches no more"),
    "membership.MembershipApplied": mark("a company applied"),
    "membership.MembershipApproved": mark("an application was approved"),
    "membership.MembershipCategoryChanged": mark("a category changed"),
    "membership.MembershipRefused": mark("an application was refused"),
    "membership.MembershipExpelled": mark("a member was expelled"),
    "membership.MembershipReinstated": mark("a member was reinstated"),
    "membership.MembershipResigned": mark("a member left"),
    "membership.MembershipActivationWithdrawn": mark("an entry was taken back"),
    "membership.MembershipTransferred": mark("a membership went over to another entry"),
    "membership.MembershipMerged": mark("two memberships became one"),
    "membership.OrganizationWithdrawn": mark("an organisation was taken back"),
    "membership.OrganizationMerged": mark("two organisations became one"),
    "membership.OrganizationRegistered": mark("an organisation was registered"),
    "membership.OrganizationReclassified": mark("an organisation was classified anew"),
    "membership.OrganizationProfileChanged": mark("an organisation's data changed"),
    "membership.CapabilitiesDescribed": mark("an organisation says what it does"),
    "membership.CertificateRecorded": mark("a certificate was recorded"),
    "membership.CertificateRemoved": mark("a certificate was removed"),
    "membership.SiteRecorded": mark("a plant was recorded"),
    "membership.SiteClosed": mark("a plant was closed"),
    "membership.VisibilityChanged": mark("an organisation chose who sees what"),
    "membership.ClusterFounded": mark("a cluster was founded"),
    "membership.ClusterJoinedNetwork": mark("a cluster joined the network"),
    "membership.ClusterLeftNetwork": mark("a cluster left the network"),
    "events.GatheringPublished": mark("an event was published"),
    "events.GatheringChanged": mark("an event changed"),
    "events.GatheringPostponed": mark("an event was put off"),
    "events.GatheringCancelled": mark("an event was called off"),
    "events.GatheringHeld": mark("an event was held"),
    "events.RegistrationConfirmed": mark("somebody has a place"),
    "events.RegistrationWaitlisted": mark("somebody waits for a place"),
    "events.PlaceOffered": mark("a place was offered"),
    "events.PlaceOfferLapsed": mark("an offered place lapsed"),
    "events.RegistrationCancelled": mark("a registration was cancelled"),
    "events.AttendanceRecorded": mark("somebody came"),
    "events.AttendanceWithdrawn": mark("somebody did not come after all"),
    "notifications.AnnouncementPrepared": mark("an announcement is ready"),
    "notifications.AnnouncementReleased": mark("an announcement was released"),
    "notifications.AnnouncementStopped": mark("an announcement was stopped"),
    "reporting.IndicatorChanged": mark("a figure moved"),
    "reporting.AlertRaised": mark("a figure passed a threshold"),
    "reporting.AlertCleared": mark("a figure is back"),
}
"""Facts in words."""

REASONS = {
    one: one
    for one in (
        mark("a mistake at the door was mended"),
        mark("an import was undone; a mail would only confuse"),
        mark("figures are watched on their page"),
        mark("it asks nothing of its representatives"),
        mark("it stands in the calendar; whoever holds it announces it"),
        mark("it stands in what waits for whoever may release it"),
        mark("it stands in what waits for whoever watches it, on the first page"),
        mark("its mails are on their way"),
        mark("staff tells them why, the reason stands on their page"),
        mark("the cluster's board tells them why; a mail would come too late"),
        mark("the cluster's staff sees it on its pages; nobody asked for a mail"),
        mark("the network's coordinator made it"),
        mark("they know the cluster; nobody is greeted twice"),
        mark("two entries of one company became one; nothing changed for it"),
        mark("what became of a mail stands in its log"),
        mark("what has not gone out is of no concern to anybody"),
        mark("what is over asks nothing of anybody"),
        mark("whoever came was there"),
        mark("whoever resigned knows it"),
        mark("it happened too long ago to be news"),
        mark("this one asks nothing of anybody"),
    )
}
"""Why a fact concerned nobody; each is what a rule says."""
