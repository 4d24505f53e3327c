"""Long tasks as pages: what one began, how far it is, how long still, what came of it. The page may be left.

`/tasks` is the same from whatever service answers; each service's tasks are a fragment that fails alone.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from shared.http.policy import Serving
from shared.http.routes import Route
from shared.http.tasks import Overseer, Owner, seen_by
from shared.runtime import tasks
from shared.runtime.service import Definition
from shared.runtime.settings import SERVICES, ServiceName
from shared.web.language import Language, mark
from shared.web.operations import SERVICE_WORDS
from shared.web.refusals import sentence
from shared.web.shell import pages_of, turn
from shared.web.tables import Column, Listing

pages = pages_of("shared.web")

ROWS = 20
COLUMNS = (
    Column("title", mark("Task")), Column("state", mark("State")), Column("done", mark("Done"), numeric=True),
    Column("started", mark("Begun"), minor=True),
)  # fmt: skip
RESULTS = (
    mark("new"), mark("changed"), mark("same"), mark("refused"), mark("warnings"), mark("absent"), mark("read"),
    mark("dry run"), mark("rows"),
)  # fmt: skip
"""Names of results, for the catalogue."""
STATES = {
    "running": (mark("under way"), "calm"),
    "done": (mark("done"), "good"),
    "failed": (mark("failed"), "bad"),
    "stopped": (mark("stopped"), "warn"),
    "lost": (mark("gives no sign of life"), "bad"),
}


def tasks_pages(definition: Definition) -> APIRouter:
    """`/tasks`, and under `/<service>/pages/tasks` those of one service."""
    router = APIRouter(include_in_schema=False, route_class=Route)
    own = f"/{definition.name}/pages/tasks"

    @router.get("/tasks", response_class=HTMLResponse)
    async def all_tasks(request: Request, caller: Owner) -> Response:
        return pages.render(request, caller.viewer, "tasks/tasks.html", services=SERVICES, words=SERVICE_WORDS)

    @router.get("/tasks/{service_name}/{task_id}", response_class=HTMLResponse)
    async def one(request: Request, caller: Owner, service_name: ServiceName, task_id: UUID) -> Response:
        return pages.render(
            request,
            caller.viewer,
            "tasks/task.html",
            service=service_name,
            id=task_id,
            name=SERVICE_WORDS[service_name],
        )

    @router.get(own, response_class=HTMLResponse)
    async def listed(
        request: Request, service: Serving, caller: Owner, overseer: Overseer,
        before: Annotated[UUID | None, Query()] = None,
    ) -> Response:  # fmt: skip
        actor = None if overseer.everything else caller.actor
        async with service.database.connection() as connection:
            found = await tasks.tasks_of(connection, actor, now=service.clock(), before=before, limit=ROWS + 1)
        return pages.fragment(
            request, caller.viewer, "tasks/listed.html", listing=Listing(COLUMNS, found[:ROWS]), service=service.name,
            more=found[ROWS - 1].id if len(found) > ROWS else None, name=SERVICE_WORDS[service.name], states=STATES,
            own=caller.actor, first=before is None,
        )  # fmt: skip

    @router.get(f"{own}/{{task_id}}", response_class=HTMLResponse)
    async def shown(request: Request, service: Serving, caller: Owner, overseer: Overseer, task_id: UUID) -> Response:
        task = await seen_by(service, task_id, caller.actor, overseer)
        said = pages.language(request, caller.viewer)
        return pages.fragment(
            request, caller.viewer, "tasks/shown.html", task=task, service=service.name, states=STATES,
            own=task.actor == caller.actor, reason=sentence(said, task.reason) if task.reason else None,
            outcome=list(_told(task.result or {}, said)),
        )  # fmt: skip

    @router.post(f"{own}/{{task_id}}/stop", response_class=HTMLResponse)
    async def stop(request: Request, service: Serving, caller: Owner, overseer: Overseer, task_id: UUID) -> Response:
        said = pages.language(request, caller.viewer)
        await seen_by(service, task_id, caller.actor, overseer)
        async with service.database.connection() as connection:
            await tasks.ask_to_stop(connection, task_id, caller.actor, now=service.clock())
        return turn(f"/tasks/{service.name}/{task_id}", said=said(mark("It stops where it next can")))

    return router


def _told(result: Mapping[str, Any], said: Language) -> Iterator[tuple[str, str]]:
    """What a task left, a line for each value; a list is told by its length."""
    for name, value in result.items():
        words = said(name.replace("_", " "))
        if isinstance(value, Mapping):
            yield from _told(value, said)
        elif isinstance(value, bool):
            yield words, said(mark("yes")) if value else said(mark("no"))
        elif isinstance(value, int | float):
            yield words, said.number(value)
        elif isinstance(value, list):
            yield words, said.number(len(value))
        elif value is not None:
            yield words, str(value)
