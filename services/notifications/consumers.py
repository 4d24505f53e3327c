"""What notifications listens to: facts that have a rule, and the names and addresses that messages need.

Nothing else listens to Kafka. A fact whose rule says that it concerns nobody is not read at all.
"""

from services.notifications.messages import commands as messages
from services.notifications.recipients import commands as recipients
from services.notifications.subjects.domain import RULES, ConcernsNobody
from shared.contracts.membership import ClusterState, ContactState, OrganizationMerged, OrganizationState, PersonState
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
            **{fact: messages.notice for fact, rule in RULES.items() if not isinstance(rule, ConcernsNobody)},
        },
    ),
)
