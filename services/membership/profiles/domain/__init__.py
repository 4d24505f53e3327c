"""The rules of a profile: what an organisation can do, in codes of published lists, and who sees which part of it.

Pure. A part is seen in public, by the network, by the own cluster or by the company alone; the state that other
services get holds what the network sees.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal, get_args
from uuid import UUID

from services.membership.decisions import Decided
from services.membership.profiles.domain import codes
from services.membership.profiles.domain.codes import Kind
from shared.contracts import membership as contracts
from shared.contracts.membership import Size
from shared.refusal import NotFound, Refusal

Level = Literal["public", "network", "cluster", "own"]
LEVELS: tuple[Level, ...] = get_args(Level)
SIZES: tuple[Size, ...] = get_args(Size)
PARTS = ("size", "processes", "sectors", "products", "activities", "certificates", "sites")
"""What has a level of its own."""
MOST = 60
"""So many codes of a kind, certificates or sites at most."""


class UnknownCode(Refusal):
    """A code that is not in its list."""


class TooMany(Refusal):
    """More codes, certificates or sites than anybody reads."""


class NotABranch(Refusal):
    """A branch of itself, of a branch, or one that has branches of its own."""


class UnknownLevel(Refusal):
    """A part that has no level, or a level that does not exist."""


class EndsBeforeItBegins(Refusal):
    """A certificate whose last day lies before its first."""


class NoSuchCertificate(NotFound):
    """The organisation has no certificate with this id."""


class NoSuchSite(NotFound):
    """The organisation has no site with this id."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with who gave it and what it covers; `until` is the first day without it."""

    id: UUID
    standard: str
    body: str
    number: str | None
    scope: str | None
    since: date
    until: date

    def holds(self, today: date) -> bool:
        """Whether it counts on a day. An expired one no longer does."""
        return self.since <= today < self.until


@dataclass(frozen=True, slots=True)
class Site:
    """A plant or office. `state` is ISO 3166-2 without the country, `zone` an IANA zone, None while unknown."""

    id: UUID
    name: str
    address: str | None
    postcode: str | None
    city: str | None
    state: str | None
    country: str
    zone: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """One organisation's profile; `activities` are written scheme:code. Version 0 is one that nobody described yet."""

    organization_id: UUID
    size: Size | None = None
    parent_id: UUID | None = None
    processes: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    sites: tuple[Site, ...] = ()
    visibility: Mapping[str, Level] = field(default_factory=dict)
    version: int = 0

    def level(self, part: str) -> Level:
        """Who sees a part: the network, unless the company said otherwise."""
        return self.visibility.get(part, "network")

    def seen(self, level: Level) -> "Profile":
        """What a reader sees who stands at this level: "own" everything, "public" the least."""
        hidden = {part for part in PARTS if LEVELS.index(self.level(part)) > LEVELS.index(level)}
        nothing: dict[str, Any] = {part: None if part == "size" else () for part in hidden}
        return replace(self, **nothing)

    def words(self, level: Level) -> str:
        """Everything by which who stands at this level may find it, for the directory."""
        seen = self.seen(level)
        found = [
            *codes.words_of("processes", seen.processes), *codes.words_of("sectors", seen.sectors),
            *codes.words_of("products", seen.products),
            *codes.words_of("standards", [one.standard for one in seen.certificates]),
        ]  # fmt: skip
        for activity in seen.activities:
            scheme, code = split_activity(activity)
            found.extend(codes.words_of(scheme, [code]))
        return " | ".join(found)

    def published(self) -> contracts.ProfileState:
        """The record for the state topic: what the network sees."""
        seen = self.seen("network")
        return contracts.ProfileState(
            organization_id=self.organization_id, size=seen.size, parent_id=seen.parent_id,
            processes=list(seen.processes), sectors=list(seen.sectors), products=list(seen.products),
            activities=_activities(seen.activities),
            certificates=[
                contracts.Certificate(certificate_id=c.id, standard=c.standard, body=c.body, number=c.number,
                                      scope=c.scope, since=c.since, until=c.until)
                for c in seen.certificates
            ],
            sites=[contracts.Site(site_id=s.id, name=s.name, country=s.country, state=s.state, city=s.city)
                   for s in seen.sites],
        )  # fmt: skip


Differences = dict[str, tuple[Any, Any]]
Decision = tuple[Profile, list[Decided], Differences]
_DESCRIBED = ("size", "parent_id", "processes", "sectors", "products", "activities")
_LISTS: dict[str, Kind] = {"processes": "processes", "sectors": "sectors", "products": "products"}


def described(profile: Profile, values: Mapping[str, Any], on: date) -> Decision:
    """The profile with new values of some of size, parent_id, processes, sectors, products, activities, visibility.

    Raises `UnknownCode`, `TooMany`, `UnknownLevel`. What is the same makes no fact.
    """
    checked = {name: _checked(name, value) for name, value in values.items()}
    differences: Differences = {
        name: (old, new) for name, new in checked.items() if (old := getattr(profile, name)) != new
    }
    after = replace(profile, **{name: new for name, (_, new) in differences.items()})
    facts: list[Decided] = []
    if differences.keys() & set(_DESCRIBED):
        fact = contracts.CapabilitiesDescribed(
            organization_id=after.organization_id, size=after.size, parent_id=after.parent_id,
            processes=list(after.processes), sectors=list(after.sectors), products=list(after.products),
            activities=_activities(after.activities),
        )  # fmt: skip
        facts.append(Decided(fact, on))
    if "visibility" in differences:
        moved = [part for part in PARTS if profile.level(part) != after.level(part)]
        if moved:
            facts.append(Decided(contracts.VisibilityChanged(organization_id=after.organization_id, fields=moved), on))
    return replace(after, version=profile.version + len(facts)), facts, differences if facts else {}


def certified(profile: Profile, certificate: Certificate, on: date) -> Decision:
    """The profile with a certificate, new or in place of the one with its id.

    Raises `UnknownCode`, `EndsBeforeItBegins`, `TooMany`.
    """
    _require_known("standards", [certificate.standard], "standard")
    if certificate.until <= certificate.since:
        raise EndsBeforeItBegins("until: the certificate would end before it begins", field="until")
    old = next((one for one in profile.certificates if one.id == certificate.id), None)
    if old == certificate:
        return profile, [], {}
    others = tuple(one for one in profile.certificates if one.id != certificate.id)
    _require_room("certificates", others)
    kept = tuple(sorted((*others, certificate), key=lambda one: (one.standard, one.since, one.id)))
    fact = contracts.CertificateRecorded(
        organization_id=profile.organization_id, certificate_id=certificate.id, standard=certificate.standard,
        since=certificate.since, until=certificate.until,
    )  # fmt: skip
    after = replace(profile, certificates=kept, version=profile.version + 1)
    return after, [Decided(fact, on)], {"certificate": (_logged(old), _logged(certificate))}


def uncertified(profile: Profile, certificate_id: UUID, on: date) -> Decision:
    """The profile without a certificate. Raises `NoSuchCertificate`."""
    old = next((one for one in profile.certificates if one.id == certificate_id), None)
    if old is None:
        raise NoSuchCertificate("there is no certificate {id}", id=certificate_id, field="certificate_id")
    kept = tuple(one for one in profile.certificates if one.id != certificate_id)
    fact = contracts.CertificateRemoved(organization_id=profile.organization_id, certificate_id=certificate_id)
    after = replace(profile, certificates=kept, version=profile.version + 1)
    return after, [Decided(fact, on)], {"certificate": (_logged(old), None)}


def settled(profile: Profile, site: Site, on: date) -> Decision:
    """The profile with a site, new or in place of the one with its id. Raises `TooMany`."""
    old = next((one for one in profile.sites if one.id == site.id), None)
    if old == site:
        return profile, [], {}
    others = tuple(one for one in profile.sites if one.id != site.id)
    _require_room("sites", others)
    fact = contracts.SiteRecorded(
        organization_id=profile.organization_id, site_id=site.id, country=site.country, state=site.state
    )
    kept = tuple(sorted((*others, site), key=lambda one: (one.name, one.id)))
    after = replace(profile, sites=kept, version=profile.version + 1)
    return after, [Decided(fact, on)], {"site": (old.name if old else None, site.name)}


def closed(profile: Profile, site_id: UUID, on: date) -> Decision:
    """The profile without a site. Raises `NoSuchSite`."""
    old = next((one for one in profile.sites if one.id == site_id), None)
    if old is None:
        raise NoSuchSite("there is no site {id}", id=site_id, field="site_id")
    kept = tuple(one for one in profile.sites if one.id != site_id)
    fact = contracts.SiteClosed(organization_id=profile.organization_id, site_id=site_id)
    return replace(profile, sites=kept, version=profile.version + 1), [Decided(fact, on)], {"site": (old.name, None)}


def merged(stays: Profile, goes: Profile, on: date) -> tuple[Profile, list[Decided]]:
    """The profile that stays, with the codes, certificates and sites of the other. Raises `TooMany`.

    Where the other showed a part to fewer, fewer see it from now on: nothing comes to light by a merge.
    """
    visibility = {
        part: max(stays.level(part), goes.level(part), key=LEVELS.index) if getattr(goes, part) else stays.level(part)
        for part in PARTS
    }
    parent = stays.parent_id or goes.parent_id
    values = {name: [*getattr(stays, name), *getattr(goes, name)] for name in (*_LISTS, "activities")}
    after, facts, _ = described(stays, {
        **values, "size": stays.size or goes.size, "visibility": visibility,
        "parent_id": None if parent in (stays.organization_id, goes.organization_id) else parent,
    }, on)  # fmt: skip
    for certificate in goes.certificates:
        after, more, _ = certified(after, certificate, on)
        facts += more
    for site in goes.sites:
        after, more, _ = settled(after, site, on)
        facts += more
    return after, facts


def split_activity(text: str) -> tuple[Literal["naics", "scian"], str]:
    """Scheme and code of an activity. Raises `UnknownCode` when it is written otherwise."""
    scheme, _, code = text.partition(":")
    if scheme == "naics":
        return "naics", code
    if scheme == "scian":
        return "scian", code
    raise UnknownCode("activities: {code!r} is no NAICS or SCIAN code", code=text, field="activities")


def _activities(activities: Collection[str]) -> list[contracts.Activity]:
    pairs = [split_activity(one) for one in activities]
    return [contracts.Activity(scheme=scheme, code=code) for scheme, code in pairs]


def _checked(name: str, value: Any) -> Any:
    if name in ("size", "parent_id"):
        return value
    if name == "visibility":
        for part, level in value.items():
            if part not in PARTS or level not in LEVELS:
                raise UnknownLevel("visibility: {part} cannot be {level}", part=part, level=level, field="visibility")
        return {part: level for part, level in value.items() if level != "network"}
    wanted = list(dict.fromkeys(value))
    if len(wanted) > MOST:
        raise TooMany("{named}: at most {most}", named=name, most=MOST, field=name)
    if name == "activities":
        for one in wanted:
            scheme, code = split_activity(one)
            _require_known(scheme, [code], name)
    else:
        _require_known(_LISTS[name], wanted, name)
    return tuple(sorted(wanted))


def _require_known(kind: Kind, wanted: Collection[str], field_: str) -> None:
    for code in wanted:
        if code not in codes.known(kind):
            raise UnknownCode("{named}: {code!r} is not in the list", named=field_, code=code, field=field_)


def _require_room(name: str, others: Collection[object]) -> None:
    if len(others) >= MOST:
        raise TooMany("{named}: at most {most}", named=name, most=MOST, field=name)


def _logged(certificate: Certificate | None) -> str | None:
    if certificate is None:
        return None
    return f"{certificate.standard}, {certificate.body}, {certificate.since} / {certificate.until}"


Present = Callable[["Profile", Mapping[str, Any]], bool]
EXPECTED: dict[str, tuple[Literal["company", "all"], Present]] = {
    "place": ("all", lambda p, o: bool(o["state"] and o["city"])),
    "tax_number": ("company", lambda p, o: bool(o["tax_number"])),
    "positions": ("company", lambda p, o: bool(o["positions"])),
    "size": ("company", lambda p, o: p.size is not None),
    "activities": ("company", lambda p, o: bool(p.activities)),
    "products": ("company", lambda p, o: bool(p.products)),
    "processes": ("company", lambda p, o: bool(p.processes)),
    "sectors": ("all", lambda p, o: bool(p.sectors)),
    "certificates": ("company", lambda p, o: bool(p.certificates)),
    "sites": ("all", lambda p, o: bool(p.sites)),
}
"""What a complete profile has, of companies or of all; in the order in which it is asked for."""


def completeness(profile: Profile, type_: str, organization: Mapping[str, Any]) -> tuple[int, list[str]]:
    """How complete a profile is in whole per cent, and what is missing."""
    wanted = {name: present for name, (of, present) in EXPECTED.items() if of == "all" or type_ == "company"}
    missing = [name for name, present in wanted.items() if not present(profile, organization)]
    return 100 * (len(wanted) - len(missing)) // len(wanted), missing
