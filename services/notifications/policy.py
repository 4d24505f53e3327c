"""Who may do what with messages. Data only.

Staff see what concerned their own cluster; sending again is for those who may send. The assistant never sends: an
announcement is prepared by one and released by another.
"""

from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES, Policy, everywhere, within

_PEOPLE = (*NETWORK_ROLES, *CLUSTER_ROLES, *ORGANIZATION_ROLES, "partner", "operator", "developer")

POLICY: Policy = {
    "messages.read": everywhere("coordinator", "assistant", "operator") | within(*CLUSTER_ROLES),
    "announcements.read": everywhere("coordinator", "assistant", "board_member", "operator") | within(*CLUSTER_ROLES),
    "announcements.prepare": everywhere("coordinator", "assistant") | within("cluster_director", "cluster_staff"),
    "announcements.release": everywhere("coordinator") | within("cluster_director"),
    # one's own notices and what one wants to hear of: everybody who can sign in
    "preferences.own": everywhere(*_PEOPLE),
    "inbox.own": everywhere(*_PEOPLE),
    "messages.preview": everywhere("coordinator", "assistant", "operator", "developer"),
    "messages.send": everywhere("coordinator", "operator") | within("cluster_director", "cluster_staff"),
}
