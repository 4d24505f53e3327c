"""One HTTP server in the process's event loop: a socket taken early, an orderly stop by our own signals.

Applications are entered by us, not by the server: their lifespans run in the order we want, and an error
at their start reaches whoever started them.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from deploy.local.child import NotStarted


class PortTaken(NotStarted):
    """Another program listens there."""


def listening(host: str, port: int, *, command: str) -> socket.socket:
    """A listening socket; port 0 chooses one. Raises `PortTaken`, or `NotStarted` for a host that is not ours.

    `command` is what a person typed after `cumulo`, to be typed again with another port.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    taken = socket.socket(family, kind, protocol)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(address)
        taken.listen(1024)
    except OSError as error:
        taken.close()
        if isinstance(error, PermissionError):
            raise NotStarted(f"port {port} needs more rights; try another with --port") from None
        following = port + 1 if port < 65535 else 8000
        raise PortTaken(f"another program uses port {port}. Try: uv run cumulo {command} --port {following}") from None
    taken.setblocking(False)
    return taken


class _Server(uvicorn.Server):
    """Leaves the signals to us, and tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Set by SIGINT or SIGTERM while the block runs in the event loop.

    The process ends after it: both are ignored then, since `uv run` passes a Ctrl-C on a second time.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def serve(
    app: ASGIApp,
    taken: socket.socket,
    stopping: asyncio.Event,
    started: Callable[[], Awaitable[None]],
    closing: Callable[[], None],
    trusted: str = "",
) -> None:
    """Answers on the socket until `stopping`; calls `started` once it does. Requests under way may end (2 s).

    Only of the `trusted` addresses is it believed for whom they speak (X-Forwarded-For): anybody may write the header.
    `closing` is called before the server stops, so that streams, which never end by themselves, can.
    """
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=2, server_header=False,
        proxy_headers=bool(trusted), forwarded_allow_ips=trusted or None,
    )  # fmt: skip
    server = _Server(config)

    async def steer() -> None:
        try:
            await server.answers.wait()
            await started()
            await stopping.wait()
        finally:
            closing()
            server.should_exit = True

    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[taken]))
        group.create_task(steer())
