"""What the pages of access share: their templates, a form as it was sent, scopes in words.

A form is read whole and checked here, so that whatever is wrong in it is said at its field.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from uuid import UUID

from fastapi import Request
from starlette.datastructures import UploadFile

from shared.http.policy import Allowed
from shared.web.language import Language, mark
from shared.web.shell import pages_of

pages = pages_of("services.membership.access")


async def sent(request: Request) -> dict[str, str]:
    """The fields of a form, each once, without what surrounds it."""
    form = await request.form()
    return {name: value.strip() for name, value in form.items() if not isinstance(value, UploadFile)}


def identifier(text: str) -> UUID | None:
    """An id that a form or an address carries; None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def reaches(allowed: Allowed) -> bool:
    """Whether a role of the viewer has this action anywhere."""
    return allowed.everything or bool(allowed.clusters or allowed.organizations)


def over(said: Language, scope_id: UUID | None, names: Mapping[UUID, str]) -> str:
    """Over what a role is held, in words; `scope_id` None is the network."""
    return names.get(scope_id, "–") if scope_id else said(mark("whole network"))


def days(said: Language, since: date, until: date | None) -> str:
    """From which day to which, in words; `until` is the first day without."""
    if until is None:
        return said(mark("since %(date)s"), date=said.day(since))
    last = until - timedelta(days=1)
    return said(mark("%(first)s to %(last)s"), first=said.day(since), last=said.day(last))


def who(said: Language, actor: str, names: Mapping[str, str]) -> str:
    """Who acted, in words: somebody's name, the terminal, or the installation itself."""
    if actor in names:
        return names[actor]
    if actor == "cli":
        return said(mark("the terminal"))
    return said(mark("somebody who was erased")) if identifier(actor.removeprefix("program:")) else "Cumulo"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
            ("Macintosh", "Mac"), ("Linux", "Linux"))  # fmt: skip


def browser(said: Language, agent: str) -> str:
    """The browser and the kind of device that a User-Agent speaks of; the first words of it when it is no browser."""
    program = next((words for part_of, words in _BROWSERS if part_of in agent), None)
    system = next((words for part_of, words in _SYSTEMS if part_of in agent), None)
    return " · ".join(part for part in (program, system) if part) or agent[:60] or said(mark("unknown program"))
