"""People and programs for tests of any service: a role in its copy of roles, and the token that goes with it.

Written straight into the service's copy, as the state topics would have filled it, with a key of the tests.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

import uuid_utils.compat as uuid_utils
from joserfc.jwk import OKPKey

from shared.contracts.membership import AccessGrant, AccessState, KeyState, Role, RoleScope
from shared.http.identity import COOKIE, ISSUER, save_access, save_keys, signed
from shared.postgres.pool import Database

KEY_ID = UUID("01990000-0000-7000-8000-00000000ce01")
PAIR = OKPKey.generate_key("Ed25519").as_dict(private=True)
PRIVATE = {name: str(PAIR[name]) for name in ("kty", "crv", "x", "d")}
LONG_AGO, LONG_AHEAD = datetime(2020, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person or program with its token."""

    id: UUID
    kind: Literal["person", "program"]
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What a browser of theirs, or the program, sends along."""
        if self.kind == "program":
            return {"Authorization": f"Bearer {self.token}"}
        return {"Cookie": f"{COOKIE}={self.token}", "Sec-Fetch-Site": "same-origin"}


def token_of(subject: UUID, *, now: datetime, minutes: float = 15, **claims: Any) -> str:
    """A token signed by the tests' key; `claims` go before the usual ones."""
    usual = {"iss": ISSUER, "sub": str(subject), "sid": str(uuid_utils.uuid7()), "iat": now.timestamp(),
             "exp": (now + timedelta(minutes=minutes)).timestamp()}  # fmt: skip
    return signed({**usual, **claims}, key_id=KEY_ID, private=PRIVATE)


async def somebody(
    database: Database,
    role: Role | None,
    scope: RoleScope = "network",
    scope_id: UUID | None = None,
    *,
    kind: Literal["person", "program"] = "person",
    now: datetime | None = None,
    since: date = date(2020, 1, 1),
    until: date | None = None,
    name: str = "Rebeca Treviño Salas",
    services: list[Any] | None = None,
    mail: str | None = None,
) -> Somebody:
    """Somebody new with this role (None: none at all) in this service's copy."""
    now = now or datetime.now(UTC)
    id_ = uuid_utils.uuid7()
    grants = [] if role is None else [AccessGrant(role=role, scope=scope, scope_id=scope_id, since=since, until=until)]
    async with database.connection() as connection:
        await save_keys(connection, [KeyState(key_id=KEY_ID, x=PRIVATE["x"], since=LONG_AGO, until=LONG_AHEAD)])
        await save_access(
            connection,
            [
                AccessState(
                    subject_id=id_, kind=kind, name=name, language="es", grants=grants, services=services, ended=[],
                    not_before=now - timedelta(days=1), until=LONG_AHEAD if kind == "program" else None,
                    mail_hash=sha256(mail.encode()).hexdigest() if mail else None,
                )
            ],
        )  # fmt: skip
    return Somebody(id_, kind, token_of(id_, now=now))
