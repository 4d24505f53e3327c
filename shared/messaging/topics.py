"""Topics as deploy/topics.yaml lists them: made once, checked at every start, never made by use.

Names there are without prefix. A topic that exists keeps its records; what differs from the file is told
and, where Kafka allows it without loss (settings, more partitions is not), put right.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.messaging import kafka
from shared.runtime.settings import Settings

FILE = Path(__file__).resolve().parents[2] / "deploy/topics.yaml"


@dataclass(frozen=True, slots=True)
class Topic:
    """One line of the file."""

    name: str
    kind: Literal["fact", "state"]
    partitions: int
    config: dict[str, str]
    replication: int | None = None


def listed(file: Path = FILE) -> list[Topic]:
    """The topics of the file, in its order. Raises `ValueError` naming what is wrong with it."""
    document = yaml.safe_load(file.read_text("utf-8"))
    topics = []
    for entry in document["topics"]:
        if entry["kind"] not in ("fact", "state") or not 1 <= entry["partitions"] <= 1000:
            raise ValueError(f"{file.name}: {entry['name']} needs a kind (fact, state) and 1 to 1,000 partitions")
        config = {str(key): str(value) for key, value in entry.get("config", {}).items()}
        topics.append(Topic(entry["name"], entry["kind"], entry["partitions"], config, entry.get("replication")))
    return topics


async def make_topics(settings: Settings, topics: list[Topic] | None = None) -> dict[str, str]:
    """Makes what is missing and sets what differs. Returns what was done by topic: made, same, changed: …"""
    wanted = topics if topics is not None else listed()
    admin = kafka.admin(settings)
    done: dict[str, str] = {}
    async with asyncio.timeout(60):
        await admin.start()
        try:
            existing = set(await admin.list_topics())
            missing = [t for t in wanted if settings.topic_prefix + t.name not in existing]
            if missing:
                new = [
                    NewTopic(settings.topic_prefix + t.name, t.partitions, t.replication or 1, topic_configs=t.config)
                    for t in missing
                ]
                for topic, made in zip(missing, new, strict=True):
                    if topic.replication is None and not settings.kafka_embedded:
                        made.replication_factor = -1  # the broker's default; the constructor would not take it
                response = await admin.create_topics(new)
                for name, code, *_ in response.topic_errors:
                    if code and for_code(code) is not TopicAlreadyExistsError:
                        raise for_code(code)(f"the topic {name} cannot be made")
                done.update({t.name: "made" for t in missing})
            for topic in wanted:
                if topic not in missing:
                    done[topic.name] = await _put_right(admin, settings, topic)
        finally:
            await admin.close()
    return done


async def _put_right(admin: Any, settings: Settings, topic: Topic) -> str:
    if settings.kafka_embedded:
        return "same"
    name = settings.topic_prefix + topic.name
    answer = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    now = {entry[0]: entry[1] for response in answer for resource in response.resources for entry in resource[4]}
    wrong = {key: value for key, value in topic.config.items() if now.get(key) != value}
    if wrong:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=topic.config)])
    partitions = (await admin.describe_topics([name]))[0]["partitions"]
    notes = [f"{key} {now.get(key)} -> {value}" for key, value in wrong.items()]
    if len(partitions) != topic.partitions:
        # more partitions move keys to other partitions and break the order per key: a person decides
        notes.append(f"has {len(partitions)} partitions, the file says {topic.partitions}: left as it is")
    return "changed: " + ", ".join(notes) if notes else "same"


async def missing_topics(settings: Settings, names: list[str]) -> list[str]:
    """Which of these topics (without prefix) do not exist."""
    admin = kafka.admin(settings)
    async with asyncio.timeout(20):
        await admin.start()
        try:
            existing = set(await admin.list_topics())
        finally:
            await admin.close()
    return [name for name in names if settings.topic_prefix + name not in existing]
