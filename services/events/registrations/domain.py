"""Who may register when, and what they pay, with its reason. Pure.

DOMAIN section 2: own associates, associates of the network's other clusters, the public; affiliates by benefit; the
lapsed pay the public price and are told why; who belongs to two clusters gets the better one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from services.events.gatherings.domain import Gathering, NoSuchGathering, Tariff
from shared.contracts.events import PriceGroup
from shared.contracts.membership import Category, Standing
from shared.postgres.values import day_in
from shared.refusal import Conflict, Refusal, Said, Word

IN_FORCE: frozenset[Standing] = frozenset({"active", "grace"})
ENDED: frozenset[Standing] = frozenset({"lapsed", "resigned", "expelled"})
MOST_AT_ONCE = 100


class RegistrationClosed(Conflict):
    """Nobody can register: it is not published yet, over, cancelled, or closed."""


class HasBegun(Conflict):
    """Once it has begun, only who holds it changes who comes."""


class NoSuchOrganization(Refusal):
    """The organisation for which somebody comes is not known here."""


class OnlyForYourself(Refusal):
    """Colleagues are registered for one's own organisation; others by who holds it."""

    status = 403


class Member(NamedTuple):
    """A membership of the organisation for which somebody comes."""

    cluster_id: UUID
    cluster: str
    category: Category
    standing: Standing
    since: date | None
    until: date | None

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return (
            self.standing in IN_FORCE
            and (self.since is None or self.since <= on)
            and (self.until is None or on < self.until)
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """What somebody pays, as whom and why; `public` is what everybody else pays."""

    group: PriceGroup
    amount: Decimal
    currency: str
    reason: Said
    public: Decimal

    @property
    def is_free(self) -> bool:
        """Whether nothing is paid."""
        return self.amount == 0


def quoted(one: Gathering, members: Sequence[Member] | None, on: date) -> Quote:
    """The best price on a day for an organisation of these memberships; None: for who comes for nobody."""
    plan = one.plan
    if not plan.prices:
        free = Said("free of charge for everybody")
        return Quote("public", Decimal(0), plan.currency, free, Decimal(0))
    open_price = _on(plan.prices, "public", None, on)
    public = open_price.amount if open_price else Decimal(0)
    found = [known for member in members or () if member.in_force(on) and (known := _as_member(one, member, on))]
    best = min(found, key=lambda pair: (pair[0].amount, pair[0].group != "own"), default=None)
    if best is not None and best[0].amount <= public:
        return Quote(best[0].group, best[0].amount, plan.currency, best[1], public)
    return Quote("public", public, plan.currency, _why_public(members, on, cheaper=best is not None), public)


def _as_member(one: Gathering, member: Member, on: date) -> tuple[Tariff, Said] | None:
    """The tariff of one membership in force, with its reason; None: that of the public."""
    host = one.plan.cluster_id
    is_own = host is None or member.cluster_id == host
    groups: tuple[PriceGroup, ...] = ("own", "network") if is_own else ("network",)
    for group in groups:
        if (tariff := _on(one.plan.prices, group, member.category, on)) is None:
            continue
        who = Word(member.category)
        if tariff.benefit:
            return tariff, Said("{benefit} ({category} of {cluster})", benefit=tariff.benefit, category=who,
                                cluster=member.cluster)  # fmt: skip
        if host is None:
            return tariff, Said("{category} of {cluster}, of the network that holds it", category=who,
                                cluster=member.cluster)  # fmt: skip
        if is_own:
            return tariff, Said("{category} of {cluster}, who holds it", category=who, cluster=member.cluster)
        return tariff, Said("{category} of another cluster of the network: {cluster}", category=who,
                            cluster=member.cluster)  # fmt: skip
    return None


def _on(prices: Sequence[Tariff], group: PriceGroup, category: Category | None, on: date) -> Tariff | None:
    """The tariff of a group and category on a day; affiliates have one only where it is written for them."""
    wanted = [category] if category == "affiliate" else [category, None] if category else [None]
    for kind in wanted:
        held = [p for p in prices if p.group == group and p.category == kind and (p.since is None or p.since <= on)]
        if held:
            return max(held, key=lambda p: p.since or date.min)
    return None


def _why_public(members: Sequence[Member] | None, on: date, *, cheaper: bool) -> Said:
    if members is None:
        return Said("public price: you come for no organisation")
    if cheaper:
        return Said("public price: it is lower than that of the membership")
    for member in members:
        if member.in_force(on):
            return Said("public price: there is none of its own for {category} of {cluster}",
                        category=Word(member.category), cluster=member.cluster)  # fmt: skip
    for member in members:
        if member.standing in ENDED or (member.until is not None and member.until <= on):
            if member.until is not None:
                return Said("public price: the membership in {cluster} ended on {day}", cluster=member.cluster,
                            day=member.until)  # fmt: skip
            return Said("public price: the membership in {cluster} is {standing}", cluster=member.cluster,
                        standing=Word(member.standing))  # fmt: skip
    if members:
        return Said("public price: the membership in {cluster} is not in force yet", cluster=members[0].cluster)
    return Said("public price: the organisation is no member of the network")


def require_not_begun(one: Gathering, now: datetime) -> None:
    """Raises `HasBegun`."""
    if now >= one.plan.starts and one.status != "postponed":
        raise HasBegun("it has begun: only who holds it changes who comes", field="gathering_id")


def require_open(one: Gathering, now: datetime, *, organizer: bool) -> None:
    """Raises `RegistrationClosed`, saying why, and `NoSuchGathering` for a draft that is not the caller's.

    Who holds it may register people at the door, and afterwards what was written on paper.
    """
    if one.status == "draft":
        if not organizer:
            raise NoSuchGathering("there is no event {id}", id=one.id, field="gathering_id")
        raise RegistrationClosed("it is not published yet", field="gathering_id")
    if one.status == "cancelled":
        raise RegistrationClosed("it was cancelled", field="gathering_id")
    if one.status == "postponed":
        raise RegistrationClosed("it was postponed, and its new day is still to be said", field="gathering_id")
    if organizer:
        return
    if one.status == "held" or now >= one.plan.ends:
        raise RegistrationClosed("it is over", field="gathering_id")
    if now >= one.closes:
        raise RegistrationClosed("registration closed on {day}", day=day_in(one.plan.zone, one.closes),
                                 field="gathering_id")  # fmt: skip
