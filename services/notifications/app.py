"""Notifications: who must hear of it. Wiring only."""

from services.notifications.consumers import CONSUMERS
from services.notifications.gatherings import jobs as gathering_jobs
from services.notifications.gatherings.store import PERSONAL as PERSONAL_OF_GATHERINGS
from services.notifications.messages import api as messages
from services.notifications.messages import jobs
from services.notifications.messages import pages as message_pages
from services.notifications.policy import POLICY
from services.notifications.recipients.store import PERSONAL
from shared.http.identity import access_consumer
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="notifications",
    routers=(messages.router, message_pages.router),
    consumers=(access_consumer("notifications"), *CONSUMERS),
    loops={"sender": jobs.send},
    policy=POLICY,
    personal=(*PERSONAL, *PERSONAL_OF_GATHERINGS),
    jobs=gathering_jobs.JOBS,
)
