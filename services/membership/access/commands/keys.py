"""The keys that sign tokens: made ahead, published before their first use, replaced with an overlap.

A key signs for ninety days and verifies as long as the longest token it signed may last. Its private half
is dropped when it signs no more.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid_utils
from joserfc.jwk import OKPKey

from services.membership.access import domain, store
from services.membership.access.domain import SigningKey
from shared.contracts.membership import KeyState
from shared.http.identity import ERASE_KEYS, ISSUER, save_keys, signed
from shared.messaging.outbox import Erased, record
from shared.postgres.copies import erase
from shared.postgres.pool import Unit


async def token_for(unit: Unit, subject: UUID, session: UUID | None, until: datetime) -> str:
    """A signed token of an account, made now. Makes the first key when there is none."""
    key = await _signing(unit)
    assert key.d is not None  # chosen among those that sign
    claims: dict[str, Any] = {
        "iss": ISSUER, "sub": str(subject), "iat": unit.now.timestamp(), "exp": until.timestamp(),
    }  # fmt: skip
    if session is not None:
        claims["sid"] = str(session)
    private = {"kty": "OKP", "crv": "Ed25519", "x": key.x, "d": key.d}
    return signed(claims, key_id=key.id, private=private)


async def _signing(unit: Unit) -> SigningKey:
    signing = [k for k in await store.keys(unit.connection, unit.now) if _signs(k, unit.now)]
    if signing:
        return signing[-1]
    await store.keys_in_turn(unit.connection)  # two first sign-ins at once make one key
    signing = [k for k in await store.keys(unit.connection, unit.now) if _signs(k, unit.now)]
    return signing[-1] if signing else await _make(unit, unit.now)


def _signs(key: SigningKey, now: datetime) -> bool:
    return key.d is not None and key.since <= now < key.since + domain.KEY_SIGNS + domain.KEY_AHEAD


async def rotate(unit: Unit) -> str | None:
    """Makes the next key a day before the present one is to be replaced, and drops what verifies nothing any more.

    Returns what it did, None when nothing was due. To be called at least once a day.
    """
    await store.keys_in_turn(unit.connection)
    await store.retire_keys(unit.connection, unit.now - domain.KEY_SIGNS - domain.KEY_AHEAD)
    dropped = await store.drop_keys(unit.connection, unit.now)
    if dropped:
        await erase(unit.connection, ERASE_KEYS, [id_ for id_, _ in dropped])
        await record(unit, [Erased(str(id_), version + 1, KeyState) for id_, version in dropped])
    newest = max((k.since for k in await store.keys(unit.connection, unit.now) if k.d is not None), default=None)
    if newest is None:
        await _make(unit, unit.now)
        return "made the first key"
    if newest + domain.KEY_SIGNS - domain.KEY_AHEAD <= unit.now:
        key = await _make(unit, max(newest + domain.KEY_SIGNS, unit.now + domain.KEY_AHEAD))
        return f"made the key that signs from {key.since:%Y-%m-%d} on"
    return f"dropped {len(dropped)} keys" if dropped else None


async def _make(unit: Unit, since: datetime) -> SigningKey:
    pair = OKPKey.generate_key("Ed25519").as_dict(private=True)
    verifies = domain.KEY_SIGNS + domain.KEY_AHEAD + timedelta(days=domain.LONGEST_TOKEN_DAYS)
    key = SigningKey(uuid_utils.uuid7(), str(pair["x"]), str(pair["d"]), unit.now, since, since + verifies, 1)
    await store.insert_key(unit.connection, key)
    await save_keys(unit.connection, [key.published()])
    await record(unit, [store.key_record(key)])
    return key
