"""Long work over HTTP: how far it is, once or as it moves; asking it to stop; what ended since one last looked.

A task is seen by whoever began it and by the network's own roles; to everybody else it is not there.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from shared.http.examples import answers
from shared.http.identity import Viewer
from shared.http.policy import Allowed, May, NotYours, Sees, Serving, allowed
from shared.http.routes import Route
from shared.http.streams import ASKS_EVERY, present_viewer
from shared.postgres.pool import TRANSIENT
from shared.runtime import tasks
from shared.runtime.service import Definition, Service
from shared.runtime.tasks import Known, NoSuchTask

LOOKS_EVERY_SECONDS = 0.5
SAYS_EVERY_SECONDS = 5.0
RETRY_MILLISECONDS = 2000

STREAM_EXAMPLE = 'retry: 2000\n\nid: task\nevent: task\ndata: {"state": "running", "done": 1200, "total": 2310}\n\n'
NOTHING_MORE: dict[int | str, dict[str, Any]] = {204: {"description": "It has ended, and the listener knows"}}

Owner = Annotated[Allowed, May("tasks.own")]
Overseer = Annotated[Allowed, Sees("tasks.all")]


class Title(BaseModel):
    """What the task is called, in both languages."""

    es: str
    en: str


class TaskView(BaseModel):
    """A task as it is now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e01", "kind": "import",
                    "title": {"es": "Importación del padrón", "en": "Import of the register"},
                    "actor": "0199d3b0-5f6e-7a10-9c1b-2f9a6c1f7e02", "state": "running", "done": 1200, "total": 2310,
                    "seconds_left": 14, "started": "2026-03-31T18:00:00Z", "updated": "2026-03-31T18:00:15Z",
                    "ended": None, "stop_asked": False, "seen": False, "result": None, "reason": None,
                }
            ]
        }
    )  # fmt: skip

    id: UUID
    kind: str
    title: Title
    actor: str
    state: Literal["running", "done", "failed", "stopped", "lost"] = Field(
        description="lost: it has given no sign of life for half a minute"
    )
    done: int
    total: int | None = Field(description="null when nobody knows")
    seconds_left: int | None = Field(description="at the rate so far; null when nothing can be said")
    started: datetime
    updated: datetime
    ended: datetime | None
    stop_asked: bool
    seen: bool = Field(description="whether its end was seen")
    result: dict[str, Any] | None
    reason: str | None = Field(description="why it did not get to its end")


class TaskPage(BaseModel):
    """Tasks, newest first; `next` is the `before` of the following page."""

    tasks: list[TaskView]
    next: UUID | None


def tasks_router(definition: Definition) -> APIRouter:
    """Routes under `/<service>/tasks`."""
    router = APIRouter(prefix=f"/{definition.name}/tasks", tags=["tasks"], route_class=Route)

    @router.get("", summary="The caller's own tasks, newest first", operation_id="list_tasks")
    async def own(
        service: Serving, caller: Owner, overseer: Overseer,
        before: Annotated[UUID | None, Query(description="only those begun before this one")] = None,
        unseen: Annotated[bool, Query(description="only those whose end nobody has seen")] = False,
        everybody: Annotated[bool, Query(description="not only one's own; for the roles of the network")] = False,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> TaskPage:  # fmt: skip
        if everybody and not overseer.everything:
            raise NotYours("other people's tasks are for the roles of the network", field="everybody")
        actor = None if everybody else caller.actor
        async with service.database.connection() as connection:
            found = await tasks.tasks_of(
                connection, actor, now=service.clock(), before=before, unseen=unseen, limit=limit
            )
        return TaskPage(tasks=[_view(one) for one in found], next=found[-1].id if len(found) == limit else None)

    @router.get("/{task_id}", summary="One task as it is now", operation_id="read_task")
    async def one(service: Serving, caller: Owner, overseer: Overseer, task_id: UUID) -> TaskView:
        return _view(await seen_by(service, task_id, caller.actor, overseer))

    @router.get("/{task_id}/stream", summary="One task as it moves", response_class=StreamingResponse,
                operation_id="follow_task",
                responses=answers(STREAM_EXAMPLE, "text/event-stream") | NOTHING_MORE)  # fmt: skip
    async def stream(
        request: Request, service: Serving, caller: Owner, overseer: Overseer, task_id: UUID,
        last: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    ) -> Response:  # fmt: skip
        """Server-Sent Events: `task` with the task as in its JSON whenever it moves, and `end` with it once ended.

        A browser that reconnects after the end is told by 204 that nothing more comes.
        """
        first = await seen_by(service, task_id, caller.actor, overseer)
        if last == "end" and first.ended is not None:
            return Response(status_code=204)
        return StreamingResponse(
            _moving(request, service, first),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @router.post("/{task_id}/stop", status_code=202, summary="Ask a task to stop where it next can")
    async def stop(service: Serving, caller: Owner, overseer: Overseer, task_id: UUID) -> TaskView:
        await seen_by(service, task_id, caller.actor, overseer)
        async with service.database.connection() as connection:
            return _view(await tasks.ask_to_stop(connection, task_id, caller.actor, now=service.clock()))

    @router.post("/{task_id}/seen", status_code=204, summary="The caller has seen how their task ended",
                 operation_id="see_end_of_task")  # fmt: skip
    async def seen(service: Serving, caller: Owner, task_id: UUID) -> None:
        async with service.database.connection() as connection:
            task = await tasks.task_by_id(connection, task_id, now=service.clock())
            if task.actor != caller.actor:
                raise _not_there(task_id)
            await tasks.see(connection, task_id)

    return router


async def seen_by(service: Service, task_id: UUID, actor: str, overseer: Allowed) -> Known:
    """A task that this caller may see. Raises `NoSuchTask` for any other."""
    async with service.database.connection() as connection:
        task = await tasks.task_by_id(connection, task_id, now=service.clock())
    if task.actor != actor and not overseer.everything:
        raise _not_there(task_id)
    return task


def _not_there(task_id: UUID) -> NoSuchTask:
    return NoSuchTask("there is no task {id}", id=task_id, field="task_id")


async def _moving(request: Request, service: Service, task: Known) -> AsyncIterator[bytes]:
    """What a listener gets until the task ends, the service stops or the caller may see it no more."""
    told: tuple[object, ...] | None = None
    spoke, asked = time.monotonic(), service.clock()
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    while not service.stopping.is_set():
        if task.ended is not None:
            yield _message("end", task)
            return
        moved = (task.state, task.done, task.total, task.stop_asked)
        if moved != told or time.monotonic() - spoke >= SAYS_EVERY_SECONDS:
            told, spoke = moved, time.monotonic()
            yield _message("task", task)
        await service.pause(LOOKS_EVERY_SECONDS)
        try:
            if service.clock() - asked >= ASKS_EVERY:
                asked = service.clock()
                if not await _still_sees(request, service, task):
                    return
            async with service.database.connection() as connection:
                task = await tasks.task_by_id(connection, task.id, now=service.clock())
        except NoSuchTask:
            return
        except TRANSIENT as error:
            service.log.warning("task.stream_retried", error=type(error).__name__)


async def _still_sees(request: Request, service: Service, task: Known) -> bool:
    """Whether the sign-in that opened the stream still holds, and still shows this task."""
    viewer = await present_viewer(request, service)
    return viewer is not None and (viewer.actor == task.actor or _oversees(service, viewer))


def _oversees(service: Service, viewer: Viewer) -> bool:
    try:
        return allowed(service.definition.policy, "tasks.all", viewer).everything
    except NotYours:
        return False


def _message(event: str, task: Known) -> bytes:
    name = event.encode()
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (name, name, _view(task).model_dump_json().encode())


def _view(task: Known) -> TaskView:
    title = Title(es=task.title.es, en=task.title.en)
    return TaskView(**{**asdict(task), "title": title})
