"""The way out of a mail: an SMTP server, or a folder in which each mail is one file.

A mail's Message-ID is that of its message, so that one that goes out twice (a kill between the server's
answer and our record) is recognised as the same; in the folder it is the same file.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Protocol
from uuid import UUID

import aiosmtplib

from services.notifications.attempt import Attempt
from services.notifications.subjects.views import Rendered
from shared.runtime.settings import MailSettings


class Outlet(Protocol):
    """What the sender loop gives mails to. Two exist: an SMTP session and a folder."""

    async def send(self, mail: EmailMessage) -> Attempt:
        """One attempt; never raises for what a server or an address may do."""


def compose(
    id_: UUID, rendered: Rendered, *, name: str, address: str, sender: str, at: datetime, language: str
) -> EmailMessage | None:
    """The mail of one message, None when its address cannot be written. `at` is the Date of its making."""
    mail = EmailMessage(policy=SMTP)
    sender_name, sender_address = parseaddr(sender)
    local, _, domain = address.rpartition("@")
    try:
        if not local or not domain or any(c.isspace() or not c.isprintable() for c in address):
            return None
        mail["To"] = Address(" ".join(name.split()), username=local, domain=domain)
        mail["From"] = Address(sender_name, addr_spec=sender_address)
        mail["Subject"] = rendered.title
    except (ValueError, IndexError, MessageError):
        return None
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{id_}@{sender_address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = language
    mail.set_content(rendered.text)
    mail.add_alternative(rendered.html, subtype="html")
    return mail


class Folder:
    """Each mail becomes `<message id>.eml`, whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: EmailMessage) -> Attempt:
        """Writes the file. A full or missing disk is tried again later."""
        try:
            await asyncio.to_thread(self._write, mail)
        except OSError:
            return Attempt("retry")
        return Attempt("sent")

    def _write(self, mail: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = str(mail["Message-ID"]).strip("<>").split("@")[0]
        partial = self._folder / f".{name}.{os.getpid()}"
        with partial.open("wb") as file:
            file.write(mail.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / f"{name}.eml")


class Session:
    """One SMTP connection for a batch of mails, opened at the first and again after it broke."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._client: aiosmtplib.SMTP | None = None

    async def send(self, mail: EmailMessage) -> Attempt:
        """4xx, a broken connection and refused credentials are tried again; 5xx about the mail is final."""
        try:
            client = await self._connected()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            self._client = None
            return Attempt("retry", getattr(error, "code", None))
        try:
            await client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code
            return Attempt("failed", code, address_refused=True) if code >= 500 else Attempt("retry", code)
        except aiosmtplib.SMTPResponseException as error:
            await self.close()
            return Attempt("failed" if error.code >= 500 else "retry", error.code)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            await self.close()
            return Attempt("retry")
        return Attempt("sent", 250)

    async def close(self) -> None:
        """Says goodbye, if the server still listens."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=2)
            client.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is None or not self._client.is_connected:
            given = self._settings
            client = aiosmtplib.SMTP(
                hostname=given.host, port=given.port, timeout=given.timeout_seconds,
                use_tls=given.tls == "tls", start_tls=given.tls == "starttls", username=given.user,
                password=given.password.get_secret_value() if given.password else None,
            )  # fmt: skip
            await client.connect()
            self._client = client
        return self._client


@contextlib.asynccontextmanager
async def outlet(settings: MailSettings) -> AsyncIterator[Outlet]:
    """The folder when one is set, else an SMTP session that ends with the block."""
    if settings.folder is not None:
        yield Folder(settings.folder)
        return
    session = Session(settings)
    try:
        yield session
    finally:
        await session.close()
