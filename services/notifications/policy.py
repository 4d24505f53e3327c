"""Who may do what with messages. Data only.

Staff see what concerned their own cluster; sending again is for those who may send. The assistant never sends.
"""

from shared.http.policy import CLUSTER_ROLES, Policy, everywhere, within

POLICY: Policy = {
    "messages.read": everywhere("coordinator", "assistant", "operator") | within(*CLUSTER_ROLES),
    "messages.send": everywhere("coordinator", "operator") | within("cluster_director", "cluster_staff"),
}
