"""What the pages of this service share: how far whoever looks may reach, also when nobody is signed in."""

from shared.http.identity import Viewer
from shared.http.policy import Allowed, NotYours, Span, allowed
from shared.runtime.service import Service

NOTHING: Span = (False, [], [])


def reach(service: Service, action: str, viewer: Viewer | None) -> Allowed | None:
    """What the viewer reaches in an action, None for nothing at all."""
    if viewer is None:
        return None
    try:
        return allowed(service.definition.policy, action, viewer)
    except NotYours:
        return None


def span(found: Allowed | None) -> Span:
    """The same as parameters of a statement."""
    return found.span() if found else NOTHING
