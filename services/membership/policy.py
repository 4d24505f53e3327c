"""Who may do what with clusters, organisations, memberships, people and access. Data only.

The coordinator acts for the whole network, staff for their own cluster, a representative for their own
company. The assistant prepares: never approves, releases, sends or exports people.
"""

from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES, Policy, everywhere, within

_MEMBERS = (*NETWORK_ROLES, *CLUSTER_ROLES, *ORGANIZATION_ROLES)

POLICY: Policy = {
    "clusters.read": everywhere(*_MEMBERS, "partner", "operator", "developer", "service"),
    "clusters.officers": everywhere(*NETWORK_ROLES, *CLUSTER_ROLES),
    "clusters.manage": everywhere("coordinator"),
    # the directory is for every member; what is private in it opens with organizations.private
    "organizations.read": everywhere(*_MEMBERS) | within("service"),
    "organizations.private": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, "representative", "service"),
    # both names of a pair and their tax numbers: for who keeps the register
    # the assistant prepares an import; what goes into the register is the coordinator's or the cluster's own decision
    "segments.keep": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "uploads.prepare": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "uploads.apply": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    # whoever sees the directory may ask in it; what a partner wants is asked of the network
    "contacts.write": everywhere(*_MEMBERS),
    "duplicates.read": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    # both of a pair have to lie within reach
    "organizations.merge": everywhere("coordinator") | within("cluster_director"),
    "organizations.register": everywhere("coordinator", "assistant", "cluster_director", "cluster_staff"),
    "organizations.change": everywhere("coordinator", "assistant")
    | within("cluster_director", "cluster_staff", "representative"),
    "memberships.read": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, *ORGANIZATION_ROLES, "service"),
    "memberships.apply": everywhere("coordinator", "assistant")
    | within("cluster_director", "cluster_staff", "representative"),
    "applications.read": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, "representative"),
    "applications.hand_in": everywhere("coordinator", "assistant")
    | within("cluster_director", "cluster_staff", "representative"),
    "applications.check": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "applications.vouch": everywhere("coordinator", "assistant")
    | within("cluster_director", "cluster_staff", "representative"),
    "prospects.keep": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "requirements.manage": everywhere("coordinator") | within("cluster_director"),
    "memberships.approve": everywhere("coordinator") | within("cluster_director", "cluster_president"),
    "memberships.refuse": everywhere("coordinator") | within("cluster_director", "cluster_president"),
    "memberships.expel": everywhere("coordinator") | within("cluster_director", "cluster_president"),
    "memberships.reinstate": everywhere("coordinator") | within("cluster_director", "cluster_president"),
    "memberships.categorise": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    "memberships.activate": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    "memberships.resign": everywhere("coordinator") | within("cluster_director", "cluster_staff"),
    # who speaks for a company: its own people and who keeps its membership, nobody of another company or cluster
    "people.read": everywhere("coordinator", "assistant") | within(*CLUSTER_ROLES, "representative"),
    "people.change": everywhere("coordinator", "assistant")
    | within("cluster_director", "cluster_staff", "representative"),
    "people.cap": everywhere("coordinator") | within("cluster_director"),
    "people.export": everywhere("coordinator") | within("cluster_director"),
    "people.erase": everywhere("coordinator") | within("cluster_director"),
    "history.read": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, "representative"),
    "access.read": everywhere("coordinator", "assistant", "operator") | within("cluster_director"),
    "access.prepare": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "access.release": everywhere("coordinator") | within("cluster_director"),
    "access.withdraw": everywhere("coordinator") | within("cluster_director"),
    "tokens.read": everywhere("coordinator", "operator"),
    # a token may read more than who operates: making one is the network's decision, ending one is anybody's who watches
    "tokens.manage": everywhere("coordinator"),
    "tokens.revoke": everywhere("coordinator", "operator"),
    "privacy.manage": everywhere("coordinator"),
}
