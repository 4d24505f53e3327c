"""What notifications listens to: facts that have a rule, and the names and addresses that messages need.

Nothing else listens to Kafka. A fact whose rule says that it concerns nobody is not read at all.
"""

from services.notifications.announcements import commands as announcements
from services.notifications.certificates import commands as certificates
from services.notifications.gatherings import commands as gatherings
from services.notifications.logbook import commands as logbook
from services.notifications.messages import commands as messages
from services.notifications.recipients import commands as recipients
from services.notifications.subjects.domain import RULES, ConcernsNobody
from shared.contracts.events import GatheringState, RegistrationState
from shared.contracts.membership import (
    ClusterState,
    ContactRequested,
    ContactState,
    MembershipActivated,
    MembershipApplied,
    MembershipApproved,
    MembershipRefused,
    OrganizationMerged,
    OrganizationState,
    PersonState,
    ProfileState,
    SegmentState,
)
from shared.messaging.events import Consumer

CONSUMERS = (
    Consumer(
        name="notifications.messages",
        handlers={
            ClusterState: recipients.keep_clusters,
            OrganizationState: recipients.keep_organizations,
            OrganizationMerged: recipients.keep_merged,
            ContactState: recipients.keep_contacts,
            PersonState: recipients.keep_people,
            MembershipActivated: messages.notice,
            ContactRequested: messages.notice,
        },
    ),
    # names of their own: they came later, and begin at the beginning, where what is old asks nothing of anybody
    Consumer(
        name="notifications.applications",
        handlers=dict.fromkeys((MembershipApplied, MembershipApproved, MembershipRefused), messages.notice),
    ),
    Consumer(
        name="notifications.log",
        handlers=dict.fromkeys((fact for fact in RULES if fact.AGGREGATE != "message"), logbook.hear),
    ),
    Consumer(name="notifications.segments", handlers={SegmentState: announcements.keep_segments}),
    Consumer(name="notifications.certificates", handlers={ProfileState: certificates.keep_certificates}),
    Consumer(
        name="notifications.gatherings",
        handlers={
            GatheringState: gatherings.keep_gatherings,
            RegistrationState: gatherings.keep_registrations,
            **{
                fact: messages.notice
                for fact, rule in RULES.items()
                if fact.SERVICE == "events" and not isinstance(rule, ConcernsNobody)
            },
        },
    ),
)
