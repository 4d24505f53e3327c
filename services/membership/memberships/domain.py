"""The life of a membership: applied, approved or refused, active, resigned or expelled, and again.

One per organisation and cluster. Pure: a function per command takes the present membership (None before the
first) and gives the next one with its facts, or raises a named refusal. Bands hold the days in force and never
overlap.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, get_args
from uuid import UUID

from services.membership.decisions import Decided
from shared.contracts.membership import (
    Category,
    MembershipActivated,
    MembershipActivationWithdrawn,
    MembershipApplied,
    MembershipApproved,
    MembershipCategoryChanged,
    MembershipExpelled,
    MembershipMerged,
    MembershipRefused,
    MembershipReinstated,
    MembershipResigned,
    MembershipTransferred,
    Origin,
    Standing,
    StandingState,
)
from shared.refusal import Conflict, NotFound, Word

CATEGORIES: tuple[Category, ...] = get_args(Category)
IN_FORCE: frozenset[Standing] = frozenset({"active", "grace"})
ENDED: frozenset[Standing] = frozenset({"lapsed", "resigned", "expelled"})


class NoSuchMembership(NotFound):
    """No membership has this id."""


class AlreadyMember(Conflict):
    """The organisation belongs to the cluster already."""


class AlreadyApplied(Conflict):
    """Its application is there already."""


class NotApplied(Conflict):
    """There is no application to approve."""


class NotApproved(Conflict):
    """Nothing was approved that could come into force."""


class NotAMember(Conflict):
    """The membership is not in force, so that nobody can resign from it."""


class NothingToReinstate(Conflict):
    """The membership did not end, so that it cannot be in force again."""


class DecideFirst(Conflict):
    """Two entries of one organisation contradict each other in one cluster."""


class WasExpelled(Conflict):
    """Who was expelled comes back when the cluster reinstates them, not by another application."""


class BeforeTheLastStep(Conflict):
    """The day lies before what happened last."""


@dataclass(frozen=True, slots=True)
class Band:
    """Days in force in one category: `until` is the first day without it, None while open."""

    category: Category
    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """An organisation's membership in one cluster. `since` and `until` are those of its last time in force."""

    id: UUID
    organization_id: UUID
    cluster_id: UUID
    category: Category
    standing: Standing
    applied_on: date | None
    approved_on: date | None
    since: date | None
    until: date | None
    bands: tuple[Band, ...]
    version: int

    def published(self) -> StandingState:
        """The record for the state topic."""
        return StandingState(
            membership_id=self.id,
            organization_id=self.organization_id,
            cluster_id=self.cluster_id,
            category=self.category,
            standing=self.standing,
            since=self.since,
            until=self.until,
        )


Decision = tuple[Membership, list[Decided]]


def applied(
    present: Membership | None, *, id_: UUID, organization_id: UUID, cluster_id: UUID, category: Category, on: date
) -> Decision:
    """The organisation asks to join; after a resignation or a refusal it asks again.

    Raises `AlreadyApplied`, `AlreadyMember`, `WasExpelled`, `BeforeTheLastStep`.
    """
    if present is None:
        present = Membership(id_, organization_id, cluster_id, category, "applied", None, None, None, None, (), 0)
    elif present.standing in ("applied", "approved"):
        raise AlreadyApplied(
            "its application of {applied_on} is {standing}",
            applied_on=present.applied_on,
            standing=Word(present.standing),
            field="organization_id",
        )
    elif present.standing == "expelled":
        raise WasExpelled("it was expelled; the cluster may reinstate it", field="organization_id")
    else:
        _refuse_while_in_force(present)
        _refuse_before(on, present.until)
    after = replace(
        present, category=category, standing="applied", applied_on=on, approved_on=None, since=None, until=None,
        version=present.version + 1,
    )  # fmt: skip
    return after, [Decided(MembershipApplied(**_names(after), category=category), on)]


def approved(present: Membership, *, on: date) -> Decision:
    """The cluster accepts the application. Raises `NotApplied`, `BeforeTheLastStep`."""
    if present.standing != "applied":
        raise NotApplied(
            "there is no application to approve; the membership is {standing}", standing=Word(present.standing)
        )
    if present.applied_on is not None and on < present.applied_on:
        raise BeforeTheLastStep("effective: it applied on {earlier}, so {on} is too early",
                                earlier=present.applied_on, on=on, field="effective")  # fmt: skip
    after = replace(present, standing="approved", approved_on=on, version=present.version + 1)
    return after, [Decided(MembershipApproved(**_names(after), category=after.category), on)]


def refused(present: Membership, *, on: date) -> Decision:
    """The cluster does not accept the application. Raises `NotApplied`, `BeforeTheLastStep`."""
    if present.standing not in ("applied", "approved"):
        raise NotApplied(
            "there is no application to refuse; the membership is {standing}", standing=Word(present.standing)
        )
    last = present.approved_on or present.applied_on
    if last is not None and on < last:
        raise BeforeTheLastStep("effective: its last step was on {earlier}, so {on} is too early",
                                earlier=last, on=on, field="effective")  # fmt: skip
    after = replace(present, standing="refused", version=present.version + 1)
    return after, [Decided(MembershipRefused(**_names(after), category=after.category), on)]


def activated(
    present: Membership, *, on: date, category: Category | None = None, origin: Origin = "application",
    announce: bool = True,
) -> Decision:  # fmt: skip
    """The membership is in force from `on` on: after an approval, or again after a resignation.

    Raises `AlreadyMember`, `NotApproved`, `BeforeTheLastStep`.
    """
    _refuse_while_in_force(present)
    if present.standing not in ("approved", "resigned"):
        raise NotApproved("it has to be approved first; the membership is {standing}", standing=Word(present.standing))
    if present.approved_on is not None and on < present.approved_on:
        raise BeforeTheLastStep("effective: it was approved on {earlier}, so {on} is too early",
                                earlier=present.approved_on, on=on, field="effective")  # fmt: skip
    return _in_force(present, category or present.category, on, origin, announce)


def taken_over(
    present: Membership | None, *, id_: UUID, organization_id: UUID, cluster_id: UUID, category: Category, on: date,
    announce: bool,
) -> Decision:  # fmt: skip
    """A register says that the organisation is a member since `on`; no application is needed.

    Raises `AlreadyMember` and `BeforeTheLastStep` (a register that is older than its resignation).
    """
    if present is None:
        after = Membership(
            id_, organization_id, cluster_id, category, "active", None, None, on, None, (Band(category, on),), 1
        )
        return after, [_activation(after, "import", announce)]
    _refuse_while_in_force(present)
    return _in_force(present, category, on, "import", announce)


def recategorised(present: Membership, *, category: Category, on: date) -> Decision:
    """From `on` on it has another category; the same category makes no fact. On the day on which the present one began
    it takes its place; before that day it would undo what was told. Raises `NotAMember`, `BeforeTheLastStep`.
    """
    last = _open_band(present)
    if category == last.category:
        return present, []
    if on < last.since:
        raise BeforeTheLastStep("effective: its present category counts from {earlier}, so {on} is too early",
                                earlier=last.since, on=on, field="effective")  # fmt: skip
    if last.since == on:
        bands = (*present.bands[:-1], Band(category, on))
    else:
        bands = (*present.bands[:-1], Band(last.category, last.since, on), Band(category, on))
    after = replace(present, category=category, bands=bands, version=present.version + 1)
    fact = MembershipCategoryChanged(**_names(after), category=category, previous=last.category)
    return after, [Decided(fact, on)]


def resigned(present: Membership, *, on: date) -> Decision:
    """It is no longer in force from `on` on. Raises `NotAMember`, `BeforeTheLastStep`."""
    after = _ended(present, "resigned", on)
    return after, [Decided(MembershipResigned(**_names(after), category=after.category), on)]


def expelled(present: Membership, *, on: date) -> Decision:
    """The cluster ends it; no longer in force from `on` on. Raises `NotAMember`, `BeforeTheLastStep`."""
    after = _ended(present, "expelled", on)
    return after, [Decided(MembershipExpelled(**_names(after), category=after.category), on)]


def reinstated(present: Membership, *, on: date, category: Category | None = None) -> Decision:
    """In force again from `on` on without an application. Raises `NothingToReinstate`, `BeforeTheLastStep`."""
    if present.standing not in ENDED:
        raise NothingToReinstate(
            "only a membership that ended is reinstated; this one is {standing}", standing=Word(present.standing)
        )
    after, _ = _in_force(present, category or present.category, on, "application", announce=False)
    return after, [Decided(MembershipReinstated(**_names(after), category=after.category), on)]


def transferred(present: Membership, organization_id: UUID, on: date) -> Decision:
    """It belongs to another organisation, which is the same, on all of its days."""
    after = replace(present, organization_id=organization_id, version=present.version + 1)
    fact = MembershipTransferred(**_names(after), category=after.category, former_id=present.organization_id)
    return after, [Decided(fact, on)]


def absorbed(stays: Membership, goes: Membership, on: date) -> tuple[Membership, list[Decided], list[Decided]]:
    """Two memberships of one organisation in one cluster become one: the one that stays, its facts, the other's last.

    Is only the other in force, the one that stays is from `on` on. Raises `DecideFirst` while either waits for a
    decision that the other would contradict.
    """
    fact = MembershipMerged(
        membership_id=goes.id, organization_id=stays.organization_id, cluster_id=goes.cluster_id,
        category=goes.category, into_id=stays.id,
    )  # fmt: skip
    waiting = {"applied", "approved"} & {stays.standing, goes.standing}
    if (waiting and goes.standing != stays.standing and goes.standing not in ("resigned", "refused", "lapsed")) or (
        stays.standing == "expelled" and goes.standing in IN_FORCE
    ):
        raise DecideFirst(
            "in one cluster one of them is {one} and the other {other}; decide that first",
            one=Word(stays.standing), other=Word(goes.standing),
        )  # fmt: skip
    if stays.standing in IN_FORCE or goes.standing not in IN_FORCE:
        return stays, [], [Decided(fact, on)]
    after, _ = _in_force(stays, goes.category, on, "application", announce=False)
    reinstated_ = MembershipReinstated(**_names(after), category=after.category)
    return after, [Decided(reinstated_, on)], [Decided(fact, on)]


def taken_back(present: Membership, before: Membership | None) -> tuple[Membership | None, list[Decided]]:
    """Undoes what an import did last: the membership as it was before it, None when the import made it.

    The days that it brought never counted; those before stay as they were.
    """
    assert present.bands
    names, last = _names(present), present.bands[-1]
    if before is not None and before.standing in IN_FORCE:
        fact: Any = MembershipCategoryChanged(**names, category=before.category, previous=present.category)
    else:
        fact = MembershipActivationWithdrawn(**names, category=present.category)
    after = None if before is None else replace(before, version=present.version + 1)
    return after, [Decided(fact, last.since)]


def _ended(present: Membership, standing: Standing, on: date) -> Membership:
    last = _open_band(present)
    if on <= last.since:
        raise BeforeTheLastStep("effective: it is in force since {since}; it cannot end on {on}",
                                since=last.since, on=on, field="effective")  # fmt: skip
    bands = (*present.bands[:-1], Band(last.category, last.since, on))
    return replace(present, standing=standing, until=on, bands=bands, version=present.version + 1)


def _in_force(present: Membership, category: Category, on: date, origin: Origin, announce: bool) -> Decision:
    if present.bands:
        _refuse_before(on, present.bands[-1].until)
    after = Membership(
        present.id, present.organization_id, present.cluster_id, category, "active", present.applied_on,
        present.approved_on, on, None, (*present.bands, Band(category, on)), present.version + 1,
    )  # fmt: skip
    return after, [_activation(after, origin, announce)]


def _activation(after: Membership, origin: Origin, announce: bool) -> Decided:
    assert after.since is not None
    fact = MembershipActivated(**_names(after), category=after.category, origin=origin, announce=announce)
    return Decided(fact, after.since)


def _open_band(present: Membership) -> Band:
    if present.standing not in IN_FORCE or not present.bands or present.bands[-1].until is not None:
        raise NotAMember("it is not in force; the membership is {standing}", standing=Word(present.standing))
    return present.bands[-1]


def _refuse_while_in_force(present: Membership) -> None:
    if present.standing in IN_FORCE:
        raise AlreadyMember("it is a member since {since}", since=present.since, field="organization_id")


def _refuse_before(on: date, left: date | None) -> None:
    if left is not None and on < left:
        raise BeforeTheLastStep("effective: it was a member until {earlier}, so {on} is too early",
                                earlier=left, on=on, field="effective")  # fmt: skip


def _names(membership: Membership) -> dict[str, UUID]:
    return {
        "membership_id": membership.id,
        "organization_id": membership.organization_id,
        "cluster_id": membership.cluster_id,
    }
