"""Events: what happens. Gatherings and who comes to them; its own copy of who is a member. Wiring only."""

from services.events.attendance import api as attendance
from services.events.attendance import pages as attendance_pages
from services.events.calendars import api as calendars
from services.events.calendars import pages as calendar_pages
from services.events.calendars.domain import PERSONAL as PERSONAL_OF_CALENDARS
from services.events.consumers import CONSUMERS
from services.events.gatherings import api as gatherings
from services.events.gatherings import pages as gathering_pages
from services.events.gatherings.domain import PERSONAL as PERSONAL_OF_GATHERINGS
from services.events.home import pages as home
from services.events.members import api as members
from services.events.participation import api as participation
from services.events.participation import pages as participation_pages
from services.events.places import jobs as place_jobs
from services.events.places.domain import PERSONAL as PERSONAL_OF_PLACES
from services.events.policy import POLICY
from services.events.registrations import api as registrations
from services.events.registrations import pages as registration_pages
from services.events.reports import api as reports
from services.events.reports import pages as report_pages
from services.events.search import pages as search
from services.events.states import STATES
from services.events.tickets import pages as ticket_pages
from shared.http.identity import access_consumer
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="events",
    routers=(
        members.router,
        gatherings.router,
        registrations.router,
        attendance.router,
        reports.router,
        participation.router,
        # addresses with an ending, and fixed ones, before those that hold a slug
        calendars.router,
        calendar_pages.router,
        attendance_pages.router,
        report_pages.router,
        participation_pages.router,
        ticket_pages.router,
        gathering_pages.router,
        registration_pages.router,
        home.router,
        search.router,
    ),
    consumers=(access_consumer("events"), *CONSUMERS),
    states=STATES,
    policy=POLICY,
    uploads=("/participant-reports/", "/events/participant-reports/"),
    personal=(*PERSONAL_OF_GATHERINGS, *PERSONAL_OF_PLACES, *PERSONAL_OF_CALENDARS),
    jobs=place_jobs.JOBS,
)
