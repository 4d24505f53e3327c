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
            ClusterState: members.keep_clusters,
            OrganizationMerged: members.keep_merged,
            OrganizationState: members.keep_organizations,
            StandingState: members.keep_standings,
        },
    ),
    Consumer(name="events.branches", handlers={ProfileState: members.keep_branches}),
    # a name of its own: the one above has read its clusters long ago, and did not keep this of them
    Consumer(name="events.networks", handlers={ClusterState: members.keep_networks}),
)
