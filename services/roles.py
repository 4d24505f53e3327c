"""`docs/roles.md`, generated: which role may do what, how far, and which route asks for which action.

Read from the policies and the routes themselves; a test asks every route as every role and compares.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, get_args

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from shared.contracts.membership import Role
from shared.http.policy import COMMON, Permission, Policy, present
from shared.runtime.service import Definition

ROLES: tuple[Role, ...] = get_args(Role)


class Asks(NamedTuple):
    """One route: its method and path, the actions it asks the policy for, whether somebody must be signed in."""

    method: str
    path: str
    actions: tuple[str, ...]
    signed_in: bool


def routes_of(app: FastAPI) -> Iterator[Asks]:
    """Every route of a service's application."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            found = list(_dependencies(route.dependant))
            actions = tuple(sorted({one.action for one in found if type(one) is Permission}))
            for method in sorted(route.methods or ()):
                yield Asks(method, str(context.path), actions, bool(actions) or present in found)


def _dependencies(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _dependencies(inner)


def policy_of(definition: Definition) -> Policy:
    """A service's own policy over what holds everywhere."""
    return {**COMMON, **definition.policy}


def page(definitions: Mapping[str, Definition], applications: Mapping[str, FastAPI]) -> str:
    """The whole page."""
    lines = [
        "# Roles",
        "",
        "Generated: `uv run cumulo roles` prints it; a test asks every route as every role and compares.",
        "",
        "*all*: everywhere. *own*: what belongs to the cluster or organisation over which the role is held; held over",
        "the whole network it reaches everything. Empty: refused. The installation's own token may do everything.",
    ]
    for name, definition in definitions.items():
        policy = policy_of(definition)
        lines += ["", f"## {name}", "", f"| action | {' | '.join(ROLES)} |", f"|---{'|---' * len(ROLES)}|"]
        for action in sorted(policy):
            cells = " | ".join(str(policy[action].get(role, "")) for role in ROLES)
            lines.append(f"| `{action}` | {cells} |")
        lines += ["", "| route | asks for |", "|---|---|"]
        for asks in sorted(routes_of(applications[name]), key=lambda a: (a.path, a.method)):
            needs = ", ".join(f"`{one}`" for one in asks.actions)
            needs = needs or ("somebody signed in" if asks.signed_in else "nobody")
            lines.append(f"| `{asks.method} {asks.path}` | {needs} |")
    return "\n".join(lines) + "\n"
