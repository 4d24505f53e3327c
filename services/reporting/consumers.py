"""What reporting listens to: the facts of membership, and the names of clusters. Nothing else listens to Kafka."""

from services.reporting.register.commands import TAKEN
from shared.messaging.events import Consumer

CONSUMERS = (Consumer(name="reporting.members", handlers=TAKEN),)
