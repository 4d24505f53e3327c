"""What a row changes: the register as it is and the entry give the register as it will be, or a reason why not.

Pure. An empty cell never erases what is stored; a joining date that differs is a warning, because what
was in force is history and not a field.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

from services.membership.clusters.domain import Cluster
from services.membership.decisions import Decided
from services.membership.imports.domain.entries import Entry
from services.membership.imports.domain.values import same_but_shouted
from services.membership.memberships import domain as memberships
from services.membership.memberships.domain import Membership
from services.membership.organizations import domain as organizations
from services.membership.organizations.domain import Differences, Organization
from services.membership.people import domain as people
from services.membership.people.domain import Person, Representation
from shared.refusal import Refusal, Said

Outcome = Literal["new", "changed", "same", "refused"]


class Circumstances(NamedTuple):
    """Into which cluster, on which day in its zone, and whether the new ones are greeted.

    `anywhere`: whoever imports may also enter what belongs to another cluster, as the network may.
    """

    cluster: Cluster
    today: date
    announce: bool = True
    anywhere: bool = True


class Ids(NamedTuple):
    """Identifiers for what a row may make."""

    organization: UUID
    membership: UUID
    person: UUID


class Before(NamedTuple):
    """What a row found; None where it made it."""

    organization: Organization | None = None
    membership: Membership | None = None
    person: Person | None = None


@dataclass(slots=True)
class Plan:
    """What one row does. `changes` maps fields to old and new values."""

    entry: Entry
    outcome: Outcome = "same"
    organization: Organization | None = None
    organization_is_new: bool = False
    organization_facts: list[Decided] = field(default_factory=list)
    differences: Differences = field(default_factory=dict)
    membership: Membership | None = None
    membership_is_new: bool = False
    membership_facts: list[Decided] = field(default_factory=list)
    person: Person | None = None
    person_is_new: bool = False
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    before: "Before" = field(default_factory=lambda: Before())
    ids: Ids | None = None
    written: list[Any] | None = None
    """What is to be published, where that was written out ahead; the facts are let go then."""

    def refuse(self, reason: str) -> "Plan":
        """The same row, refused: it does nothing."""
        self.entry.reasons.append(reason)
        return Plan(self.entry, "refused")


def planned(
    entry: Entry,
    organization: Organization | None,
    membership: Membership | None,
    representatives: Sequence[Person],
    ids: Ids,
    now: Circumstances,
) -> Plan:
    """Decides one row. The organisation is None when the row makes it."""
    plan = Plan(entry, before=Before(organization, membership), ids=ids)
    try:
        on = entry.since or now.today
        if organization is None:
            _register(plan, ids, on)
        else:
            _change(plan, organization, now.today)
        assert plan.organization is not None
        _belong(plan, membership, plan.organization.id, ids, on, now)
        _represent(plan, plan.organization, representatives, ids, now)
    except Refusal as refusal:
        return plan.refuse(refusal.reason)
    return plan


def _register(plan: Plan, ids: Ids, on: date) -> None:
    entry = plan.entry
    legal = entry.legal_name or entry.trade_name
    assert legal is not None
    plan.organization, plan.organization_facts = organizations.registered(
        ids.organization, legal_name=legal, trade_name=entry.trade_name, type_=entry.type or "company",
        country=entry.country, state=entry.state, city=entry.city, tax_number=entry.tax_number,
        positions=entry.positions or (), on=on,
    )  # fmt: skip
    plan.organization_is_new = True
    plan.outcome = "new"


def _change(plan: Plan, stored: Organization, today: date) -> None:
    entry = plan.entry
    values: dict[str, Any] = {
        name: new
        for name in ("legal_name", "trade_name", "city")
        if (new := getattr(entry, name)) is not None
        and not ((old := getattr(stored, name)) and same_but_shouted(new, old))
    }
    for name in ("type", "state", "tax_number"):
        if (new := getattr(entry, name)) is not None:
            values[name] = new
    if entry.country_said:
        values["country"] = entry.country
    plan.organization, plan.organization_facts, plan.differences = organizations.changed(
        stored, values, entry.positions, today
    )
    if plan.differences:
        plan.changes.update(plan.differences)
        plan.outcome = "changed"


def _belong(
    plan: Plan, stored: Membership | None, organization_id: UUID, ids: Ids, on: date, now: Circumstances
) -> None:
    entry = plan.entry
    if stored is None or stored.standing not in memberships.IN_FORCE:
        category = entry.category or (stored.category if stored else "associate")
        if stored is not None and stored.until is not None and (entry.since is None or entry.since < stored.until):
            raise OlderThanTheResignation(
                "it was a member until {until}; to take it in again, write a later joining date", until=stored.until
            )
        plan.membership, plan.membership_facts = memberships.taken_over(
            stored, id_=ids.membership, organization_id=organization_id, cluster_id=now.cluster.id, category=category,
            on=on, announce=now.announce,
        )  # fmt: skip
        plan.membership_is_new = stored is None
        if stored is None:
            plan.outcome = "new"
        else:
            plan.changes["standing"] = (stored.standing, "active")
            plan.outcome = "changed"
        return
    if entry.since is not None and entry.since != stored.since:
        entry.warnings.append(
            Said(
                "since: it is a member since {since}, not {said}; that was left as it is",
                since=stored.since,
                said=entry.since,
            )
        )
    if entry.category is not None and entry.category != stored.category:
        plan.membership, plan.membership_facts = memberships.recategorised(
            stored, category=entry.category, on=max(now.today, stored.bands[-1].since)
        )
        plan.changes["category"] = (stored.category, entry.category)
        if plan.outcome == "same":
            plan.outcome = "changed"


def _represent(
    plan: Plan, organization: Organization, representatives: Sequence[Person], ids: Ids, now: Circumstances
) -> None:
    entry = plan.entry
    if entry.mail is None:
        return
    key = people.mail_key(entry.mail)
    stored = next((p for p in representatives if people.mail_key(p.mail) == key), None)
    if stored is None:
        name = entry.contact or entry.mail.split("@")[0]
        language = entry.language or now.cluster.language
        first = Representation(organization.id, "other", not any(representatives), None, now.today)
        plan.person = Person(ids.person, organization.id, name, entry.mail, language, 1, (first,))
        plan.person_is_new = True
        plan.changes["representative"] = (None, f"{name} <{entry.mail}>")
    else:
        name_ = None if entry.contact and same_but_shouted(entry.contact, stored.name) else entry.contact
        person = people.described(stored, name_, entry.language)
        if person is stored:
            return
        plan.person = person
        plan.before = plan.before._replace(person=stored)
        for what in ("name", "language"):
            if getattr(stored, what) != getattr(person, what):
                plan.changes[f"representative's {what}"] = (getattr(stored, what), getattr(person, what))
    if plan.outcome == "same":
        plan.outcome = "changed"


class OlderThanTheResignation(Refusal):
    """The register names as a member who has resigned since."""
