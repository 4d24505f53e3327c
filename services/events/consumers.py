"""What events listens to: the states of membership that say who is a member. Nothing else listens to Kafka."""

from services.events.members import commands as members
from shared.contracts.membership import ClusterState, OrganizationState, StandingState
from shared.messaging.events import Consumer

CONSUMERS = (
    Consumer(
        name="events.members",
        handlers={
            ClusterState: members.keep_clusters,
            OrganizationState: members.keep_organizations,
            StandingState: members.keep_standings,
        },
    ),
)
