"""What the environment may say, in one place: every setting of a service with its default and meaning.

Read from `CUMULO_*` variables; a secret may come from a file named by `CUMULO_*_FILE`. Settings are
an object of a service, never a global, so that four services share one process without mixing.
"""

import os
import socket
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ServiceName = Literal["membership", "events", "notifications", "reporting"]
SERVICES: tuple[ServiceName, ...] = ("membership", "events", "notifications", "reporting")


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

    environment: Literal["local", "test", "production"] = "production"
    replica: str = Field(default_factory=socket.gethostname, description="stable name of this replica")
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65535)
    service_token: SecretStr | None = Field(default=None, description="bearer token of the role service")
    urls: dict[str, str] = Field(default_factory=dict, description="base URL per service, for feeds")

    postgres_host: str = "127.0.0.1"
    postgres_port: int = Field(default=5432, ge=1, le=65535)
    postgres_database: str = "cumulo"
    postgres_user: str | None = Field(default=None, description="default: cumulo_<service>")
    postgres_password: SecretStr | None = None
    postgres_pool: int = Field(default=10, ge=2, le=100)

    kafka: str = Field(default="127.0.0.1:9092", description="bootstrap servers, comma separated")
    kafka_idempotent: bool = Field(default=True, description="off for the embedded broker, which lacks InitProducerId")
    kafka_embedded: bool = Field(default=False, description="the embedded broker: in memory, refilled at start")
    kafka_session_seconds: float | None = Field(
        default=None, gt=0, description="how long a group waits for a silent member: 10, on the embedded broker 3"
    )
    topic_prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]*$", max_length=60)

    relay_enabled: bool = True
    relay_deadline_seconds: float = Field(default=5.0, gt=0)
    relay_batch: int = Field(default=5000, ge=1, le=20000)
    consumer_batch: int = Field(default=2000, ge=1, le=20000)
    parked_keys_per_minute: int = Field(default=50, ge=1, description="more than this halts the consumer")
    inbox_days: int = Field(default=90, ge=1)

    import_max_megabytes: int = Field(default=50, ge=1)
    import_max_rows: int = Field(default=200_000, ge=1)
    otlp_endpoint: str | None = Field(default=None, description="OTLP over HTTP, e.g. http://collector:4318")

    network_zone: str = Field(default="America/Mexico_City", description="IANA zone in which figures begin a new day")

    mail_folder: Path | None = None
    mail_host: str = "127.0.0.1"
    mail_port: int = Field(default=25, ge=1, le=65535)
    mail_user: str | None = None
    mail_password: SecretStr | None = None
    mail_tls: Literal["none", "starttls", "tls"] = "none"
    mail_sender: str = "Cumulo <no-reply@cumulo.example>"
    mail_reply_to: str | None = Field(default=None, description="where answers go; without it no mail asks for one")

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: Any) -> Any:
        for name in ("postgres_password", "service_token", "mail_password"):
            path = os.environ.get(f"CUMULO_{name.upper()}_FILE")
            if path and isinstance(values, dict) and not values.get(name):
                values[name] = Path(path).read_text().strip()
        return values

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
