"""Events: what happens. It keeps its own copy of who is a member. Wiring only."""

from services.events.consumers import CONSUMERS
from services.events.members import api as members
from services.events.policy import POLICY
from shared.http.identity import access_consumer
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="events", routers=(members.router,), consumers=(access_consumer("events"), *CONSUMERS), policy=POLICY
)
