"""The way out of a mail: an SMTP server, or a folder in which each mail is one file.

A mail's Message-ID is that of its message, so that one that goes out twice (a kill between the server's
answer and our record) is recognised as the same; in the folder it is the same file.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import aiosmtplib

from shared.mail.attempt import Attempt, Rendered
from shared.runtime.settings import MailSettings

ATTEMPT_SECONDS = 45.0
"""One attempt takes no longer: less than a message is claimed for, so that no second sender has it meanwhile."""

_LOCAL = re.compile(r"(?=.{1,64}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_ABOUT_US = re.compile(r"53\d |\d{3} 5\.7\.")


class _OneLine(UniqueUnstructuredHeader, BaseHeader):  # type: ignore[misc]  # of the registry, which mixes them so
    """A header whose value stays whole: folded, a long address in it is encoded, and then none to mail programs."""

    def fold(self, *, policy: "Policy[Any]") -> str:
        """Name and value on one line."""
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _OneLine)
OURS = SMTP.clone(header_factory=_HEADERS)


class SenderUnusable(Exception):
    """The sender of our mails is no address. A fault of the settings: no message may end for it."""


class Outlet(Protocol):
    """What the sender loop gives mails to. Two exist: an SMTP session and a folder."""

    async def send(self, mail: EmailMessage) -> Attempt:
        """One attempt; never raises for what a server or an address may do."""


def compose(
    id_: UUID,
    rendered: Rendered,
    *,
    name: str,
    address: str,
    sender: str,
    at: datetime,
    language: str,
    reply_to: str | None = None,
    calendar: tuple[str, bytes] | None = None,
    leave: str | None = None,
) -> EmailMessage | None:
    """The mail of one message, None when its address cannot be written. `at` is the Date of its making.

    `calendar` is an entry for the reader's calendar and its method (iMIP, RFC 6047): as a part that programs act on,
    and as a file for all others.

    `leave` is the address by which its reader leaves the topic (RFC 2369), in one click where it is https (RFC 8058).

    Raises `SenderUnusable`, which is about us: the recipient's address is not blamed for it.
    """
    mail = EmailMessage(policy=OURS)
    sender_name, sender_address = parseaddr(sender)
    ours, to = written(sender_address), written(address)
    if ours is None:
        raise SenderUnusable(f"mail_sender: {sender!r} is no address; it is written as in Cumulo <a@firma.example>")
    if to is None:
        return None
    mail["From"] = Address(sender_name, addr_spec=ours)
    if reply_to is not None:
        answers_name, answers = parseaddr(reply_to)
        if (theirs := written(answers)) is None:
            raise SenderUnusable(f"mail_reply_to: {reply_to!r} is no address")
        mail["Reply-To"] = Address(answers_name, addr_spec=theirs)
    try:
        mail["To"] = Address(" ".join(name.split()), addr_spec=to)
        mail["Subject"] = rendered.title
    except (ValueError, IndexError, MessageError):
        return None
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{id_}@{ours.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if leave is not None:
        mail["List-Unsubscribe"] = f"<{leave}>"
        if leave.startswith("https:"):
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(rendered.text)
    mail.add_alternative(rendered.html, subtype="html")
    if calendar is not None:
        method, entry = calendar
        mail.add_alternative(entry.decode(), subtype="calendar", params={"method": method})
        mail.add_attachment(entry, maintype="application", subtype="ics", filename="evento.ics")
    mail["Content-Language"] = language  # last: setting the content drops every Content- header
    return mail


def written(address: str) -> str | None:
    """An address as every mail server takes it: a plain local part, the domain in ASCII (IDNA). None when it has none.

    A local part outside ASCII needs SMTPUTF8 at every server on the way (RFC 6531) and counts as none.
    """
    local, _, domain = address.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return f"{local}@{domain}" if _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) else None


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
        """4xx, a broken connection, and refusals of us rather than of the mail are tried again; other 5xx are final."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                client = await self._connected()
                await client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            if refused.code < 500:
                return Attempt("retry", refused.code)
            about_us = _ABOUT_US.match(f"{refused.code} {refused.message}") is not None
            return Attempt("failed", refused.code, address_refused=not about_us)
        except (aiosmtplib.SMTPConnectResponseError, aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPHeloError,
                aiosmtplib.SMTPSenderRefused) as error:  # fmt: skip
            await self.close()
            return Attempt("retry", error.code)
        except aiosmtplib.SMTPResponseException as error:
            await self.close()
            return Attempt("failed" if error.code >= 500 else "retry", error.code)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            self._drop()  # without a goodbye, which could end up inside a mail that is half sent
            return Attempt("retry")
        except BaseException:  # a fault of ours, or the end: nobody knows how far this connection has come
            self._drop()
            raise
        return Attempt("sent", 250)

    async def close(self) -> None:
        """Says goodbye, if the server still listens."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit(timeout=2)
            client.close()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is None or not self._client.is_connected:
            given = self._settings
            self._client = aiosmtplib.SMTP(
                hostname=given.host, port=given.port, timeout=given.timeout_seconds,
                use_tls=given.tls == "tls", start_tls=given.tls == "starttls", username=given.user,
                password=given.password.get_secret_value() if given.password else None,
            )  # fmt: skip
            await self._client.connect()
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
