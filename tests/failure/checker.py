"""The checker: whether the bus kept its promise, judged from raw tables and raw topics alone.

    python -m tests.failure.checker --postgres DSN --kafka HOST:PORT [--prefix P.] [--injected FILE] JOURNAL…

Meant for a system at rest. Prints a JSON list of findings, empty when all is well, and exits with 1
otherwise. It shares no code with the bus.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.failure.effects import effects
from tests.failure.raw import Copy, Seen, tables, topics

Finding = dict[str, Any]
AT_MOST = 100


def journals(paths: list[Path]) -> list[dict[str, Any]]:
    """The lines of all journals; a last line that a kill cut off was not acknowledged."""
    lines = []
    for path in paths:
        for line in path.read_bytes().split(b"\n")[:-1]:
            lines.append(json.loads(line))
    return lines


def acknowledged(lines: list[dict[str, Any]], owner: Seen, copies: list[Copy]) -> list[Finding]:
    """Every acknowledged write is there, and nothing of what was rolled back.

    A row that is gone was lost, unless its erasure was committed: it stands in a journal, or, where the writer
    died between its commit and its journal, as a tombstone in the topic, which only a commit puts there.
    """
    found: list[Finding] = []
    facts = {(row["key"], row["version"], row["type"].split(".")[-2]) for row in owner.history + owner.outbox}
    keys = {row["key"] for row in owner.history + owner.outbox}
    rows = {
        str(row["id"]): row["version"]
        for table in ("failure_membership", "failure_person") for row in owner.own.get(table, ())
    }  # fmt: skip
    erased = {line["key"] for line in lines if any(name == "erased" for name, _ in line.get("written", ()))}
    erased |= {copy.key for copy in copies if copy.value is None and copy.topic.endswith(".state")}
    for line in lines:
        if "rolled_back" in line:
            if line["rolled_back"] in keys or line["rolled_back"] in rows:
                found.append({"rule": "rolled back", "key": line["rolled_back"], "what": "is published or stored"})
            continue
        for name, version in line["written"]:
            if name == "erased":
                if line["key"] in rows:
                    found.append({"rule": "acknowledged", "key": line["key"], "what": "erased, and still there"})
            elif name.endswith("State"):
                if rows.get(line["key"], 0) < version and line["key"] not in erased:
                    found.append(
                        {"rule": "acknowledged", "key": line["key"], "version": version, "what": "state is lost"}
                    )
            elif (line["key"], version, name) not in facts:
                found.append(
                    {"rule": "acknowledged", "key": line["key"], "version": version, "what": f"{name} is lost"}
                )
    return found


def in_history(owner: Seen) -> list[Finding]:
    """Sequence gapless from 1; versions of each aggregate 1, 2, 3 … in the order of history, then outbox."""
    found: list[Finding] = []
    for expected, row in enumerate(owner.history, 1):
        if row["sequence"] != expected:
            found.append({"rule": "sequence", "expected": expected, "is": row["sequence"]})
            break
    versions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in owner.history + [row for row in owner.outbox if not row["topic"].endswith(".state")]:
        versions[row["topic"], row["key"]].append(row["version"])
    for (topic, key), some in versions.items():
        if some != list(range(1, len(some) + 1)):
            found.append({"rule": "versions", "topic": topic, "key": key, "versions": some[:50]})
    twice = [id_ for id_, n in Counter(row["id"] for row in owner.history + owner.outbox).items() if n > 1]
    found += [{"rule": "once in the tables", "id": id_} for id_ in twice]
    return found


def in_topics(copies: list[Copy], owner: Seen) -> list[Finding]:
    """Facts of outbox and history are those of the topics; each copy is the same, on one partition, in order."""
    found: list[Finding] = []
    recorded = {row["id"]: row for row in owner.history + owner.outbox}
    published: dict[str, Copy] = {}
    order: dict[tuple[str, str], list[Copy]] = defaultdict(list)
    for copy in copies:
        id_ = copy.id
        row = recorded.get(id_ or "")
        if id_ is None or (row is None and not copy.is_state):
            found.append({"rule": "published", "what": "is in no table", "place": copy.place(), "id": id_})
            continue
        if row is not None and (wrong := _differs(copy, row)):
            found.append({"rule": "as recorded", "id": id_, "place": copy.place(), "what": wrong})
        first = published.setdefault(id_, copy)
        if first is copy:
            order[copy.topic, copy.key].append(copy)
        elif (first.value, first.headers, first.partition) != (copy.value, copy.headers, copy.partition):
            found.append({"rule": "copies", "id": id_, "what": "differ", "places": [first.place(), copy.place()]})
    for row in owner.history:
        if row["id"] not in published:
            found.append(
                {"rule": "published", "what": "is in history and in no topic", "id": row["id"], "key": row["key"],
                 "version": row["version"]}
            )  # fmt: skip
    for (topic, key), firsts in order.items():
        if len({copy.partition for copy in firsts}) > 1:
            found.append({"rule": "one partition", "topic": topic, "key": key})
        versions = [copy.version for copy in firsts]
        # of a state only the last one counts: a late copy may be the first that compaction left
        if not firsts[0].is_state and versions != list(range(1, len(versions) + 1)):
            found.append({"rule": "order", "topic": topic, "key": key, "versions": versions[:50]})
    return found


def _differs(copy: Copy, row: dict[str, Any]) -> str | None:
    headers = {name: (raw or b"").decode("utf-8", "replace") for name, raw in copy.headers.items()}
    expected = {
        "ce_type": row["type"], "ce_version": str(row["version"]), "ce_actor": row["actor"], "ce_cause": row["cause"],
        "ce_effective": row["effective"], "ce_specversion": "1.0", "content-type": "application/json",
    }  # fmt: skip
    for name, value in expected.items():
        if headers.get(name) != value:
            return f"{name} is {headers.get(name)!r}, not {value!r}"
    if (copy.topic, copy.key) != (row["topic"], row["key"]):
        return "lies on another topic or under another key"
    value = None if row["value"] is None else bytes(row["value"])
    return None if copy.value == value else "has another value"


def in_compacted(copies: list[Copy], owner: Seen, by_hand: set[tuple[str, str]]) -> list[Finding]:
    """The last record of each key of a state topic is the owner's row; an erased key's last is a tombstone.

    Keys for which records came by hand are not judged: compaction may have left only those.
    """
    found: list[Finding] = []
    tables_ = {"membership.standing.state": "failure_membership", "membership.person.state": "failure_person"}
    waiting = {(row["topic"], row["key"]) for row in owner.outbox}
    for topic, table in tables_.items():
        rows = {str(row["id"]): row["version"] for row in owner.own.get(table, ()) if row["version"] > 0}
        newest = {copy.key: copy for copy in copies if copy.topic == topic}
        highest: Counter[str] = Counter()
        for copy in copies:
            if copy.topic == topic:
                highest[copy.key] = max(highest[copy.key], copy.version)
        for key in sorted(set(rows) | set(newest)):
            if (topic, key) in waiting | by_hand:
                continue
            last = newest.get(key)
            if last is None:
                found.append({"rule": "state", "topic": topic, "key": key, "what": "was never published"})
            elif key not in rows:
                if last.value is not None:
                    found.append({"rule": "state", "topic": topic, "key": key, "what": "is erased, and back"})
            elif last.value is None or last.version != rows[key]:
                found.append(
                    {"rule": "state", "topic": topic, "key": key, "what": "is not the owner's",
                     "version": last.version, "owner": rows[key]}
                )  # fmt: skip
            elif last.version != highest[key]:
                found.append({"rule": "state", "topic": topic, "key": key, "what": "an older one lies last"})
    return found


def check(
    seen: dict[str, Seen], copies: list[Copy], lines: list[dict[str, Any]], injected: list[dict[str, Any]]
) -> list[Finding]:
    """All rules. `injected` are the places of records that a test put into the topics by hand."""
    by_hand = {(line["topic"], line["partition"], line["offset"]) for line in injected}
    own = [copy for copy in copies if copy.place() not in by_hand]
    foreign = [copy for copy in copies if copy.place() in by_hand]
    owner = seen["membership"]
    return [
        *acknowledged(lines, owner, own),
        *in_history(owner),
        *in_topics(own, owner),
        *in_compacted(own, owner, {(copy.topic, copy.key) for copy in foreign}),
        *effects(seen, own, foreign),
    ]


async def judge(arguments: list[str]) -> list[Finding]:
    """Reads everything and judges it. Returns the findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.failure.checker")
    parser.add_argument("--postgres", required=True, help="DSN of a role that may read all schemas")
    parser.add_argument("--kafka", required=True, help="bootstrap address")
    parser.add_argument("--prefix", default="", help="prefix of the topics")
    parser.add_argument("--injected", type=Path, help="JSON lines with topic, partition, offset of records by hand")
    parser.add_argument("journals", nargs="*", type=Path)
    given = parser.parse_args(arguments)
    # the topics before the tables: what is published meanwhile is then in the tables at least
    copies = await topics(given.kafka, given.prefix)
    seen = await tables(given.postgres, ["membership", "reporting"])
    injected = journals([given.injected]) if given.injected and given.injected.exists() else []
    found = check(seen, copies, journals(given.journals), injected)
    told = {"records": len(copies), "facts": len(seen["membership"].history), "findings": len(found)}
    print(json.dumps(told), file=sys.stderr)
    return found


def main(arguments: list[str]) -> int:
    """The command. Returns the exit code."""
    found = asyncio.run(judge(arguments))
    print(json.dumps(found[:AT_MOST], default=str))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
