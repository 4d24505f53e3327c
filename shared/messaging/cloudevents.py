"""CloudEvents 1.0 over Kafka: written in binary mode, read in binary and structured mode.

Reading is lenient about headers (null, not UTF-8, twice, unknown) and strict about the event: what has
no usable id, type or time is `Malformed` with a reason, so that it can be set aside and never lost.
"""

from base64 import b64decode
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from asyncpg.pgproto import pgproto

Headers = list[tuple[str, bytes]]

CONTENT_TYPE = (("content-type", b"application/json"), ("ce_specversion", b"1.0"))
STRUCTURED = b"application/cloudevents"
MAX_KEY_BYTES = 1000
"""Longer keys are set aside: an index of PostgreSQL holds no more than 2,700 bytes in an entry."""


class Malformed(Exception):
    """A record that is no event this platform could apply; the text is the reason for a person."""


class Received(NamedTuple):
    """A record as it came: its place in the log, and the event's attributes or what is wrong with it.

    `topic` is without prefix. `data` is the JSON value's bytes, None for a tombstone. `problem` is None
    when the attributes are usable; then `id` is the event's own, else one derived from the place.
    `payload` is the data read as the consumer's contract, where that was done ahead.
    """

    topic: str
    partition: int
    offset: int
    key: str
    id: UUID
    type: str
    version: int
    time: datetime | None
    effective: date | None
    actor: str
    cause: str
    traceparent: str | None
    data: bytes | None
    problem: str | None
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None
    payload: Any = None


_ODD = "\ufffd".encode()
"""Stands in every text that is kept for a key that is no text, so that it is never taken for a good one."""


@lru_cache(maxsize=4096)
def _bytes(text: str) -> bytes:
    """Encoded once: types, sources, actors repeat in every record."""
    return text.encode()


def headers_of(
    *,
    id: str,  # noqa: A002 - the attribute's own name
    type: str,  # noqa: A002
    source: str,
    subject: str,
    time: str,
    dataschema: str,
    version: str,
    effective: str | None,
    actor: str,
    cause: str,
    traceparent: str | None,
) -> Headers:
    """The binary-mode headers of one event; a missing optional attribute has no header."""
    headers: Headers = [
        *CONTENT_TYPE,
        ("ce_id", id.encode()),
        ("ce_type", _bytes(type)),
        ("ce_source", _bytes(source)),
        ("ce_subject", subject.encode()),
        ("ce_time", time.encode()),
        ("ce_dataschema", _bytes(dataschema)),
        ("ce_version", _bytes(version)),
        ("ce_actor", _bytes(actor)),
        ("ce_cause", cause.encode()),
    ]
    if effective is not None:
        headers.append(("ce_effective", _bytes(effective)))
    if traceparent is not None:
        headers.append(("ce_traceparent", traceparent.encode()))
    return headers


def structured(attributes: dict[str, Any], data: Any) -> dict[str, Any]:
    """The JSON form of an event: attributes beside `data`; attributes without a value are left out."""
    event = {"specversion": "1.0", **{name: value for name, value in attributes.items() if value is not None}}
    if data is not None:
        event["datacontenttype"] = "application/json"
        event["data"] = data
    return event


def received(
    *,
    topic: str,
    partition: int,
    offset: int,
    timestamp: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> Received:
    """Reads one record. Never raises: what is wrong stands in `problem`. `timestamp` is Kafka's, in ms."""
    found = dict(headers)
    try:
        return _well_formed(topic, partition, offset, key, value, headers, found)
    except (KeyError, ValueError, AttributeError, TypeError):
        pass  # not the usual shape: read slowly, which finds what is right in it and names what is wrong
    text_key, wrong_key = _key(key)
    place = (topic, partition, offset)
    try:
        content_type = found.get("content-type") or b""
        if content_type.lower().startswith(STRUCTURED):
            attributes, data = _structured_attributes(value)
        else:
            attributes, data = {name[3:]: raw for name, raw in found.items() if name[:3] == "ce_"}, value
        if wrong_key:
            raise Malformed(wrong_key)
        specversion = _text(attributes, "specversion")
        if not specversion.startswith("1."):
            raise Malformed(f"CloudEvents specversion {specversion!r} is not 1.x")
        event_id = _uuid7(_text(attributes, "id"))
        type_ = _text(attributes, "type")
        time = _instant(_text(attributes, "time"))
        version = _version(_text(attributes, "version"))
        effective = _day(_text(attributes, "effective", ""))
        return Received(
            *place, text_key, event_id, type_, version, time, effective,
            _text(attributes, "actor", "unknown"), _text(attributes, "cause", ""),
            _text(attributes, "traceparent", "") or None, data, None, headers, value,
        )  # fmt: skip
    except Exception as error:
        # whatever one record does to its reader, the records beside it are read
        problem: str | None = (
            str(error) if isinstance(error, Malformed) else f"it cannot be read: {type(error).__name__}"
        )
        type_ = _type_of(found.get("ce_type"))
        if value is None and topic.endswith(".state"):
            # by foreign hands or broken, a tombstone erases all the same: compaction asks for the missing value only
            type_, problem = "", wrong_key
        return Received(*place, text_key, derived_id(*place, timestamp), type_, 0, None, None, "", "", None, None,
                        problem, headers, value)  # fmt: skip


def _well_formed(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    found: dict[str, Any],
) -> Received:
    """A binary-mode event with nothing missing or odd, as nearly all are. Raises for any other.

    Ids are the driver's own UUIDs here, which are several times as quick to read, hash and sort.
    """
    event_id = pgproto.UUID(found["ce_id"].decode())
    version = int(found["ce_version"])
    time = datetime.fromisoformat(found["ce_time"].decode())
    effective = found.get("ce_effective")
    trace = found.get("ce_traceparent")
    type_, actor, cause, trace = found["ce_type"], found["ce_actor"], found["ce_cause"], trace or b""
    texts = b"".join((type_, actor, cause, trace, key or b""))
    if (
        event_id.int >> 76 & 0xF != 7
        or not 0 < version < 2**63
        or time.tzinfo is None
        or not 1 < time.year < 9999
        or found["ce_specversion"] != b"1.0"
        or found["content-type"] != b"application/json"
        or not key
        or len(key) > MAX_KEY_BYTES
        or _ODD in key
        or b"\x00" in texts
        or len(texts) > 2000
    ):
        raise ValueError
    return Received(
        topic, partition, offset, key.decode(), event_id, type_.decode(), version, time,
        date.fromisoformat(effective.decode()) if effective else None, actor.decode(), cause.decode(),
        trace.decode() if trace else None, value, None, headers, value,
    )  # fmt: skip


def derived_id(topic: str, partition: int, offset: int, timestamp: int) -> UUID:
    """A stable UUIDv7 for a record without a usable id: a digest of its place, and of Kafka's time, since another
    Kafka has other records in the same places. It lies in the far future: below the inbox's horizon it would count
    as known, and the record would vanish unseen.
    """
    digest = int.from_bytes(sha256(f"{topic}/{partition}/{offset}/{timestamp}".encode()).digest()[:10], "big")
    value = (2**48 - 1 << 80) | (7 << 76) | ((digest >> 64 & 0xFFF) << 64) | (2 << 62) | (digest & (2**62 - 1))
    return UUID(int=value)


def _structured_attributes(value: bytes | None) -> tuple[dict[str, Any], bytes | None]:
    if value is None:
        raise Malformed("a structured event has no value")
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the structured event is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise Malformed("the structured event is not a JSON object")
    data: bytes | None = None
    if event.get("data_base64") is not None:
        try:
            data = b64decode(event["data_base64"], validate=True)
        except (ValueError, TypeError):
            raise Malformed("data_base64 is not base64") from None
    elif event.get("data") is not None:
        try:
            data = orjson.dumps(event["data"])
        except TypeError:  # it reads deeper than it writes
            raise Malformed("the structured event's data is nested too deeply") from None
    attributes = {
        name: str(raw).encode("utf-8", "replace") for name, raw in event.items()
        if name not in ("data", "data_base64") and raw is not None
    }  # fmt: skip
    return attributes, data


def _key(key: bytes | None) -> tuple[str, str | None]:
    """The key as text, and what is wrong with it. Two keys that are wrong never have the same text."""
    if not key:
        return "", "the record has no key"
    text = key.decode("utf-8", "replace").replace("\x00", "\ufffd")
    problem = None
    if "\ufffd" in text:
        problem = "the record's key is not UTF-8 text without NUL"
    elif len(key) > MAX_KEY_BYTES:
        problem = f"the record's key has {len(key):,} bytes, more than {MAX_KEY_BYTES:,}"
    return (text if problem is None else f"{text[:200]}\ufffd{sha256(key).hexdigest()[:32]}"), problem


def _text(attributes: dict[str, Any], name: str, default: str | None = None) -> str:
    raw = attributes.get(name)
    if raw is None:
        if default is None:
            raise Malformed(f"the attribute {name!r} is missing")
        return default
    try:
        text: str = raw.decode()
    except UnicodeDecodeError:
        raise Malformed(f"the attribute {name!r} is not UTF-8") from None
    if "\x00" in text or len(text) > 2000:
        raise Malformed(f"the attribute {name!r} has a NUL character or more than 2,000")
    return text


def _type_of(raw: bytes | None) -> str:
    """The type of a malformed event; "" where there is none to go by, and every consumer of its topic is concerned."""
    try:
        text = (raw or b"").decode()
    except UnicodeDecodeError:
        return ""
    return "" if "\x00" in text or len(text) > 200 else text


def _uuid7(text: str) -> UUID:
    try:
        value = UUID(text)
    except ValueError:
        raise Malformed(f"the id {text[:60]!r} is not a UUID") from None
    # the inbox is partitioned by range of id, and an id below its horizon counts as known:
    # only ids that begin with their time may enter
    if value.int >> 76 & 0xF != 7:
        raise Malformed(f"the id {text[:60]!r} is not a UUIDv7")
    return value


def _instant(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed(f"the time {text[:60]!r} is not an RFC 3339 instant") from None
    if value.tzinfo is None:
        raise Malformed("the time has no offset")
    if not 1 < value.year < 9999:
        # the driver keeps the first and the last instant as infinity, which comes back without an offset
        raise Malformed(f"the time {text[:60]!r} is in no year that can be kept")
    return value


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 2**63:
        raise Malformed(f"the version {text[:30]!r} is not a positive whole number")
    return int(text)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed(f"the effective day {text[:30]!r} is not a date") from None
