"""Where people go, as data: the entries of the navigation by role, and which service answers which address.

A module that brings pages adds an entry here, and nothing else of the shell changes. What a role may not open is
not shown to it; the policy of the service still decides.
"""

from dataclasses import dataclass

from shared.contracts.membership import Role
from shared.http.identity import Viewer
from shared.http.policy import CLUSTER_ROLES, NETWORK_ROLES, ORGANIZATION_ROLES
from shared.runtime.settings import SERVICES, ServiceName
from shared.web.language import mark

_STAFF: tuple[Role, ...] = (*NETWORK_ROLES, *CLUSTER_ROLES)


@dataclass(frozen=True, slots=True)
class Entry:
    """One place. `words` is a message of the catalogue; `{organization}` in the address is the viewer's own company.

    `also` are further beginnings of addresses that belong to it, so that it is marked there.
    """

    key: str
    words: str
    address: str
    icon: str
    roles: frozenset[Role]
    also: tuple[str, ...] = ()


def _entry(key: str, words: str, address: str, icon: str, *roles: Role, also: tuple[str, ...] = ()) -> Entry:
    return Entry(key, words, address, icon, frozenset(roles), also)


ENTRIES: tuple[Entry, ...] = (
    _entry("home", mark("Home"), "/", "home", *_STAFF, "partner", "operator", "developer", "service", also=("/tasks",)),
    _entry("company", mark("My company"), "/organizations/{organization}", "company", *ORGANIZATION_ROLES),
    _entry("register", mark("Register"), "/register", "register", *_STAFF,
           also=("/organizations", "/import", "/applications", "/prospects")),
    _entry("directory", mark("Directory"), "/directory", "directory", *_STAFF),
    _entry("clusters", mark("Clusters"), "/clusters", "compass", *_STAFF, "partner"),
    _entry("directory", mark("Directory"), "/directory", "directory", *ORGANIZATION_ROLES, also=("/organizations",)),
    _entry("events", mark("Events"), "/agenda", "calendar", *_STAFF, *ORGANIZATION_ROLES, "partner",
           also=("/calendar", "/check-in")),
    _entry("indicators", mark("Indicators"), "/indicators", "indicators", *_STAFF, "partner", *ORGANIZATION_ROLES),
    _entry("messages", mark("Notices"), "/messages", "messages", "coordinator", "assistant", "operator",
           *CLUSTER_ROLES, also=("/inbox", "/preferences", "/announcements")),
    _entry("inbox", mark("Notices"), "/inbox", "messages", *ORGANIZATION_ROLES, "partner", also=("/preferences",)),
    _entry("access", mark("People and access"), "/access", "access", "coordinator", "assistant", "operator",
           "cluster_director"),
    _entry("invite", mark("Invite somebody"), "/access/invite", "access", "cluster_staff"),
    _entry("tokens", mark("Programs"), "/tokens", "tokens", "coordinator", "operator"),
    _entry("operations", mark("Operations"), "/operations", "operations", "operator", "developer",
           also=tuple(f"/{service}/pages" for service in SERVICES)),
    _entry("api", mark("API"), "/api", "api", "developer", "operator"),
)  # fmt: skip

PAGES: dict[str, ServiceName | None] = {
    "": "membership",
    "register": "membership",
    "import": "membership",
    "applications": "membership",
    "prospects": "membership",
    "organizations": "membership",
    "directory": "membership",
    "clusters": "membership",
    "companies": "membership",
    "access": "membership",
    "tokens": "membership",
    "account": "membership",
    "door": "membership",
    "sign-in": "membership",
    "search": "membership",
    "language": "membership",
    "dev": "membership",
    "api": "membership",
    "calendar": "events",
    "agenda": "events",
    "participant-reports": "events",
    "ticket": "events",
    "check-in": "events",
    "indicators": "reporting",
    "shared": "reporting",
    "messages": "notifications",
    "announcements": "notifications",
    "announcement": "notifications",
    "inbox": "notifications",
    "preferences": "notifications",
    "unsubscribe": "notifications",
    "operations": None,
    "tasks": None,
    "static": None,
}
"""The first part of an address that people see -> the service that answers it; None: any of them.
"""

ROLE_WORDS: dict[Role, str] = {
    "coordinator": mark("network coordinator"),
    "assistant": mark("assistant of the network"),
    "board_member": mark("board member"),
    "treasurer": mark("treasurer"),
    "cluster_director": mark("executive director"),
    "cluster_president": mark("cluster president"),
    "cluster_staff": mark("cluster staff"),
    "representative": mark("representative"),
    "buyer": mark("buyer"),
    "partner": mark("partner"),
    "operator": mark("operator"),
    "developer": mark("developer"),
    "service": mark("program"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as one viewer gets it. `current` marks where the page is."""

    key: str
    words: str
    address: str
    icon: str
    current: bool


def links(viewer: Viewer | None, path: str) -> list[Link]:
    """The entries that the viewer's roles open, in order; the one with the longest fitting address is current."""
    if viewer is None:
        return []
    own = next((str(held.id) for held in viewer.held if held.scope == "organization" and held.id), None)
    found: list[tuple[Entry, str]] = []
    for entry in ENTRIES:
        address = entry.address
        if "{organization}" in address:
            if own is None:
                continue
            address = address.replace("{organization}", own)
        # one address stands in the navigation once
        if entry.roles & viewer.roles and address not in {other for _, other in found}:
            found.append((entry, address))
    fits = {entry.key: max((_fit(prefix, path) for prefix in (address, *entry.also)), default=0)
            for entry, address in found}  # fmt: skip
    best = max(fits.values(), default=0)
    return [
        Link(entry.key, entry.words, address, entry.icon, best > 0 and fits[entry.key] == best)
        for entry, address in found
    ]


def _fit(prefix: str, path: str) -> int:
    if prefix == "/":
        return 1 if path == "/" else 0
    return len(prefix) if path == prefix or path.startswith(prefix + "/") else 0


def role_words(viewer: Viewer) -> list[str]:
    """The viewer's roles as messages of the catalogue, each once, in the order of the roles."""
    return [words for role, words in ROLE_WORDS.items() if role in viewer.roles]
