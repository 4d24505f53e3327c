"""Two parts of Inicio: what waits for the viewer, each with its one action; what happened last, in one sentence each.

What nobody may do is not shown to them; a part that has nothing says so in words.
"""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.membership.home import views
from services.membership.home.views import Happened, Waits
from services.membership.profiles.domain.codes import known
from shared.contracts import membership as facts
from shared.contracts.base import Fact, contract_of
from shared.http.identity import Viewer
from shared.http.policy import Allowed, NotYours, Serving, Viewing, allowed
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.runtime.service import Service
from shared.web.language import Language, mark
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

OLD_SHEET = timedelta(days=60)
"""A sheet whose refused rows nobody mended for so long waits no more."""


class Pending(NamedTuple):
    """One line: the sentence, since when it waits (ISO), the words of its action and where that is."""

    words: str
    since: str
    action: str
    address: str


class Told(NamedTuple):
    """What a fact is called, alone, and where one cause brought several."""

    one: str
    many: str


TOLD: dict[type[Fact], Told] = {
    facts.MembershipActivated: Told(mark("%(organization)s joined %(cluster)s"),
                                    mark("%(num)s organisations joined %(cluster)s")),
    facts.MembershipApplied: Told(mark("%(organization)s asks to join %(cluster)s"),
                                  mark("%(num)s organisations ask to join %(cluster)s")),
    facts.MembershipApproved: Told(mark("%(cluster)s accepts %(organization)s"),
                                   mark("%(cluster)s accepts %(num)s organisations")),
    facts.MembershipRefused: Told(mark("%(cluster)s does not accept %(organization)s"),
                                  mark("%(cluster)s does not accept %(num)s organisations")),
    facts.MembershipResigned: Told(mark("%(organization)s left %(cluster)s"),
                                   mark("%(num)s organisations left %(cluster)s")),
    facts.MembershipExpelled: Told(mark("%(cluster)s expelled %(organization)s"),
                                   mark("%(cluster)s expelled %(num)s organisations")),
    facts.MembershipReinstated: Told(mark("%(organization)s is back in %(cluster)s"),
                                     mark("%(num)s organisations are back in %(cluster)s")),
    facts.MembershipCategoryChanged: Told(mark("%(organization)s has another category in %(cluster)s"),
                                          mark("%(num)s organisations have another category in %(cluster)s")),
    facts.CapabilitiesDescribed: Told(mark("%(organization)s says what it can do"),
                                      mark("%(num)s organisations say what they can do")),
    facts.CertificateRecorded: Told(mark("%(organization)s has a new certificate"),
                                    mark("%(num)s new certificates")),
    facts.OrganizationMerged: Told(mark("Two entries of one company became one"),
                                   mark("%(num)s entries became part of others")),
    facts.ClusterJoinedNetwork: Told(mark("%(cluster)s joined the network"),
                                     mark("%(num)s clusters joined the network")),
    facts.ClusterLeftNetwork: Told(mark("%(cluster)s left the network"),
                                   mark("%(num)s clusters left the network")),
}  # fmt: skip
_BY_TYPE = {contract_of(fact).type: told for fact, told in TOLD.items()}


def _reach(service: Service, viewer: Viewer, action: str) -> Allowed | None:
    try:
        return allowed(service.definition.policy, action, viewer)
    except NotYours:
        return None


@router.get("/membership/pages/home/pending", response_class=HTMLResponse)
async def pending(request: Request, service: Serving, viewer: Viewing) -> Response:
    """What waits for the viewer in this service, the oldest first."""
    said = pages.language(request, viewer)
    now = service.clock()
    today = day_in(service.settings.network_zone, now)
    own: frozenset[UUID] = frozenset(
        held.id for held in viewer.held if held.role == "representative" and held.scope == "organization" and held.id
    )
    async with service.database.connection() as connection:
        found = await views.waiting(
            connection, today=today, recent=now - OLD_SHEET,
            deciding=_reach(service, viewer, "memberships.approve"),
            activating=_reach(service, viewer, "memberships.activate"),
            importing=_reach(service, viewer, "uploads.prepare"),
            prospecting=_reach(service, viewer, "prospects.keep"), own=own,
        )  # fmt: skip
    lines = [_line(one, said, (today - one.since).days) for one in found]
    return pages.fragment(request, viewer, "home_pending.html", lines=lines)


def _line(one: Waits, said: Language, days: int) -> Pending:
    values = one.values
    age = said.plural("%(num)s day", "%(num)s days", days) if days > 0 else said(mark("today"))
    if one.kind == "applied":
        words = said(mark("%(organization)s asks to join %(cluster)s, %(age)s"), **values, age=age)
        return Pending(words, one.since.isoformat(), said(mark("Review")), f"/applications/{values['id']}")
    if one.kind == "approved":
        words = said(mark("%(organization)s was accepted by %(cluster)s and is not in force yet, %(age)s"), **values,
                     age=age)  # fmt: skip
        address = f"/organizations/{values['slug']}?tab=memberships"
        return Pending(words, one.since.isoformat(), said(mark("Bring into force")), address)
    if one.kind == "sheet":
        address = f"/import/{values['id']}"
        if values["step"] == "applied":
            words = said.plural("%(num)s row of the register of %(cluster)s was refused",
                                "%(num)s rows of the register of %(cluster)s were refused",
                                int(str(values["refused"])), cluster=values["cluster"])  # fmt: skip
            return Pending(words, one.since.isoformat(), said(mark("Mend")), address)
        words = said(mark("A sheet for the register of %(cluster)s is not applied yet"), cluster=values["cluster"])
        return Pending(words, one.since.isoformat(), said(mark("Go on")), address)
    if one.kind == "step":
        words = said(mark("%(name)s: %(step)s, due %(day)s"), name=values["name"], day=said.day(one.since),
                     step=values["next_step"] or said(mark("the next step")))  # fmt: skip
        return Pending(words, one.since.isoformat(), said(mark("Open")), "/prospects")
    standard = known("standards").get(str(values["standard"]))
    name = getattr(standard, said.code) if standard else values["standard"]
    words = said(mark("%(certificate)s of %(organization)s ends on %(day)s"), certificate=name,
                 organization=values["organization"], day=said.day(values["until"]))  # type: ignore[arg-type] # fmt: skip
    return Pending(words, one.since.isoformat(), said(mark("Renew")), f"/organizations/{values['slug']}/capabilities")


@router.get("/membership/pages/home/recent", response_class=HTMLResponse)
async def recent(request: Request, service: Serving, viewer: Viewing) -> Response:
    """What happened last within the viewer's reach, a sentence for each fact."""
    said = pages.language(request, viewer)
    reader = _reach(service, viewer, "history.read")
    found: list[Happened] = []
    if reader is not None:
        async with service.database.connection() as connection:
            found = await views.recent(connection, list(_BY_TYPE), reader)
    entries = [(_sentence(one, said), one.time, one.organization[1] if one.organization else None) for one in found]
    return pages.fragment(request, viewer, "home_recent.html", entries=entries, reads=reader is not None)


def _sentence(one: Happened, said: Language) -> str:
    told = _BY_TYPE[one.type]
    cluster = one.cluster or said(mark("the network"))
    if one.times == 1:
        unknown = said(mark("an organisation that is no longer there"))
        return said(told.one, organization=one.organization[0] if one.organization else unknown, cluster=cluster)
    return said(told.many, num=said.number(one.times), cluster=cluster)
