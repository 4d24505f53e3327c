"""What the environment may say, in one place: every setting of a service with its default and meaning.

Read from `CUMULO_*` variables; a secret may come from a file named by `CUMULO_*_FILE`. Settings are
an object of a service, never a global, so that four services share one process without mixing.
"""

import os
import socket
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ServiceName = Literal["membership", "events", "notifications", "reporting"]
SERVICES: tuple[ServiceName, ...] = ("membership", "events", "notifications", "reporting")


def _separated(value: object) -> object:
    """A list as people write it into a variable: parts between commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_separated)]
Ports = Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, BeforeValidator(_separated)]


class PostgresSettings(BaseModel):
    """Where PostgreSQL is and as whom to sign in."""

    host: str = "127.0.0.1"
    port: int = Field(default=5432, ge=1, le=65535)
    database: str = "cumulo"
    user: str
    password: SecretStr | None = None


class MailSettings(BaseModel):
    """Where mails go: an SMTP server, or a folder in which each mail becomes one .eml file."""

    folder: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=25, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "tls"] = "none"
    sender: str = "Cumulo <no-reply@cumulo.example>"
    timeout_seconds: float = Field(default=20.0, gt=0)


class Settings(BaseSettings):
    """All of one service's settings. Environment variables are `CUMULO_` and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="CUMULO_", extra="ignore", env_file=None)

    environment: Literal["local", "test", "production"] = Field(
        default="production", description="what kind of installation this is; production refuses demo people"
    )
    replica: str = Field(
        default_factory=socket.gethostname,
        description="stable name of this replica, another one for each; default: the host's name",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="json, console, or auto: console in a terminal"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning, error; commands and `up` tell warnings unless it is set"
    )

    http_host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 in a container")
    http_port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 chooses a free one")
    request_max_kilobytes: int = Field(
        default=1024, ge=1, description="largest body of a request, but for files, which have their own limit"
    )
    request_seconds: float = Field(
        default=20.0, gt=0, description="a request whose answer has not begun by then is broken off"
    )
    trusted_proxies: str = Field(
        default="", max_length=500,
        description="gateways whose X-Forwarded-For is believed: addresses or networks, with commas between",
    )  # fmt: skip
    public_url: str | None = Field(
        default=None, pattern=r"^https?://[^/\s]+$",
        description="address under which people reach it, e.g. https://red.example; in production no link is mailed"
        " without it; default: that of the request",
    )  # fmt: skip
    demo: bool = Field(
        default=False, description="shows named demo people with one-click sign-in; refused in production"
    )
    provider_issuer: str | None = Field(
        default=None, description="issuer of an OpenID Connect provider with which people may sign in too"
    )
    provider_name: str = Field(default="OpenID", description="what its button says")
    provider_client_id: str | None = Field(default=None, description="our client id there")
    provider_client_secret: SecretStr | None = Field(default=None, description="our secret there")
    service_token: SecretStr | None = Field(
        default=None, description="bearer token of the role service; without it only health, ready, metrics answer"
    )
    urls: dict[str, str] = Field(
        default_factory=dict,
        description="base address of each service, for feeds, as JSON; default: the own address",
    )

    postgres_host: str = Field(default="127.0.0.1", description="host of PostgreSQL 18")
    postgres_port: int = Field(default=5432, ge=1, le=65535, description="its port")
    postgres_database: str = Field(default="cumulo", description="the one database of all services")
    postgres_user: str | None = Field(default=None, description="role to sign in as; default: `cumulo_<service>`")
    postgres_password: SecretStr | None = Field(default=None, description="its password")
    postgres_pool: int = Field(
        default=10, ge=2, le=100, description="connections of a replica, besides its relay's two"
    )

    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, comma separated")
    kafka_idempotent: bool = Field(default=True, description="off for the embedded broker, which lacks InitProducerId")
    kafka_embedded: bool = Field(default=False, description="the embedded broker: in memory, refilled at start")
    kafka_session_seconds: float | None = Field(
        default=None, gt=0, description="how long a group waits for a silent member; default: 10, embedded 3"
    )
    topic_prefix: str = Field(
        default="", pattern=r"^[a-zA-Z0-9._-]*$", max_length=60,
        description="stands before the name of every topic and group, so that installations share a Kafka",
    )  # fmt: skip

    relay_enabled: bool = Field(default=True, description="off where this replica is not to publish")
    relay_deadline_seconds: float = Field(
        default=5.0, gt=0, description="a batch that is not acknowledged in this time is sent again"
    )
    relay_batch: int = Field(default=5000, ge=1, le=20000, description="records published in one transaction, at most")
    consumer_batch: int = Field(default=2000, ge=1, le=20000, description="events applied in one transaction, at most")
    parked_keys_per_minute: int = Field(default=50, ge=1, description="more than this halts the consumer")
    inbox_days: int = Field(
        default=90, ge=1, description="how long ids of events are remembered; an event older than this counts as known"
    )

    import_max_megabytes: int = Field(default=50, ge=1, description="largest file that is imported")
    import_max_rows: int = Field(default=200_000, ge=1, description="most rows that are imported from a file")
    otlp_endpoint: str | None = Field(
        default=None, description="where traces go, OTLP over HTTP, e.g. http://collector:4318; without it nowhere"
    )

    network_zone: str = Field(default="America/Mexico_City", description="IANA zone in which figures begin a new day")

    mail_folder: Path | None = Field(
        default=None, description="folder in which each mail becomes a file, in place of an SMTP server"
    )
    mail_host: str = Field(default="127.0.0.1", description="SMTP server")
    mail_port: int = Field(default=25, ge=1, le=65535, description="its port")
    mail_user: str | None = Field(default=None, description="user there; without it nobody signs in")
    mail_password: SecretStr | None = Field(default=None, description="the user's password")
    mail_tls: Literal["none", "starttls", "tls"] = Field(default="none", description="none, starttls or tls")
    mail_sender: str = Field(default="Cumulo <no-reply@cumulo.example>", description="the sender of every mail")
    mail_reply_to: str | None = Field(default=None, description="where answers go; without it no mail asks for one")

    files: str | None = Field(
        default=None, description="where files are kept: a folder, or s3://bucket/prefix; without it none are taken"
    )
    files_max_megabytes: int = Field(default=20, ge=1, le=500, description="largest file that is taken")
    files_endpoint: str | None = Field(
        default=None, description="address of an S3-compatible store, e.g. https://s3.example.org; without it Amazon's"
    )
    files_region: str = Field(default="us-east-1", description="region of the bucket")
    files_key_id: str | None = Field(default=None, description="id of the access key; without it that of the machine")
    files_secret: SecretStr | None = Field(default=None, description="the access key's secret")

    outgoing_allow: Networks = Field(
        default=(), description="inner networks that calls may go to, e.g. 10.1.0.0/16, comma separated; default: none"
    )
    outgoing_http: bool = Field(default=False, description="whether calls may go out without TLS")
    outgoing_ports: Ports = Field(
        default=(80, 443, 8080, 8443), description="ports that calls may go to; default: `80, 443, 8080, 8443`"
    )
    outgoing_seconds: float = Field(default=15.0, gt=0, description="what a call may take, with its redirects")
    outgoing_max_kilobytes: int = Field(default=1024, ge=1, description="an answer is cut behind this")

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: Any) -> Any:
        for name in ("postgres_password", "service_token", "mail_password", "provider_client_secret", "files_secret"):
            path = os.environ.get(f"CUMULO_{name.upper()}_FILE")
            if path and isinstance(values, dict) and not values.get(name):
                values[name] = Path(path).read_text().strip()
        return values

    @model_validator(mode="after")
    def _no_demo_in_production(self) -> "Settings":
        if self.demo and self.environment == "production":
            raise ValueError("CUMULO_DEMO: demo people sign in with one click, which production refuses")
        return self

    @field_validator("network_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no zone {name!r}; zones are named as in America/Mexico_City") from error
        return name

    def postgres(self, service: str) -> PostgresSettings:
        """As the service signs in: its own role unless `CUMULO_POSTGRES_USER` names another."""
        return PostgresSettings(
            host=self.postgres_host,
            port=self.postgres_port,
            database=self.postgres_database,
            user=self.postgres_user or f"cumulo_{service}",
            password=self.postgres_password,
        )

    def mail(self) -> MailSettings:
        """Where the sender loop delivers."""
        return MailSettings(
            folder=self.mail_folder,
            host=self.mail_host,
            port=self.mail_port,
            user=self.mail_user,
            password=self.mail_password,
            tls=self.mail_tls,
            sender=self.mail_sender,
        )
