"""The tour of the demo: five things to try, each ticked by the page that shows its very fact, none by a click on it.

Ticks live in one cookie of this browser, since every visitor begins anew; outside of the demo nothing is kept.
"""

from typing import NamedTuple

from fastapi import Request, Response

from shared.runtime.service import Service
from shared.web.language import mark

COOKIE = "cumulo_tour"
CLOSED = "closed"
DAYS = 30


class Step(NamedTuple):
    """One thing to try: its name in the cookie, what it says, and where one begins."""

    name: str
    words: str
    address: str


STEPS = (
    Step("approve", mark("Approve an application"), "/register?standing=applied"),
    Step("mail", mark("Open the mail that it sent"), "/messages"),
    Step("figure", mark("See the figure move"), "/indicators"),
    Step("fact", mark("Read the fact on Kafka"), "/operations"),
    Step("day", mark("Ask for 31 March"), "/indicators"),
)


class Tour(NamedTuple):
    """The bar as a page shows it: each step with whether it is done."""

    steps: list[tuple[Step, bool]]

    @property
    def done(self) -> int:
        """How many are."""
        return sum(done for _, done in self.steps)


def tour_of(request: Request, service: Service | None) -> Tour | None:
    """The tour of this browser; None outside of the demo, or when somebody closed it."""
    if service is None or not service.settings.demo:
        return None
    kept = _kept(request)
    return None if CLOSED in kept else Tour([(step, step.name in kept) for step in STEPS])


def reached(request: Request, *names: str) -> None:
    """The page that is about to be shown holds the fact of these steps: its answer ticks them."""
    request.state.tour = _kept(request) | set(names)


def keep_tour(request: Request, response: Response) -> None:
    """Carries ticks of this request to the browser."""
    kept = getattr(request.state, "tour", None)
    service = getattr(request.scope["app"].state, "service", None) if "app" in request.scope else None
    if kept is not None and service is not None and service.settings.demo:
        response.set_cookie(COOKIE, ".".join(sorted(kept)), max_age=DAYS * 86_400, samesite="lax",
                            secure=request.url.scheme == "https")  # fmt: skip


def ticked(request: Request, response: Response, *names: str) -> Response:
    """The same for an answer that is no page."""
    reached(request, *names)
    keep_tour(request, response)
    return response


def close(request: Request) -> None:
    """Nobody asks for the tour any more in this browser."""
    reached(request, CLOSED)


def _kept(request: Request) -> set[str]:
    already: set[str] | None = getattr(request.state, "tour", None)
    if already is not None:
        return already
    known = {step.name for step in STEPS} | {CLOSED}
    return {name for name in request.cookies.get(COOKIE, "")[:200].split(".") if name in known}
