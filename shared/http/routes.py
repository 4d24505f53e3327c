"""The class of our routes: the transaction of a command with an Idempotency-Key ends after its answer is made.

So the answer lies in the same transaction as the effect. Without a key `unit_of` commits at the end of its block.
A route of the API knows its parameters: one that it does not know is refused, or a list would seem filtered.
"""

from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.http import idempotency
from shared.http.idempotency import Answered

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def _parameters(dependant: Dependant) -> set[str]:
    """The parameters that a route and all that it depends on take from the address."""
    found = {field.alias for field in dependant.query_params}
    return found.union(*(_parameters(one) for one in dependant.dependencies))


class Route(APIRoute):
    """A route of a service. Use it as `APIRouter(route_class=Route)`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, within a block that `unit_of` may leave its transaction to."""
        handler = super().get_route_handler()
        path = self.path_format

        known = _parameters(self.dependant)
        strict = self.include_in_schema  # an address of a page may carry what others put there (utm_source)

        async def handle(request: Request) -> Response:
            if strict:
                # told once it is known that the caller may ask at all (shared.http.policy)
                request.state.unknown = sorted(request.query_params.keys() - known), sorted(known)
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
