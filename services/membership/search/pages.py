"""What the top bar asks for: what is found while typing, and the clusters that the switch offers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.membership.access import store as accounts
from services.membership.access import views as access
from services.membership.organizations import views as organizations
from services.membership.organizations.views import Wanted
from services.membership.search import views
from shared.http.inputs import OptionalLine
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in, sort_key
from shared.web.language import mark
from shared.web.shell import pages_of, scope_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("organizations.read")]
Memberships = Annotated[Allowed, Sees("memberships.read")]
People = Annotated[Allowed, Sees("access.read")]
Representatives = Annotated[Allowed, Sees("people.read")]
AT_MOST = 8


@router.get("/search/suggestions", response_class=HTMLResponse)
async def suggestions(
    request: Request, service: Serving, reader: Reader, memberships: Memberships, people: People,
    speaking: Representatives, q: Annotated[OptionalLine, Query()] = None,
) -> Response:  # fmt: skip
    """Organisations, clusters, representatives, and who has access for who may see that; at most eight of each.

    What other services find follows as their own parts.
    """
    found: list[tuple[str, str, str]] = []
    near: list[tuple[str, str, str]] = []
    known: list[tuple[str, str, str]] = []
    speakers: list[tuple[str, str, str]] = []
    if q is not None:
        today = day_in(service.settings.network_zone, service.clock())
        wanted = sort_key(q)
        async with service.database.connection() as connection:
            found = [
                (f"/organizations/{row['slug']}", row["trade_name"], row["legal_name"])
                async for row in organizations.register(
                    connection, Wanted(q), today, reader=reader, memberships=memberships, limit=AT_MOST
                )
            ]
            near = [
                (f"/register?cluster={row['slug']}", row["name"], "")
                for row in await organizations.clusters(connection) if wanted and wanted in sort_key(row["name"])
            ][:AT_MOST]  # fmt: skip
            if speaking.everything or speaking.clusters or speaking.organizations:
                speakers = [
                    (f"/organizations/{row['slug']}/people", row["name"], row["trade_name"])
                    for row in await views.representatives(connection, q, speaking, AT_MOST)
                ]
            if people.everything or people.clusters or people.organizations:
                asked = access.Asked([], [], q)
                ids = await access.people(connection, asked, people.span(), today, None, AT_MOST)
                loaded = await accounts.load(connection, ids)
                known = [(f"/access/{one.id}", one.name, one.mail or "") for one in loaded]
    speak = pages.language(request, reader.viewer)
    groups = [
        (speak(mark("Organisations")), found), (speak(mark("Clusters")), near),
        (speak(mark("Representatives")), speakers), (speak(mark("People")), known),
    ]  # fmt: skip
    return pages.fragment(request, reader.viewer, "suggestions.html", groups=groups, query=q or "")


@router.get("/membership/fragments/scopes", response_class=HTMLResponse)
async def scopes(request: Request, service: Serving, reader: Reader, memberships: Memberships) -> Response:
    """The menu of the clusters that the viewer reaches; empty for who reaches none or one."""
    async with service.database.connection() as connection:
        found = [(str(row["id"]), row["name"]) for row in await views.scopes(connection, memberships)]
    return pages.fragment(request, reader.viewer, "scopes.html", scopes=found, current=scope_of(request))
