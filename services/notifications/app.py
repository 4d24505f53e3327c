"""Notifications: who must hear of it. Wiring only."""

from services.notifications.announcements import api as announcements
from services.notifications.announcements import pages as announcement_pages
from services.notifications.announcements.domain import PERSONAL as PERSONAL_OF_ANNOUNCEMENTS
from services.notifications.certificates import jobs as certificate_jobs
from services.notifications.consumers import CONSUMERS
from services.notifications.gatherings import jobs as gathering_jobs
from services.notifications.gatherings.store import PERSONAL as PERSONAL_OF_GATHERINGS
from services.notifications.inbox import api as inbox
from services.notifications.inbox import pages as inbox_pages
from services.notifications.logbook import api as log
from services.notifications.logbook import jobs as log_jobs
from services.notifications.logbook import pages as log_pages
from services.notifications.messages import api as messages
from services.notifications.messages import jobs
from services.notifications.messages import pages as message_pages
from services.notifications.policy import POLICY
from services.notifications.preferences import api as preferences
from services.notifications.preferences import pages as preference_pages
from services.notifications.previews import pages as preview_pages
from services.notifications.recipients.store import PERSONAL
from shared.http.identity import access_consumer
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="notifications",
    routers=(
        messages.router,
        log.router,
        preferences.router,
        preferences.leaving,
        inbox.router,
        announcements.router,
        announcement_pages.router,
        # fixed addresses before those that hold an id
        preview_pages.router,
        log_pages.router,
        message_pages.router,
        preference_pages.router,
        inbox_pages.router,
    ),
    consumers=(access_consumer("notifications"), *CONSUMERS),
    loops={"sender": jobs.send},
    policy=POLICY,
    personal=(*PERSONAL, *PERSONAL_OF_GATHERINGS, *PERSONAL_OF_ANNOUNCEMENTS),
    jobs=(*gathering_jobs.JOBS, *certificate_jobs.JOBS, *log_jobs.JOBS),
)
