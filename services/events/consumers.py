"""What events listens to: the states of membership that say who is a member, and which ids mean another one.

Nothing else listens to Kafka.
"""

from services.events.members import commands as members
from shared.contracts.membership import ClusterState, OrganizationMerged, OrganizationState, StandingState
from shared.messaging.events import Consumer

CONSUMERS = (
    Consumer(
        name="events.members",
        handlers={
            OrganizationMerged: members.keep_merged,
            OrganizationState: members.keep_organizations,
            StandingState: members.keep_standings,
        },
    ),
    # a name of its own, which begins with the oldest record: the one above had read the clusters before their network
    # was kept of them
    Consumer(name="events.clusters", handlers={ClusterState: members.keep_clusters}),
)
