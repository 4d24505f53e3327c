"""The class of our routes: the transaction of a command with an Idempotency-Key ends after its answer is made.

So the answer lies in the same transaction as the effect. Without a key `unit_of` commits at the end of its block.
"""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.http import idempotency
from shared.http.idempotency import Answered

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Route(APIRoute):
    """A route of a service. Use it as `APIRouter(route_class=Route)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, within a block that `unit_of` may leave its transaction to."""
        handler = super().get_route_handler()
        path = self.path_format

        async def handle(request: Request) -> Response:
            if request.method in SAFE:
                return await handler(request)
            sent = await idempotency.sending(request, path)
            if sent is None:
                return await handler(request)
            request.state.sending = sent
            try:
                async with AsyncExitStack() as stack:
                    request.state.stack = stack
                    request.state.unit = None
                    request.state.undone = False
                    response = await handler(request)
                    if request.state.undone:
                        # a page says the refusal at its field: what the command did until then is rolled back
                        raise Answered(response)
                    if request.state.unit is not None:
                        await idempotency.keep(request.state.unit, sent, response)
            except Answered as answered:
                return answered.response
            return response

        return handle
