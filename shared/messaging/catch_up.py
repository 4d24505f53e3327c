"""Catching up: a Kafka that holds an earlier part of the history gets the facts that came after it.

For a Kafka that was left and is used again. Each partition gets what follows its newest fact, in order;
what is missing before that fact cannot be put in its place any more, and is counted.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.base import CONTRACTS
from shared.messaging import kafka
from shared.messaging.cloudevents import Headers, received
from shared.messaging.feed import facts_after
from shared.messaging.refill import fact_record, refuse_if_read, relays_held, send_all
from shared.postgres.pool import Connection
from shared.runtime.settings import Settings

PAGE_ROWS = 2_000
LOOKED_BACK = (100, 10_000, None)
"""How many records of a partition are read, from its end, until one is of our history; None: all of them."""

SUMMARY = "SELECT aggregatetype, count(*), max(sequence) FROM history WHERE aggregatetype = ANY ($1) GROUP BY 1"
KEYS = """
SELECT sequence, aggregatetype, aggregateid FROM history
WHERE sequence > $1 AND aggregatetype = ANY ($2) ORDER BY sequence LIMIT $3
"""
SEQUENCES = """
SELECT h.sequence FROM unnest($2::text[], $3::bigint[], $4::uuid[]) AS seen (key, version, id)
JOIN history h ON h.aggregatetype = $1 AND h.aggregateid = seen.key AND h.version = seen.version AND h.id = seen.id
"""


@dataclass(slots=True)
class CaughtUp:
    """What one service's fact topics held and got.

    `sent` facts were put behind what was there; `lacking` ones are missing before newer ones. `strange` names
    the topics with records of which not one is of this history.
    """

    sent: int = 0
    lacking: int = 0
    strange: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """One partition: its offsets, the sequence of its newest fact (0: none is there), and what history has for it."""

    begin: int
    end: int
    newest: int = 0
    before: int = 0
    behind: list[int] = field(default_factory=list)


async def hold_nothing(settings: Settings, services: Collection[str]) -> bool:
    """Whether no topic of these services ever held a record. Asks a real Kafka: the embedded one tells wrong ends."""
    topics = {c.topic for c in CONTRACTS.values() if c.service in services}
    names = [settings.topic_prefix + topic for topic in sorted(topics)]
    async with kafka.reader(settings, names) as reader:
        return not any((await reader.end_offsets(_places(reader, names))).values())


async def catch_up(
    settings_of: Callable[[str], Settings], owner: Connection, services: Collection[str]
) -> dict[str, CaughtUp]:
    """Puts behind what the fact topics hold what history has after it, by service.

    `owner` may read every schema; its search path is changed. No relay of these services may hold a batch that
    it has published and not committed. Raises `RefillRefused` when a topic that is empty was read by a group.
    """
    done: dict[str, CaughtUp] = {}
    async with relays_held(owner, services):
        for service in services:
            topics = sorted({c.topic for c in CONTRACTS.values() if c.service == service and c.kind == "fact"})
            if topics:
                await owner.execute(f"SET search_path = {service}, extensions")
                done[service] = await _catch_up(settings_of(service), owner, topics)
    return done


async def _catch_up(settings: Settings, owner: Connection, topics: Sequence[str]) -> CaughtUp:
    done = CaughtUp()
    if not (summary := await owner.fetch(SUMMARY, topics)):
        return done
    places: dict[TopicPartition, _Place] = {}
    async with kafka.reader(settings, [settings.topic_prefix + row[0] for row in summary]) as reader:
        for topic, facts, last in summary:
            found = await _look(reader, settings.topic_prefix + topic, topic, owner)
            if any(p.end > p.begin for p in found.values()) and not any(p.newest for p in found.values()):
                done.strange.append(topic)
            elif (
                sum(p.end for p in found.values()) < facts
                or max(p.newest for p in found.values()) < last
                # a count says nothing where records lie twice, or one partition lags behind another
                or await _has_more(owner, topic, settings.topic_prefix, found)
            ):
                places |= found
    if not places:
        return done
    await _compare(owner, settings.topic_prefix, places)
    done.lacking = sum(max(place.before - place.end, 0) for place in places.values())
    # a partition with records of others only: behind which of them ours belong nobody knows
    done.lacking += sum(len(place.behind) for place in places.values() if place.end > place.begin and not place.newest)
    # one that was emptied gets everything: what was there nobody knows, and twice is better than not at all
    wanted = sorted(n for place in places.values() if place.newest or place.begin == place.end for n in place.behind)
    if empty := sorted({p.topic for p, place in places.items() if place.behind and not place.end}):
        await refuse_if_read(settings, [n for n in empty if not any(v.end for p, v in places.items() if p.topic == n)])
    done.sent = await _send(settings, owner, wanted)
    return done


def _places(reader: AIOKafkaConsumer, names: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(name, partition) for name in names for partition in reader.partitions_for_topic(name)]


async def _look(reader: AIOKafkaConsumer, name: str, topic: str, owner: Connection) -> dict[TopicPartition, _Place]:
    """The partitions of a topic with the newest fact of each."""
    places = _places(reader, [name])
    begins, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
    found = {place: _Place(begins[place], ends[place]) for place in places}
    for back in LOOKED_BACK:
        for place, what in found.items():
            if what.end > what.begin and not what.newest:
                first = what.begin if back is None else max(what.begin, what.end - back)
                what.newest = await _newest(reader, place, first, what.end, topic, owner)
    return found


async def _newest(
    reader: AIOKafkaConsumer, place: TopicPartition, first: int, end: int, topic: str, owner: Connection
) -> int:
    """The highest sequence among the records of a partition from an offset on; 0 when none is of our history."""
    reader.seek(place, first)
    newest = 0
    while await reader.position(place) < end:
        records = (await reader.getmany(place, timeout_ms=500, max_records=PAGE_ROWS)).get(place, [])
        read = [
            received(
                topic=topic, partition=r.partition, offset=r.offset, timestamp=r.timestamp, key=r.key, value=r.value,
                headers=r.headers,
            ) for r in records
        ]  # fmt: skip
        good = [item for item in read if item.problem is None]
        columns = [item.key for item in good], [item.version for item in good], [item.id for item in good]
        sequences = [row[0] for row in await owner.fetch(SEQUENCES, topic, *columns)]
        newest = max([newest, *sequences])
    return newest


async def _has_more(owner: Connection, topic: str, prefix: str, places: Mapping[TopicPartition, _Place]) -> bool:
    """Whether history has a fact behind the newest of its partition."""
    after = min(place.newest for place in places.values())
    while rows := await owner.fetch(KEYS, after, [topic], PAGE_ROWS):
        for sequence, _, key in rows:
            partition = kafka.partition_of(key.encode(), len(places))
            if sequence > places[TopicPartition(prefix + topic, partition)].newest:
                return True
        after = rows[-1][0]
    return False


async def _compare(owner: Connection, prefix: str, places: Mapping[TopicPartition, _Place]) -> None:
    """Goes through history and counts, by partition, what lies before its newest fact; lists what lies behind."""
    topics = sorted({place.topic.removeprefix(prefix) for place in places})
    partitions = {topic: sum(place.topic == prefix + topic for place in places) for topic in topics}
    after = 0
    while rows := await owner.fetch(KEYS, after, topics, PAGE_ROWS):
        for sequence, topic, key in rows:
            place = places[TopicPartition(prefix + topic, kafka.partition_of(key.encode(), partitions[topic]))]
            if sequence <= place.newest:
                place.before += 1
            else:
                place.behind.append(sequence)
        after = rows[-1][0]


async def _send(settings: Settings, owner: Connection, wanted: Sequence[int]) -> int:
    """Publishes these facts in their order."""
    if not wanted:
        return 0
    chosen = set(wanted)
    producer = kafka.producer(settings, service="catch-up")
    try:
        await producer.start()
        after = wanted[0] - 1
        while after < wanted[-1]:
            events = await facts_after(owner, after, PAGE_ROWS)
            by_topic: dict[str, list[tuple[bytes, bytes, Headers]]] = {}
            for event in events:
                if int(event["sequence"]) in chosen:
                    topic = f"{event['source'].removeprefix('/')}.{event['subject'].split('/')[0]}"
                    by_topic.setdefault(topic, []).append(fact_record(event))
            for topic, records in by_topic.items():
                await send_all(producer, settings.topic_prefix + topic, records)
            after = int(events[-1]["sequence"])
    finally:
        await producer.stop()
    return len(wanted)
