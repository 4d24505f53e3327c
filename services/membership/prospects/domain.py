"""Prospects: companies that may join a cluster, before they apply. Pure.

Facts tell that there is one, where from, and what became of it; its name and contact stay in this service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, get_args
from uuid import UUID

from services.membership.decisions import Decided
from shared.contracts.membership import ProspectApplied, ProspectLost, ProspectNoted, ProspectSource
from shared.refusal import Conflict, NotFound
from shared.runtime.privacy import NOBODY, Personal, by_text

State = Literal["open", "applied", "lost"]
SOURCES: tuple[ProspectSource, ...] = get_args(ProspectSource)
PERSONAL = (
    Personal(
        "prospect",
        ("contact_name", "contact_mail", "contact_phone"),
        f"{NOBODY} OR lower(contact_mail) = ANY ($2) OR lower(contact_name) = ANY ($2)",
        "values",
        "contact_name = NULL, contact_mail = NULL, contact_phone = NULL",
    ),
    Personal("prospect", ("name", "next_step", "reason"), by_text("concat_ws(' ', name, next_step, reason)"), "values",
             "name = 'erased', next_step = NULL, reason = CASE WHEN state = 'lost' THEN 'erased' END"),
)  # fmt: skip


class NoSuchProspect(NotFound):
    """There is no prospect of this id, or it is another cluster's."""


class NotOpen(Conflict):
    """The prospect has applied, or was given up."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """A company that may join. `since` is the day on which it was noted, `due` that of the next step."""

    id: UUID
    cluster_id: UUID
    name: str
    city: str | None
    source: ProspectSource
    contact_name: str | None
    contact_mail: str | None
    contact_phone: str | None
    next_step: str | None
    due: date | None
    state: State
    reason: str | None
    organization_id: UUID | None
    since: date
    version: int

    def require_open(self) -> None:
        """Raises `NotOpen`."""
        if self.state != "open":
            raise NotOpen("it is no prospect any more")


Decision = tuple[Prospect, list[Decided]]
DESCRIBED = ("name", "city", "source", "contact_name", "contact_mail", "contact_phone", "next_step", "due")


def noted(id_: UUID, cluster_id: UUID, values: Mapping[str, Any], on: date) -> Decision:
    """A new prospect."""
    known: dict[str, Any] = {name: values.get(name) for name in DESCRIBED}
    made = Prospect(id_, cluster_id, **known, state="open", reason=None, organization_id=None, since=on, version=1)
    return made, [Decided(ProspectNoted(prospect_id=id_, cluster_id=cluster_id, source=made.source), on)]


def described(prospect: Prospect, values: Mapping[str, Any]) -> Prospect:
    """Other values of some fields; no fact, since nobody counts them. Raises `NotOpen`."""
    prospect.require_open()
    return replace(prospect, **values)


def applied(prospect: Prospect, organization_id: UUID, on: date) -> Decision:
    """It applies, as this organisation. Raises `NotOpen`."""
    prospect.require_open()
    after = replace(prospect, state="applied", organization_id=organization_id, next_step=None, due=None,
                    version=prospect.version + 1)  # fmt: skip
    fact = ProspectApplied(prospect_id=prospect.id, cluster_id=prospect.cluster_id, organization_id=organization_id)
    return after, [Decided(fact, on)]


def lost(prospect: Prospect, reason: str, on: date) -> Decision:
    """It does not join, for a reason. Raises `NotOpen`."""
    prospect.require_open()
    after = replace(prospect, state="lost", reason=reason, next_step=None, due=None, version=prospect.version + 1)
    return after, [Decided(ProspectLost(prospect_id=prospect.id, cluster_id=prospect.cluster_id), on)]
