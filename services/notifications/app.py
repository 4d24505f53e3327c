"""Notifications: who must hear of it. Wiring only."""

from services.notifications.consumers import CONSUMERS
from services.notifications.messages import api as messages
from services.notifications.messages import jobs
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="notifications", routers=(messages.router,), consumers=CONSUMERS, loops={"sender": jobs.send}
)
