"""What pages of this service call the subjects of messages: messages of the catalogue. Data only."""

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
    "reminder_week": mark("Reminder, a week before"), "reminder_day": mark("Reminder, the day before"),
}  # fmt: skip
