"""Refusals as pages: what is wrong in words, what to do about it, and who may what the reader may not.

Who asks for JSON gets problem documents (shared.http.problems); `wants_html` tells the two apart.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from shared.contracts.membership import Role
from shared.http.identity import Viewer
from shared.http.policy import is_from_here
from shared.web.language import mark
from shared.web.navigation import ROLE_WORDS
from shared.web.shell import pages_of, turn


def wants_html(request: Request) -> bool:
    """Whether a person's browser asks: it prefers a page to a problem document."""
    return "text/html" in request.headers.get("accept", "") or request.headers.get("hx-request") == "true"


MOST_KEPT = 500_000
"""Characters of a form; what is longer is not put onto a page again."""
TITLES = {
    403: mark("Not with your role"),
    404: mark("This page does not exist"),
    409: mark("The present state does not allow it"),
    413: mark("Too large"),
    422: mark("Something in it cannot be taken"),
    429: mark("Too many tries"),
    503: mark("Out of reach for the moment"),
}


def refusal_page(request: Request, status: int, reason: str, *, roles: Sequence[Role] = ()) -> Response:
    """A refusal of whatever kind as a page, for whoever is signed in."""
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    said = pages_of("shared.web").language(request, viewer)
    title = TITLES.get(status, mark("This did not work"))
    # a program has nobody to ask; where no role may, there is nothing to ask for
    ask = "/access/ask" if status == 403 and roles and viewer is not None and viewer.kind == "person" else None
    capital = reason[:1].upper() + reason[1:]
    return error_page(request, viewer, status, said(title), capital, roles=tuple(roles), ask=ask)


async def written(request: Request) -> Response | None:
    """What somebody wrote into a form while their sign-in ran out, on a page from which they send it again.

    None for anything but a form of ours: what another site sends is never offered for sending.
    """
    form = request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/form"))
    if request.method != "POST" or not form or not wants_html(request) or request.headers.get("hx-request") == "true":
        return None
    if not is_from_here(request):
        return None
    fields = [(name, value) for name, value in (await request.form()).multi_items()]
    texts = [(name, value) for name, value in fields if isinstance(value, str)]
    if sum(len(value) for _, value in texts) > MOST_KEPT:
        return None
    return pages_of("shared.web").render(
        request, None, "kept.html", 401, fields=texts, files=len(fields) - len(texts), action=request.url.path
    )


def left_out(request: Request, address: str, value: str, reason: str) -> Response:
    """To the same page without the parameters of its address that it cannot take, and says which and why."""
    said = pages_of("shared.web").language(request, getattr(request.state, "viewer", None))
    words = said(mark("«%(value)s» cannot be taken here and was left out: %(reason)s"), value=value, reason=reason)
    return turn(address, said=words, tone="warn")


def error_page(
    request: Request,
    viewer: Viewer | None,
    status: int,
    title: str,
    reason: str,
    *,
    roles: tuple[Role, ...] = (),
    ask: str | None = None,
) -> Response:
    """A refusal as a page: 404, 403 (with `roles` that may), 413, 429, 500, 503. Title and reason are translated.

    401 leads to the door by way of a renewal, which leads back; within a page (htmx) cumulo.js says so and leaves
    what was typed alone. Any other refusal of a part is a short banner. `ask` is the address of a form by which
    somebody who may not asks for it; without one there is no such button.
    """
    pages = pages_of("shared.web")
    part = request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"
    if status == 401 and part:
        return Response(status_code=401)
    if status == 401:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = "/" if request.method != "GET" else back
        # a run-out session is renewed there; without one the way goes on to the door
        return RedirectResponse(f"/door/renew?{urlencode({'next': back})}", 303)
    template = "error_part.html" if part else "error.html"
    make = pages.fragment if part else pages.render
    return make(
        request, viewer, template, status,
        status_code=status, title=title, reason=reason,
        roles=[ROLE_WORDS[role] for role in roles if role != "service"], ask=ask,
    )  # fmt: skip
