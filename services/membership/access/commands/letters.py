"""Use cases that write to people: a one-time link, an invitation. They make letters; the edge sends them."""

from urllib.parse import urlencode
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.access.commands import sign_in
from services.membership.access.commands.accounts import Invited
from services.membership.access.domain import LINK_MINUTES, Account
from services.membership.mailing import ROLES, Letter
from shared.postgres.pool import Unit


async def link_letter(unit: Unit, mail: str, goes_to: str, door: str) -> Letter | None:
    """A one-time link for whoever has this address, None when nobody has it.

    Opening the link uses nothing; the button on its page does. `door` is the installation's address.
    """
    link = await sign_in.make_link(unit, mail, goes_to)
    if link is None:
        return None
    address = f"{door}/sign-in?{urlencode({'token': link.secret})}"
    return _letter("link", link.account, minutes=LINK_MINUTES, address=address)


def invitation_letter(invited: Invited, door: str) -> Letter:
    """Tells somebody that they were given a role."""
    account = invited.account
    return _letter("invited", account, invited.grant.id, role=ROLES[account.language][invited.grant.role], address=door)


def asked_letter(coordinator: Account, who: str, mail: str | None, page: str) -> Letter:
    """Tells a coordinator that somebody asks for a page that their role does not open."""
    return _letter("asked", coordinator, who=who, mail=mail or "", page=page)


def _letter(template: str, account: Account, id_: UUID | None = None, **words: object) -> Letter:
    assert account.mail is not None  # only people are written to
    return Letter(id_ or uuid_utils.uuid7(), template, account.name, account.mail, account.language, words)
