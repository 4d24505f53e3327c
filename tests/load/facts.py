"""Records as the platform writes them, made in numbers for benchmarks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import orjson
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import MembershipActivated
from shared.messaging.cloudevents import Headers, headers_of
from shared.messaging.outbox import Record

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def activations(count: int) -> Iterator[Record]:
    """Facts of as many different memberships."""
    day = date(2026, 1, 1)
    for _ in range(count):
        key = uuid_utils.uuid7()
        data = MembershipActivated(
            membership_id=key, organization_id=key, cluster_id=key, category="associate", origin="import"
        )
        yield Record(str(key), 1, data, day)


def raw(record: Record) -> tuple[bytes, bytes, Headers]:
    """Key, value and all headers of the record as the relay sends it."""
    headers = headers_of(
        id=str(uuid_utils.uuid7()), type="org.cumulo.membership.MembershipActivated.v1", source="/membership",
        subject=f"membership/{record.key}", time=datetime.now(UTC).isoformat(),
        dataschema="urn:cumulo:contract:membership.MembershipActivated.v1", version=str(record.version),
        effective=str(record.effective), actor="cli", cause="load", traceparent=TRACE,
    )  # fmt: skip
    return record.key.encode(), orjson.dumps(record.data.model_dump(mode="json")), headers
