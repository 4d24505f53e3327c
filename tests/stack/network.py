"""The four services as processes of their own on a real Kafka, with a database, topics and a mail server."""

import email
import email.policy
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import orjson
from aiosmtpd.controller import Controller

from deploy.local.child import free_port
from shared.messaging.topics import make_topics
from shared.runtime.settings import SERVICES, Settings
from tests.conftest import TOKEN
from tests.service.bus.records import until
from tests.stack import database
from tests.stack.database import Cluster
from tests.stack.program import Program, finished


class Sink:
    """Keeps what an SMTP client delivers."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.rcpt_tos[0], message))
        return "250 taken"


@dataclass
class Network:
    """The four services and what surrounds them. A service keeps its address when it is started again."""

    cluster: Cluster
    settings: Settings
    folder: Path
    sink: Sink
    mail_port: int
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in SERVICES})
    programs: dict[str, Program] = field(default_factory=dict)

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service answers."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    def environment(self, service: str) -> dict[str, str]:
        """The settings of a service's process."""
        return {
            "CUMULO_ENVIRONMENT": "test",
            "CUMULO_REPLICA": f"network-{service}",
            "CUMULO_POSTGRES_HOST": self.cluster.host,
            "CUMULO_POSTGRES_PORT": str(self.cluster.port),
            "CUMULO_POSTGRES_DATABASE": self.settings.postgres_database,
            "CUMULO_POSTGRES_PASSWORD": self.cluster.role_password(f"cumulo_{service}"),
            "CUMULO_KAFKA": self.settings.kafka,
            "CUMULO_TOPIC_PREFIX": self.settings.topic_prefix,
            "CUMULO_SERVICE_TOKEN": TOKEN,
            "CUMULO_LOG_FORMAT": "json",
            "CUMULO_MAIL_HOST": "127.0.0.1",
            "CUMULO_MAIL_PORT": str(self.mail_port),
        }

    def client(self, service: str) -> httpx.AsyncClient:
        """A client of one service, in the role *service*."""
        return httpx.AsyncClient(
            base_url=self.addresses[service], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20
        )

    def command(self, *arguments: str) -> dict[str, Any]:
        """Runs `cumulo …` to its end; what it printed, read when it is JSON."""
        urls = {"CUMULO_URLS": orjson.dumps(self.addresses).decode()}
        service = "reporting" if arguments[0] == "rebuild" else "membership"
        code, out, errors = finished(*arguments, environment=self.environment(service) | urls)
        assert code == 0, errors
        found: dict[str, Any] = orjson.loads(out) if "--json" in arguments else {"said": out}
        return found

    def start(self, service: str) -> None:
        """Starts a service, or starts it again."""
        self.programs[service] = Program(
            "serve", service, "--port", str(self.ports[service]),
            log=self.folder / f"{service}.log", environment=self.environment(service),
        )  # fmt: skip

    def kill(self, service: str) -> None:
        """kill -9."""
        self.programs[service].end(signal.SIGKILL)

    async def ready(self, service: str) -> None:
        """Waits until a service is ready."""
        async with self.client(service) as client:
            await until(lambda: _ready(client, service), 40)

    def said(self) -> str:
        """The end of what each service said."""
        return "\n".join(f"--- {name}\n{program.output[-2000:]}" for name, program in self.programs.items())


async def _ready(client: httpx.AsyncClient, service: str) -> bool:
    try:
        return (await client.get(f"/{service}/ready")).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def network_of(cluster: Cluster, settings: Settings, folder: Path) -> AsyncIterator[Network]:
    """A running network in the database and under the topic prefix of `settings`, which it makes and removes."""
    async with AsyncExitStack() as stack:
        await database.clone(cluster, settings.postgres_database)
        stack.push_async_callback(database.drop, cluster, settings.postgres_database)
        await make_topics(settings)
        sink = Sink()
        smtp = Controller(sink, hostname="127.0.0.1", port=free_port())
        smtp.start()
        stack.callback(smtp.stop)
        found = Network(cluster, settings, folder, sink, smtp.port)
        for service in SERVICES:
            found.start(service)
        stack.callback(lambda: [program.end(signal.SIGTERM) for program in found.programs.values()])
        for service in SERVICES:
            await found.ready(service)
        yield found
