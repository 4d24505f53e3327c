"""Membership: who exists, who belongs. Wiring only."""

from services.membership.clusters import api as clusters
from services.membership.memberships import api as memberships
from services.membership.organizations import api as organizations
from services.membership.people import api as people
from services.membership.states import STATES
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="membership",
    routers=(clusters.router, organizations.router, memberships.router, people.router),
    states=STATES,
)
