"""Servers that may be hurt: a PostgreSQL and a broker of our own, and a gate in front of a broker.

Each comes back on the same port with the same data. None outlives the test run.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from deploy.local import postgres as embedded
from deploy.local.child import answers, free_port
from tests.stack.database import Cluster
from tests.stack.run import ROOT


class OwnPostgres:
    """An embedded cluster whose commits survive a kill -9 of the server (not of the machine)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._password = secrets.token_urlsafe(16)
        self._port = free_port()
        self._running: AbstractContextManager[embedded.Running] | None = None
        self._pid = 0

    @property
    def cluster(self) -> Cluster:
        """Its address and superuser."""
        return Cluster("127.0.0.1", self._port, embedded.SUPERUSER, self._password)

    def start(self) -> None:
        """Starts it, making the cluster the first time."""
        self._running = embedded.running(
            self._folder / "cluster", password=self._password, log=self._folder / "log", connections=300,
            port=self._port,
        )  # fmt: skip
        self._pid = self._running.__enter__().pid

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT is the orderly fast shutdown, SIGKILL the crash of the whole server."""
        assert self._running is not None
        os.kill(self._pid, how)
        self._running.__exit__(None, None, None)
        self._running = None


def kafka_tool() -> Path | None:
    """The program that runs a real Kafka of our own, None where it or java is missing."""
    named = os.environ.get("CUMULO_KAFKA_LOCAL")
    tool = Path(named) if named else ROOT.parent / "shared/tools/kafka-local"
    return tool if tool.is_file() and shutil.which("java") else None


class OwnBroker:
    """A real Kafka of our own."""

    def __init__(self, tool: Path, folder: Path) -> None:
        self._tool = tool
        self._folder = folder
        self._guard: subprocess.Popen[bytes] | None = None
        while answers((port := free_port()) + 1):
            pass
        self._port = port

    @property
    def bootstrap(self) -> str:
        """Its address, the same after a restart."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts it and waits until it answers; its records are kept.

        The first start draws a cluster id; one that begins with a dash is refused by the tool's own format step,
        so that it is drawn again then.
        """
        for left in (2, 1, 0) if self._guard is None else (0,):
            try:
                self._do("start", "--port", str(self._port))
                break
            except AssertionError:
                if not left:
                    raise
                self._do("wipe")
        if self._guard is None:  # it runs in a session of its own: ended when our end of the pipe closes
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", 'read _; "$0" wipe --dir "$1"', str(self._tool), str(self._folder)],
                stdin=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip

    def stop(self, how: Literal["orderly", "kill"]) -> None:
        """Ends it: orderly, or by kill -9."""
        self._do("stop", *(["--kill"] if how == "kill" else []))

    def close(self) -> None:
        """Ends it for good, with its records."""
        self._do("wipe")
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()

    def _do(self, action: str, *more: str) -> None:
        environment = {**os.environ, "KAFKA_HEAP": "256m"}
        done = subprocess.run(
            [self._tool, action, *more, "--dir", self._folder],
            env=environment, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


class Gate:
    """A TCP way to a broker that can be shut: `cut` resets and refuses, `swallow` keeps the line and passes nothing."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.rsplit(":", 1)
        self._to = (host, int(port))
        self._state: Literal["open", "cut", "swallow"] = "open"
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def open(self) -> None:
        """Lets everything through (again). What was swallowed before is lost with its connection."""
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        if self._state == "swallow":
            self._abort()
        self._state = "open"

    async def cut(self) -> None:
        """Resets every connection and refuses new ones."""
        self._state = "cut"
        if self._server is not None:
            self._server.close()
            self._server = None
        self._abort()

    async def swallow(self) -> None:
        """Keeps connections, and accepts new ones, but nothing comes through."""
        self._state = "swallow"

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._to)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer))
                group.create_task(self._pump(far_reader, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._state == "open":
                writer.write(data)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
        raise ConnectionResetError
