"""Who may do what in events. Data only.

Its copy of who is a member opens as far as the register itself does in membership.
"""

from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES, Policy, everywhere, within

POLICY: Policy = {
    "members.read": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, *ORGANIZATION_ROLES, "service"),
}
