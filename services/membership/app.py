"""Membership: who exists, who belongs. Wiring only."""

from services.membership.access import api as access
from services.membership.access import jobs as access_jobs
from services.membership.access import pages as access_pages
from services.membership.access.domain import PERSONAL as PERSONAL_OF_ACCESS
from services.membership.applications import api as applications
from services.membership.applications import pages as application_pages
from services.membership.applications.domain import PERSONAL as PERSONAL_OF_APPLICATIONS
from services.membership.clusters import api as clusters
from services.membership.clusters import pages as cluster_pages
from services.membership.contacts import api as contacts
from services.membership.contacts import jobs as contact_jobs
from services.membership.contacts import pages as contact_pages
from services.membership.contacts.domain import PERSONAL as PERSONAL_OF_CONTACTS
from services.membership.directory import api as directory
from services.membership.directory import pages as directory_pages
from services.membership.duplicates import api as duplicates
from services.membership.duplicates import jobs as duplicate_jobs
from services.membership.duplicates import pages as duplicate_pages
from services.membership.history import api as history
from services.membership.history import pages as history_pages
from services.membership.home import pages as home_pages
from services.membership.intake import pages as intake_pages
from services.membership.memberships import api as memberships
from services.membership.memberships import pages as membership_pages
from services.membership.merges import api as merges
from services.membership.merges import pages as merge_pages
from services.membership.organizations import api as organizations
from services.membership.organizations import pages as organization_pages
from services.membership.people import api as people
from services.membership.people import pages as people_pages
from services.membership.people.domain import PERSONAL as PERSONAL_OF_PEOPLE
from services.membership.policy import POLICY
from services.membership.profiles import api as profiles
from services.membership.profiles import pages as profile_pages
from services.membership.prospects import api as prospects
from services.membership.prospects import pages as prospect_pages
from services.membership.prospects.domain import PERSONAL as PERSONAL_OF_PROSPECTS
from services.membership.search import pages as search
from services.membership.segments import api as segments
from services.membership.segments import jobs as segment_jobs
from services.membership.segments import pages as segment_pages
from services.membership.segments.domain import PERSONAL as PERSONAL_OF_SEGMENTS
from services.membership.states import STATES
from services.membership.uploads import jobs as upload_jobs
from services.membership.uploads.domain import PERSONAL as PERSONAL_OF_UPLOADS
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
        organizations.listing,
        profiles.router,
        memberships.router,
        applications.router,
        application_pages.router,
        people.router,
        people_pages.router,
        access.router,
        access_pages.router,
        organization_pages.router,
        profile_pages.router,
        intake_pages.router,
        merges.router,
        merge_pages.router,
        duplicates.router,
        duplicate_pages.router,
        contacts.router,
        contact_pages.router,
        directory.router,
        directory_pages.router,
        membership_pages.router,
        prospects.router,
        prospect_pages.router,
        segments.router,
        segment_pages.router,
        history.router,
        history_pages.router,
        search.router,
        home_pages.router,
        shell_router(),
        documentation_router(),
        components_router(),
    ),
    states=STATES,
    policy=POLICY,
    personal=(
        *PERSONAL_OF_ACCESS,
        *PERSONAL_OF_PEOPLE,
        *PERSONAL_OF_UPLOADS,
        *PERSONAL_OF_APPLICATIONS,
        *PERSONAL_OF_CONTACTS,
        *PERSONAL_OF_PROSPECTS,
        *PERSONAL_OF_SEGMENTS,
    ),
    jobs=(*access_jobs.JOBS, *upload_jobs.JOBS, *contact_jobs.JOBS, *segment_jobs.JOBS, *duplicate_jobs.JOBS),
    uploads=("/import", "/applications", "/membership/applications"),
    loops={"first key": access_jobs.first_key},
)
