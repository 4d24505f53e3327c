"""Who may do what with figures. Data only.

Figures are sums and open to whoever belongs, and to partners; the facts behind one open within the own scope.
"""

from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES, Policy, everywhere, within

POLICY: Policy = {
    "indicators.read": everywhere(
        *NETWORK_ROLES, *CLUSTER_ROLES, *ORGANIZATION_ROLES, "partner", "operator", "developer", "service"
    ),
    # a link to a figure for somebody outside: of the network by the coordinator, directors make and see their own
    "indicators.share": everywhere("coordinator") | within("cluster_director"),
    # what somebody watches for: of the network by the coordinator, of a cluster by its director
    "alerts.read": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES),
    "alerts.set": everywhere("coordinator") | within("cluster_director"),
    "indicators.facts": everywhere(*NETWORK_ROLES) | within(*CLUSTER_ROLES, "service"),
}
