"""What happened to an account, as a tab beside its roles: who gave, ended or changed what, when and why.

Opens to who may read access over the person; a program's, to who may read tokens.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.membership.access import views as access
from services.membership.history import views
from services.membership.history.views import Line
from shared.http.policy import Allowed, May, Serving
from shared.http.routes import Route
from shared.web.language import Language, mark
from shared.web.navigation import ROLE_WORDS
from shared.web.shell import pages_of

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

LINES = 200
FIELDS = {"name": mark("Name"), "language": mark("Language"), "until": mark("Valid until")}


@router.get("/access/{account_id}/history", response_class=HTMLResponse)
async def account_history(
    request: Request, service: Serving, reader: Annotated[Allowed, May("access.read")], account_id: UUID
) -> Response:
    """The history of one person's account, the newest first."""
    speak = pages.language(request, reader.viewer)
    nothing = Allowed(reader.viewer, "nothing", everything=False)
    async with service.database.connection() as connection:
        await views.require(connection, "account", account_id, history=nothing, people=reader, programs=nothing)
        lines = await views.of_one(connection, "account", account_id, before=None, limit=LINES)
        names = await _overs(connection, lines)
        name = (await access.actors(connection, [str(account_id)]))[str(account_id)]
    return pages.render(
        request, reader.viewer, "account_history.html", person={"id": account_id, "name": name},
        history=[_entry(line, names, speak) for line in lines],
    )  # fmt: skip


async def _overs(connection: Any, lines: Iterable[Line]) -> dict[UUID, str]:
    ids = {
        UUID(side["over"])
        for line in lines for side in line.fields.get("role", ()) if side and side["over"]
    }  # fmt: skip
    return await access.named(connection, clusters_=ids, organizations_=ids)


def _entry(line: Line, names: dict[UUID, str], speak: Language) -> dict[str, Any]:
    said = []
    for field, (old, new) in line.fields.items():
        if field == "role":
            said.append(_role(old, new, names, speak))
        else:
            words = speak(FIELDS.get(field, field))
            said.append(f"{words}: {_value(field, old, speak)} → {_value(field, new, speak)}")
    who = line.who or (speak(mark("the terminal")) if line.actor == "cli" else "Cumulo")
    return {"when": line.at, "who": who, "words": "; ".join(said) or speak(mark("changed")), "reason": line.note}


def _role(old: Any, new: Any, names: dict[UUID, str], speak: Language) -> str:
    held = new or old or {}
    over = names.get(UUID(held["over"]), "–") if held.get("over") else speak(mark("whole network"))
    role = f"{speak(ROLE_WORDS[held['role']]) if held.get('role') in ROLE_WORDS else '–'} · {over}"
    if new is None:
        return speak(mark("ended the role %(role)s"), role=role)
    if held.get("until"):
        days = {"first": speak.day(date.fromisoformat(held["since"])),
                "last": speak.day(date.fromisoformat(held["until"]))}  # fmt: skip
        return speak(mark("gave the role %(role)s, from %(first)s until before %(last)s"), role=role, **days)
    return speak(mark("gave the role %(role)s, since %(date)s"), role=role,
                 date=speak.day(date.fromisoformat(held["since"])))  # fmt: skip


def _value(field: str, value: Any, speak: Language) -> str:
    if value is None:
        return "–"
    if field == "until":
        return speak.moment(datetime.fromisoformat(value))
    return str(value)
