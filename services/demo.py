"""The demo of `cumulo up --demo`: its people at once, so that the door opens, then the whole network behind them.

Each part is made through the public commands of its service and marked as made in the data folder, so that a start
after a crash goes on where it was, and what people changed since is never made again.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.runtime.service import Service
    from shared.runtime.tasks import Task

Services = Mapping[str, "Service"]
Mark = Callable[[dict[str, Any]], None]
"""Keeps what is made: `day`, on which the demo began, and `parts`."""
Progress = Callable[[int, int], None]
Advance = Callable[[int], Awaitable[None]]


async def people(services: Services) -> int:
    """The clusters, a few companies and the people who can sign in. Returns how many things were new."""
    from services.membership.demo import make

    return await make(services["membership"])


async def network(services: Services, made: dict[str, Any], mark: Mark, progress: Progress) -> None:
    """Everything else, as a task that every page can tell the progress of. `made` is what was marked before."""
    from services.events.demo import make as make_events
    from services.membership.demo import keep_segments
    from services.membership.demo_register import KIND, MEMBERSHIPS, ORGANIZATIONS, TITLE, take_over
    from services.notifications.demo import make as make_announcements
    from shared.postgres.values import day_in
    from shared.runtime import tasks

    membership = services["membership"]
    if "day" not in made:
        made["day"] = day_in(membership.settings.network_zone, membership.clock()).isoformat()
        mark(made)
    day = date.fromisoformat(made["day"])

    async def announce(_: Advance) -> None:
        await make_announcements(services["notifications"], day, await keep_segments(membership, day))

    parts: dict[str, Callable[[Advance], Awaitable[None]]] = {
        "register": lambda advance: take_over(membership, day, advance),
        "events": lambda advance: make_events(services["events"], day, MEMBERSHIPS),
        "announcements": announce,
    }
    left = [name for name in parts if name not in made.get("parts", ())]
    if not left:
        return
    async with tasks.begin(
        membership.database, kind=KIND, title=TITLE, actor="demo", total=ORGANIZATIONS, clock=membership.clock
    ) as task:
        for name in left:
            await parts[name](_advancing(task, progress))
            made["parts"] = [*made.get("parts", ()), name]
            mark(made)


def _advancing(task: "Task", progress: Progress) -> Advance:
    async def advance(more: int) -> None:
        await task.advance(more)
        progress(task.done, task.total or 0)

    return advance
