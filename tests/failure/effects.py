"""The checker's second half: what the listener made of what was published. Shares no code with the bus.

Effects once and in order, the inbox in agreement, nothing lost behind a parked record, and the read model
equal to the fold of history and to a rebuild.
"""

import json
from collections import Counter, defaultdict
from typing import Any

from tests.failure.raw import Copy, Seen

Finding = dict[str, Any]
CONSUMER = "reporting.checked"
FACTS = "membership.membership"


def effects(seen: dict[str, Seen], copies: list[Copy], injected: list[Copy]) -> list[Finding]:
    """All rules about the listener. `copies` are the bus's own records, `injected` those put there by hand."""
    owner, listener = seen["membership"], seen["reporting"]
    parked = [row for row in listener.parked if row["consumer"] == CONSUMER]
    return [
        *_once(copies, listener, parked, injected),
        *_inbox(copies, listener, parked, injected),
        *_holds(listener, parked),
        *_folds(owner, listener, parked),
        *_copies(owner, listener, parked, {(copy.topic, copy.key) for copy in injected}),
    ]


def _once(copies: list[Copy], listener: Seen, parked: list[dict[str, Any]], injected: list[Copy]) -> list[Finding]:
    found: list[Finding] = []
    live = [row for row in listener.own["failure_effect"] if row["generation"] == "live"]
    counts = Counter(str(row["id"]) for row in live)
    waiting = Counter(row["id"] for row in parked)
    published = {copy.id: copy for copy in copies if not copy.is_state and copy.id}
    by_hand = {copy.id for copy in injected if copy.id}
    for id_, copy in published.items():
        total = counts[id_ or ""] + waiting[id_ or ""]
        if total != 1:
            found.append(
                {"rule": "effects once", "id": id_, "key": copy.key, "version": copy.version,
                 "effects": counts[id_ or ""], "parked": waiting[id_ or ""]}
            )  # fmt: skip
    for id_, count in counts.items():
        if id_ not in published and (id_ not in by_hand or count > 1):
            found.append({"rule": "effects once", "id": id_, "what": "was never published", "effects": count})
    order: dict[str, list[int]] = defaultdict(list)
    for row in sorted(live, key=lambda row: row["n"]):
        if str(row["id"]) not in by_hand:
            order[row["key"]].append(row["version"])
    for row in parked:
        if row["topic"] == FACTS and row["id"] in published:
            order[row["key"]].append(published[row["id"]].version)
    for key, versions in order.items():
        if versions != list(range(1, len(versions) + 1)):
            found.append({"rule": "effects in order", "key": key, "versions": versions[:50]})
    return found


def _inbox(copies: list[Copy], listener: Seen, parked: list[dict[str, Any]], injected: list[Copy]) -> list[Finding]:
    found: list[Finding] = []
    inbox = listener.inbox.get(CONSUMER, set())
    published = {copy.id for copy in copies if copy.id}
    for copy in copies:
        if copy.id not in inbox:
            found.append({"rule": "inbox", "id": copy.id, "place": copy.place(), "what": "was not received"})
    known = published | {row["id"] for row in parked} | {copy.id for copy in injected}
    # a state record that was compacted away is known to the inbox only; a dropped record without an id, too
    facts = {str(row["id"]) for row in listener.own["failure_effect"] if row["generation"] == "live"}
    for id_ in sorted(facts - inbox):
        found.append({"rule": "inbox", "id": id_, "what": "has an effect and is not in the inbox"})
    for id_ in sorted((inbox & facts) - known):
        found.append({"rule": "inbox", "id": id_, "what": "is in no topic"})
    return found


def _holds(listener: Seen, parked: list[dict[str, Any]]) -> list[Finding]:
    """A held key has something parked, and what is parked first has a reason."""
    found: list[Finding] = []
    first: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in parked:
        first.setdefault((row["consumer"], row["topic"], row["key"]), row)
    for place in listener.parked_keys - set(first):
        if place[0] == CONSUMER:
            found.append({"rule": "held", "key": place, "what": "is held, and nothing is parked"})
    for place, row in first.items():
        if row["reason"] is None:
            found.append({"rule": "held", "key": place, "what": "the first of a held key has no reason"})
    return found


def _folds(owner: Seen, listener: Seen, parked: list[dict[str, Any]]) -> list[Finding]:
    """The read model against the fold of history (without what is parked), and against a rebuild."""
    found: list[Finding] = []
    aside = {row["id"] for row in parked}
    fold: dict[str, tuple[int, str, bool]] = {}
    tally: Counter[str] = Counter()
    for row in owner.history:
        if row["topic"] != FACTS or row["id"] in aside:
            continue
        name, value = row["type"].split(".")[-2], _json(row["value"])
        fold[row["key"]] = (row["version"], value["category"], name != "MembershipResigned")
        if name == "MembershipActivated":
            tally[value["category"]] += 1
        elif name == "MembershipResigned":
            tally[value["category"]] -= 1
        else:
            tally[value["category"]] += 1
            tally[value["previous"]] -= 1
    if owner.outbox:
        return found  # not at rest: told by another rule where it matters
    generations = {row["generation"] for row in listener.own["failure_fold"]} | {"live"}
    for generation in sorted(generations):
        if generation != "live" and aside:
            continue
        folded = {
            row["key"]: (row["version"], row["category"], row["in_force"])
            for row in listener.own["failure_fold"] if row["generation"] == generation
        }  # fmt: skip
        for key in sorted(set(fold) | set(folded)):
            if fold.get(key) != folded.get(key):
                found.append(
                    {"rule": "read model", "generation": generation, "key": key, "history": fold.get(key),
                     "is": folded.get(key)}
                )  # fmt: skip
        counted = {
            row["category"]: row["members"]
            for row in listener.own["failure_tally"] if row["generation"] == generation and row["members"]
        }  # fmt: skip
        if counted != {category: n for category, n in tally.items() if n}:
            found.append({"rule": "read model", "generation": generation, "tally": counted, "history": dict(tally)})
    return found


def _copies(owner: Seen, listener: Seen, parked: list[dict[str, Any]], by_hand: set[tuple[str, str]]) -> list[Finding]:
    """The listener's copies of states are the owner's rows; an erased one is gone.

    Not judged: keys that are held, and those that are not the owner's and came by hand.
    """
    found: list[Finding] = []
    expected: dict[tuple[str, str], tuple[int, str]] = {}
    for row in owner.own["failure_membership"]:
        if row["version"] > 0:
            text = f"{row['category']} {row['standing']}"
            expected["membership.standing.state", str(row["id"])] = (row["version"], text)
    for row in owner.own["failure_person"]:
        expected["membership.person.state", str(row["id"])] = (row["version"], row["name"])
    aside = {(row["topic"], row["key"]) for row in parked} | (by_hand - set(expected))
    for generation in sorted({row["generation"] for row in listener.own["failure_copy"]} | {"live"}):
        copied = {
            (row["topic"], row["key"]): (row["version"], row["text"])
            for row in listener.own["failure_copy"] if row["generation"] == generation
        }  # fmt: skip
        for place in sorted((set(expected) | set(copied)) - aside):
            if expected.get(place) != copied.get(place):
                found.append(
                    {"rule": "copy", "generation": generation, "key": place, "owner": expected.get(place),
                     "is": copied.get(place)}
                )  # fmt: skip
    return found


def _json(value: bytes | None) -> Any:
    return json.loads(value or b"null")
