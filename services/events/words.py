"""What the pages of this service call the values of its tables: messages of the catalogue and the tone of a chip.

Data only, so that a list, a page and its files say the same.
"""

from typing import Literal

from shared.contracts.events import GatheringKind, Mode, PriceGroup, RegistrationStatus
from shared.contracts.membership import Category
from shared.web.language import mark

KINDS: dict[GatheringKind, str] = {
    "webinar": mark("webinar"), "course": mark("course"), "diploma_course": mark("diploma course"),
    "workshop": mark("workshop"), "conference": mark("conference"), "forum": mark("forum"),
    "business_round": mark("business round"), "supplier_fair": mark("supplier fair"),
    "plant_visit": mark("plant visit"), "advisory_session": mark("advisory session"),
    "open_doors_day": mark("open doors day"), "study_tour": mark("study tour"), "mission": mark("mission"),
    "committee_meeting": mark("committee meeting"), "board_meeting": mark("board meeting"),
    "annual_assembly": mark("annual assembly"),
}  # fmt: skip
MODES: dict[Mode, str] = {
    "online": mark("online"), "in_place": mark("in place"), "both": mark("in place and online"),
}  # fmt: skip
STATUSES: dict[str, tuple[str, str]] = {
    "draft": (mark("draft"), "warn"), "published": (mark("published"), "good"),
    "postponed": (mark("postponed"), "warn"), "cancelled": (mark("called off"), "bad"), "held": (mark("held"), "calm"),
}  # fmt: skip
REGISTERED: dict[RegistrationStatus, tuple[str, str]] = {
    "waiting": (mark("on the waiting list"), "warn"), "offered": (mark("a place is offered"), "warn"),
    "confirmed": (mark("registered"), "good"), "cancelled": (mark("does not come"), "plain"),
    "lapsed": (mark("did not answer in time"), "plain"),
}  # fmt: skip
GROUPS: dict[PriceGroup, str] = {
    "own": mark("Own members"), "network": mark("Members of other clusters"), "public": mark("Public"),
}  # fmt: skip
CATEGORIES: dict[Category, str] = {
    "associate": mark("associate"), "affiliate": mark("affiliate"), "honorary": mark("honorary member"),
}  # fmt: skip
METHODS: dict[Literal["qr", "hand", "report"], str] = {
    "qr": mark("by code"), "hand": mark("by hand"), "report": mark("by report"),
}  # fmt: skip
FIELDS: dict[str, str] = {
    "title": mark("Title"), "kind": mark("Kind"), "summary": mark("In two sentences"),
    "description": mark("What it is about"), "speakers": mark("Who speaks"), "language": mark("Language"),
    "mode": mark("How"), "starts": mark("Begins"), "ends": mark("Ends"), "zone": mark("Time zone"),
    "place": mark("Where"), "country": mark("Country"), "state": mark("State"),
    "join_url": mark("Link to take part"), "capacity": mark("Places"), "waiting_list": mark("Waiting list"),
    "accept_hours": mark("Hours to accept a place"), "closes": mark("Registration closes"),
    "currency": mark("Currency"), "series": mark("Series"), "sessions": mark("Sessions"), "prices": mark("Prices"),
    "status": mark("State of it"),
    "cluster_id": mark("Who holds it"),
}  # fmt: skip
"""The fields of a gathering, as forms and the change log call them."""
