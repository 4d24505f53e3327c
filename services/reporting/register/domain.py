"""How facts become dated rows: what holds on which days, as it was believed at which instants.

Pure. The facts of one aggregate, in whatever order they came, fold to the same rows; a fact counts from
its effective day on and overrides what was believed about the days behind it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol, SupportsIndex, TypeAlias, TypeVar
from uuid import UUID

Value: TypeAlias = tuple[Any, ...]
"""What holds during a period; its parts depend on the aggregate."""


class Segment(NamedTuple):
    """`value` holds from `since` (None: always) until the day before `until` (None: open)."""

    since: date | None
    until: date | None
    value: Value


Timeline: TypeAlias = tuple[Segment, ...]
"""What is believed at one instant; segments may overlap only where several things hold at once."""

NOTHING: Timeline = ()


class Period(NamedTuple):
    """A segment and the instants between which it was believed; `known_until` None: still is."""

    since: date | None
    until: date | None
    value: Value
    known_since: datetime
    known_until: datetime | None


class MembershipFact(NamedTuple):
    """A fact about one membership. `type` is the name of its contract, e.g. "MembershipActivated"."""

    membership_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime
    organization_id: UUID
    cluster_id: UUID
    category: str


class OrganizationFact(NamedTuple):
    """A fact about one organisation. `positions` are (position, since, until); `state` is ISO 3166-2, "MX-JAL"."""

    organization_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime
    kind: str
    state: str | None
    positions: tuple[tuple[str, date, date | None], ...]


class ClusterFact(NamedTuple):
    """A fact about one cluster."""

    cluster_id: UUID
    version: int
    id: UUID
    type: str
    effective: date | None
    recorded: datetime


class DatedFact(Protocol):
    """What every fact here has: its aggregate at place 0, its version and when it was recorded."""

    @property
    def version(self) -> int: ...
    @property
    def recorded(self) -> datetime: ...
    def __getitem__(self, place: SupportsIndex, /) -> Any: ...


AnyFact = TypeVar("AnyFact", bound=DatedFact)


# --- timelines -----------------------------------------------------------------------------------


def ended(timeline: Timeline, day: date | None) -> Timeline:
    """Nothing holds from `day` on (None: nothing ever held)."""
    if day is None:
        return NOTHING
    kept = []
    for segment in timeline:
        since, until, value = segment
        if until is not None and until <= day:
            kept.append(segment)
        elif since is None or since < day:
            kept.append(Segment(since, day, value))
    return tuple(kept)


def holding(timeline: Timeline, day: date | None, value: Value) -> Timeline:
    """`value` holds from `day` on, and nothing else does."""
    before = ended(timeline, day)
    if before and before[-1].until == day and before[-1].value == value:
        return (*before[:-1], Segment(before[-1].since, None, value))
    return (*before, Segment(day, None, value))


def altered(timeline: Timeline, day: date, value: Value) -> Timeline:
    """From `day` on `value` holds wherever something did; what had ended stays ended."""
    done: list[Segment] = []
    for segment in timeline:
        since, until, old = segment
        parts: tuple[Segment, ...] = (segment,)
        if until is None or until > day:
            if since is None or since < day:
                parts = (Segment(since, day, old), Segment(day, until, value))
            else:
                parts = (Segment(since, until, value),)
        for part in parts:
            if done and done[-1].value == part.value and done[-1].until == part.since:
                done[-1] = Segment(done[-1].since, part.until, part.value)
            else:
                done.append(part)
    return tuple(done)


def relabelled(timeline: Timeline, organization_id: UUID) -> Timeline:
    """The same days, of another organisation: the two are one."""
    return tuple(Segment(since, until, (organization_id, *value[1:])) for since, until, value in timeline)


def periods(facts: Iterable[AnyFact], after: Callable[[Timeline, AnyFact], Timeline]) -> list[Period]:
    """Folds the facts of one aggregate; `after` gives what is believed after one more fact.

    After each fact its belief holds until the next one is recorded. Facts recorded at one instant count together.
    Recorded times never run backwards: a fact recorded "before" its predecessor, by another machine's
    clock, counts from the predecessor's instant on.
    """
    ordered = sorted(facts, key=_version)
    found: list[Period] = []
    believed: dict[Segment, datetime] = {}
    timeline = NOTHING
    last = len(ordered) - 1
    instant: datetime | None = None
    for index, fact in enumerate(ordered):
        if instant is None or fact.recorded > instant:
            instant = fact.recorded
        timeline = after(timeline, fact)
        if index < last and ordered[index + 1].recorded <= instant:
            continue  # the next fact supersedes this belief at the same instant
        present = set(timeline)
        gone = [segment for segment in believed if segment not in present]
        found.extend(Period(*segment, believed.pop(segment), instant) for segment in gone)
        for segment in timeline:
            if segment not in believed:
                believed[segment] = instant
    found.extend(Period(*segment, since, None) for segment, since in believed.items())
    return found


def _version(fact: DatedFact) -> int:
    return fact.version


# --- what each fact does -------------------------------------------------------------------------

IN_NETWORK: Value = ()

NEEDS_DAY = frozenset({
    "MembershipActivated", "MembershipCategoryChanged", "MembershipResigned", "MembershipExpelled",
    "MembershipReinstated", "MembershipActivationWithdrawn", "MembershipMerged",
    "ClusterJoinedNetwork", "ClusterLeftNetwork",
})  # fmt: skip
"""Facts that mean nothing without the day from which they count."""


def after_membership(timeline: Timeline, fact: MembershipFact) -> Timeline:
    """In force from an activation or reinstatement on, until a resignation or expulsion.

    A value is (organisation, cluster, category).
    """
    kind = fact.type
    if kind in ("MembershipActivated", "MembershipReinstated"):
        return holding(timeline, fact.effective, (fact.organization_id, fact.cluster_id, fact.category))
    if kind in ("MembershipResigned", "MembershipExpelled", "MembershipActivationWithdrawn"):
        return ended(timeline, fact.effective)
    if kind == "MembershipTransferred":
        return relabelled(timeline, fact.organization_id)
    if kind == "MembershipMerged":
        return ended(relabelled(timeline, fact.organization_id), fact.effective)
    if kind == "MembershipCategoryChanged" and fact.effective is not None:
        return altered(timeline, fact.effective, (fact.organization_id, fact.cluster_id, fact.category))
    return timeline


def after_classification(timeline: Timeline, fact: OrganizationFact) -> Timeline:
    """Type and state of an organisation, a value is (type, state).

    It has those it was registered with on all days before too: it did not come into being by being registered.
    A reclassification counts from its effective day on, without one on all days.
    """
    return holding(timeline, fact.effective if timeline else None, (fact.kind, fact.state))


def after_positions(timeline: Timeline, fact: OrganizationFact) -> Timeline:
    """Positions in the chain carry their own days; a fact replaces all of them. A value is (position,).

    Days on which one position is listed twice count once.
    """
    merged: list[Segment] = []
    for position, since, until in sorted(fact.positions, key=lambda p: (p[0], p[1])):
        if until is not None and until <= since:
            continue
        last = merged[-1] if merged else None
        if last is not None and last.value == (position,) and (last.until is None or since <= last.until):
            if last.until is not None and (until is None or until > last.until):
                merged[-1] = Segment(last.since, until, last.value)
        else:
            merged.append(Segment(since, until, (position,)))
    return tuple(merged)


def after_cluster(timeline: Timeline, fact: ClusterFact) -> Timeline:
    """In the network from joining on, until leaving."""
    if fact.type == "ClusterJoinedNetwork":
        return holding(timeline, fact.effective, IN_NETWORK)
    if fact.type == "ClusterLeftNetwork":
        return ended(timeline, fact.effective)
    return timeline


def membership_periods(facts: Sequence[MembershipFact]) -> list[Period]:
    """When one membership is in force."""
    if len(facts) == 1:  # by far the most frequent case in a large import
        fact = facts[0]
        if fact.type != "MembershipActivated":
            return []
        value = (fact.organization_id, fact.cluster_id, fact.category)
        return [Period(fact.effective, None, value, fact.recorded, None)]
    return periods(facts, after_membership)
