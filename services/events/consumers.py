"""What events listens to: the states of membership that say who is a member, and which ids mean another one.

Nothing else listens to Kafka.
"""

from services.events.members import commands as members
from shared.contracts.membership import ClusterState, OrganizationMerged, OrganizationState, ProfileState, StandingState
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
    Consumer(name="events.branches", handlers={ProfileState: members.keep_branches}),
    # a name of its own, which begins with the oldest record: the first one had read the clusters before their network
    # was kept of them
    Consumer(name="events.clusters", handlers={ClusterState: members.keep_clusters}),
)
