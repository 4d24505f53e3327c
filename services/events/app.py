"""Events: what happens. It keeps its own copy of who is a member. Wiring only."""

from services.events.consumers import CONSUMERS
from services.events.members import api as members
from shared.runtime.service import Definition

DEFINITION = Definition(name="events", routers=(members.router,), consumers=CONSUMERS)
