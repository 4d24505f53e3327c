"""What pages of this service call subjects and states of messages: messages of the catalogue. Data only."""

from services.notifications.subjects.domain import Subject
from shared.web.language import mark

SUBJECTS: dict[Subject, str] = {
    "welcome": mark("Welcome"), "contact": mark("Enquiry by the directory"),
    "application": mark("Application received"), "approved": mark("Application approved"),
    "refused": mark("Application refused"), "registered": mark("Place confirmed"), "waiting": mark("Waiting list"),
    "offered": mark("Place offered"), "offer_lapsed": mark("Offer ended"),
    "unregistered": mark("Registration cancelled"),
    "changed": mark("Event changed"), "postponed": mark("Event put off"), "cancelled": mark("Event called off"),
    "certificate": mark("Certificate about to end"),
    "announcement": mark("Announcement"),
    "reminder_week": mark("Reminder, a week before"), "reminder_day": mark("Reminder, the day before"),
}  # fmt: skip
STATES: dict[str, tuple[str, str]] = {
    "due": (mark("to be sent"), "calm"),
    "sent": (mark("sent"), "good"),
    "failed": (mark("failed"), "bad"),
    "muted": (mark("turned off by its reader"), "plain"),
    "suppressed": (mark("address refuses"), "warn"),
    "stopped": (mark("stopped"), "plain"),
    "erased": (mark("person erased"), "plain"),
}
"""States of messages in words, with the tone of their chip."""
