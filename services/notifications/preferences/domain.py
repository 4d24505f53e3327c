"""What somebody may choose to hear of and where, and what they hear of in any case. Data and two rules; pure.

A topic that may be turned off carries the links of RFC 8058 in its mails. Subjects about something that the reader
asked for themselves (an application, a place) have none: not to tell them would be a fault.
"""

from dataclasses import dataclass
from typing import Literal

from services.notifications.subjects.domain import Subject
from shared.refusal import Conflict, NotFound

Topic = Literal["welcome", "contacts", "announcements", "reminders", "certificates"]
Channel = Literal["mail", "inbox"]

TOPICS: dict[Topic, tuple[Subject, ...]] = {
    "welcome": ("welcome",),
    "contacts": ("contact",),
    "announcements": ("announcement",),
    "reminders": ("reminder_week", "reminder_day"),
    "certificates": ("certificate",),
}
"""What may be turned off, and the subjects that belong to it."""
_OF = {subject: topic for topic, subjects in TOPICS.items() for subject in subjects}


class NoSuchLink(NotFound):
    """No mail was sent with this link, or its person has been erased."""


class NoAddress(Conflict):
    """The caller has no mail address, as programs have none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where somebody hears of a topic."""

    topic: Topic
    mail: bool = True
    inbox: bool = True


def topic_of(subject: str) -> Topic | None:
    """The topic of a subject, None for what everybody hears of in any case."""
    return _OF.get(subject)  # type: ignore[call-overload, no-any-return]


def all_choices(made: dict[str, Choice]) -> list[Choice]:
    """Every topic with what was chosen; where nothing was, both channels."""
    return [made.get(topic, Choice(topic)) for topic in TOPICS]
