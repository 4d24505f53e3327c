"""Membership: who exists, who belongs. Wiring only."""

from services.membership.access import api as access
from services.membership.access import jobs as access_jobs
from services.membership.access import pages as access_pages
from services.membership.access.domain import PERSONAL as PERSONAL_OF_ACCESS
from services.membership.clusters import api as clusters
from services.membership.clusters import pages as cluster_pages
from services.membership.directory import api as directory
from services.membership.directory import pages as directory_pages
from services.membership.duplicates import api as duplicates
from services.membership.duplicates import pages as duplicate_pages
from services.membership.history import api as history
from services.membership.history import pages as history_pages
from services.membership.memberships import api as memberships
from services.membership.memberships import pages as membership_pages
from services.membership.organizations import api as organizations
from services.membership.organizations import pages as organization_pages
from services.membership.people import api as people
from services.membership.people import pages as people_pages
from services.membership.people.domain import PERSONAL as PERSONAL_OF_PEOPLE
from services.membership.policy import POLICY
from services.membership.profiles import api as profiles
from services.membership.profiles import pages as profile_pages
from services.membership.search import pages as search
from services.membership.states import STATES
from shared.runtime.service import Definition
from shared.web.components import components_router
from shared.web.documentation import documentation_router
from shared.web.routes import shell_router

DEFINITION = Definition(
    name="membership",
    routers=(
        clusters.router,
        cluster_pages.router,
        organizations.router,
        profiles.router,
        memberships.router,
        people.router,
        people_pages.router,
        access.router,
        access_pages.router,
        organization_pages.router,
        profile_pages.router,
        duplicates.router,
        duplicate_pages.router,
        directory.router,
        directory_pages.router,
        membership_pages.router,
        history.router,
        history_pages.router,
        search.router,
        shell_router(),
        documentation_router(),
        components_router(),
    ),
    states=STATES,
    policy=POLICY,
    personal=(*PERSONAL_OF_ACCESS, *PERSONAL_OF_PEOPLE),
    jobs=access_jobs.JOBS,
    loops={"first key": access_jobs.first_key},
)
