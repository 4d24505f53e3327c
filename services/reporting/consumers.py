"""What reporting listens to: the facts of membership, events and notifications, and the names of what is counted.

Nothing else listens to Kafka. Facts that were added later have consumers of their own, which begin with the oldest.
"""

from services.reporting.gatherings import commands as gatherings
from services.reporting.names import commands as names
from services.reporting.notices import commands as notices
from services.reporting.profiles import commands as profiles
from services.reporting.register.commands import CONSUMER, TAKEN
from shared.messaging.events import Consumer

CONSUMERS = (
    Consumer(name=CONSUMER, handlers=TAKEN),
    Consumer(name=profiles.CONSUMER, handlers=profiles.TAKEN),
    Consumer(name=gatherings.CONSUMER, handlers=gatherings.TAKEN),
    Consumer(name=notices.CONSUMER, handlers=notices.TAKEN),
    Consumer(name="reporting.names", handlers=names.TAKEN),
)
