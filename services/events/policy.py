"""Who may do what in events. Data only.

Its copy of who is a member opens as far as the register itself does in membership. Who holds a gathering manages it:
the coordinator the network's, staff that of their own cluster; the assistant prepares drafts and never publishes.
"""

from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES, Policy, everywhere, within

_PEOPLE = (*NETWORK_ROLES, *CLUSTER_ROLES, *ORGANIZATION_ROLES, "partner")

POLICY: Policy = {
    "members.read": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, *ORGANIZATION_ROLES, "service"),
    "gatherings.read": everywhere(*_PEOPLE, "operator", "developer", "service"),
    "gatherings.prepare": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "gatherings.publish": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    # anybody may come themselves; for an organisation its own people speak, at a gathering whoever holds it
    "registrations.make": everywhere(*_PEOPLE),
    "registrations.read": everywhere("coordinator", "assistant") | within(*CLUSTER_ROLES),
    "registrations.manage": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    "registrations.export": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    # how many people of an organisation take part in what: its own people, its clusters in force, the network
    "participation.read": everywhere("coordinator", "assistant") | within(*CLUSTER_ROLES, *ORGANIZATION_ROLES),
    "calendars.own": everywhere(*_PEOPLE, "operator", "developer"),
}
