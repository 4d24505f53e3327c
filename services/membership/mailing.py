"""Letters: the mails that membership sends itself, such as a one-time link.

Membership sends them itself: a link is a key to the door and stands in no topic. One that cannot be sent
is tried three times; after that its person asks again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from shared.mail.attempt import Rendered
from shared.mail.transport import SenderUnusable, compose, outlet
from shared.postgres.pool import Unit
from shared.runtime.service import Service

TRIES = 3
ROLES = {
    "es": {
        "coordinator": "coordinadora o coordinador de la red", "assistant": "asistente de la coordinación",
        "board_member": "consejera o consejero", "treasurer": "tesorera o tesorero",
        "cluster_director": "dirección de un clúster", "cluster_president": "presidencia de un clúster",
        "cluster_staff": "equipo de un clúster", "representative": "representante de una empresa",
        "buyer": "comprador", "partner": "aliado", "operator": "operación", "developer": "desarrollo",
        "service": "servicio",
    },
    "en": {
        "coordinator": "coordinator of the network", "assistant": "assistant of the coordinator",
        "board_member": "board member", "treasurer": "treasurer", "cluster_director": "director of a cluster",
        "cluster_president": "president of a cluster", "cluster_staff": "staff of a cluster",
        "representative": "representative of a company", "buyer": "buyer", "partner": "partner",
        "operator": "operator", "developer": "developer", "service": "service",
    },
}  # fmt: skip
"""Roles in words, as a mail says them."""
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one person: which template, with what words, in the person's language."""

    id: UUID
    template: str
    name: str
    address: str
    language: str
    words: Mapping[str, object]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("services.membership", "templates/mails"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, language: str, **words: object) -> Rendered:
    """One of the mails. The text's first line is the title."""
    title, _, text = _environment().get_template(f"{name}.{language}.txt").render(words).partition("\n")
    html = _environment().get_template(f"{name}.{language}.html").render(words, title=title.strip(), language=language)
    return Rendered(title.strip(), text.strip() + "\n", _INLINER.inline(html))


async def send_later(service: Service, make: Callable[[Unit], Awaitable[Letter | None]]) -> None:
    """Makes a letter in a transaction of its own and sends it. For after the answer, so that its time tells nothing."""
    async with service.unit(actor="sign-in", cause="sign-in") as unit:
        letter = await make(unit)
    if letter is None:
        service.log.info("letter.nobody")
        return
    await send(service, letter)


async def send(service: Service, letter: Letter) -> bool:
    """Sends one letter. False when it could not be sent; the address is never logged."""
    settings = service.settings
    words = {"person": letter.name, **letter.words}
    try:
        mail = compose(
            letter.id, render(letter.template, letter.language, **words), name=letter.name, address=letter.address,
            sender=settings.mail_sender, reply_to=settings.mail_reply_to, at=service.clock(),
            language=letter.language,
        )  # fmt: skip
    except SenderUnusable as error:
        service.log.error("mail.no_sender", letter=str(letter.id), reason=str(error))
        return False
    if mail is None:
        service.log.warning("letter.address_unusable", letter=str(letter.id))
        return False
    for number in range(TRIES):
        async with outlet(settings.mail()) as out:
            attempt = await out.send(mail)
        if attempt.outcome != "retry":
            break
        await asyncio.sleep(2.0**number)
    service.metrics.mails.labels(attempt.outcome).inc()
    if attempt.outcome != "sent":
        service.log.warning("letter.not_sent", letter=str(letter.id), template=letter.template, code=attempt.code)
    return attempt.outcome == "sent"
