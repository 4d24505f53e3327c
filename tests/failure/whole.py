"""The checker of the four real services, judged from raw tables, raw topics, a journal and the mails alone.

    python -m tests.failure.whole --postgres DSN --kafka HOST:PORT --prefix P. --journal FILE --mails FILE

Meant for a system at rest. Prints a JSON list of findings, empty when all is well. It shares no code with the services.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg

from tests.failure.checker import Finding, in_history, in_topics
from tests.failure.raw import Seen, tables, topics

MEMBERSHIP = "membership.membership"
SQL = {
    "organizations": "SELECT id::text AS key, slug, legal_name, trade_name, type, country, state, city"
    " FROM membership.organization",
    "organization copies": "SELECT organization_id::text AS key, slug, legal_name, trade_name, type, country, state,"
    " city FROM events.organization",
    "memberships": "SELECT id::text AS key, organization_id::text, cluster_id::text, category, standing, since, until"
    " FROM membership.membership",
    "membership copies": "SELECT membership_id::text AS key, organization_id::text, cluster_id::text, category,"
    " standing, since, until FROM events.standing",
    "versions": "SELECT id::text AS key, version FROM membership.membership",
    "people": "SELECT id::text AS key, organization_id::text, mail FROM membership.person",
    "messages": "SELECT m.id::text AS key, m.notice_id::text, m.person_id::text, m.state FROM notifications.message m",
    "figures": "SELECT scope AS key, value FROM reporting.figure WHERE indicator = 'members'",
    "facts": "SELECT f.membership_id::text || '/' || f.version AS key, f.id::text AS id, f.type, f.category"
    " FROM reporting.membership_fact f JOIN reporting.generation g ON g.current = f.generation",
    "periods": "SELECT p.membership_id::text AS key, p.cluster_id::text, lower(p.valid) AS since,"
    " upper(p.valid) AS until FROM reporting.membership_period p"
    " JOIN reporting.generation g ON g.current = p.generation WHERE upper_inf(p.known)",
}  # fmt: skip
Rows = dict[str, list[dict[str, Any]]]


def acknowledged(journal: list[dict[str, Any]], owner: Seen, rows: Rows) -> list[Finding]:
    """Every step that was answered with success is in the history and in the owner's row."""
    facts = {(row["key"], row["version"]) for row in owner.history + owner.outbox if row["topic"] == MEMBERSHIP}
    versions = {row["key"]: row["version"] for row in rows["versions"]}
    return [
        {"rule": "acknowledged", "key": line["key"], "version": line["version"], "what": "is lost"}
        for line in journal
        if (line["key"], line["version"]) not in facts or versions.get(line["key"], 0) < line["version"]
    ]


def same(rule: str, own: list[dict[str, Any]], copies: list[dict[str, Any]]) -> list[Finding]:
    """A copy holds exactly the owner's rows."""
    ours, theirs = ({row["key"]: row for row in some} for some in (own, copies))
    return [
        {"rule": rule, "key": key, "owner": ours.get(key), "copy": theirs.get(key)}
        for key in sorted(ours.keys() | theirs.keys()) if ours.get(key) != theirs.get(key)
    ]  # fmt: skip


def greeted(owner: Seen, rows: Rows, mails: list[dict[str, Any]]) -> list[Finding]:
    """Each announced activation has one message for each representative, sent; each mail that came is one of them."""
    found: list[Finding] = []
    people: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for person in rows["people"]:
        people[person["organization_id"]].append(person)
    wanted = Counter[tuple[str, str]]()
    for row in owner.history:
        value = json.loads(row["value"] or b"{}")
        if row["type"].endswith(".MembershipActivated.v1") and value.get("announce", True):
            wanted.update((row["id"], person["key"]) for person in people[value["organization_id"]])
    have = Counter((row["notice_id"], row["person_id"]) for row in rows["messages"])
    for notice, person in (wanted - have) | (have - wanted):
        found.append({"rule": "greeted once", "notice": notice, "person": person, "wanted": wanted[notice, person],
                      "messages": have[notice, person]})  # fmt: skip
    found += [{"rule": "sent", "message": row["key"], "state": row["state"]} for row in rows["messages"]
              if row["state"] != "sent"]  # fmt: skip
    ids = {row["key"] for row in rows["messages"]}
    came = {mail["id"].strip("<>").partition("@")[0] for mail in mails}
    found += [{"rule": "mail", "message": id_, "what": "did not come"} for id_ in sorted(ids - came)]
    found += [{"rule": "mail", "message": id_, "what": "came from nowhere"} for id_ in sorted(came - ids)]
    return found


def figures(owner: Seen, rows: Rows, today: date) -> list[Finding]:
    """Reporting's facts are the history's, and its rows and figures those that follow from them."""
    history = [row for row in owner.history if row["topic"] == MEMBERSHIP]
    told = [{"key": f"{row['key']}/{row['version']}", "id": row["id"], "type": row["type"].split(".")[-2],
             "category": json.loads(row["value"])["category"]} for row in history]  # fmt: skip
    found = same("facts of reporting", told, rows["facts"])
    last: dict[str, dict[str, Any]] = {}
    for row in history:
        if row["type"].split(".")[-2] in ("MembershipActivated", "MembershipResigned"):
            last[row["key"]] = row
    in_force = Counter[str]()
    for row in last.values():
        if row["type"].endswith(".MembershipActivated.v1") and date.fromisoformat(row["effective"]) <= today:
            in_force[json.loads(row["value"])["cluster_id"]] += 1
    periods = Counter[str]()
    for row in rows["periods"]:
        if row["since"] <= today and (row["until"] is None or today < row["until"]):
            periods[row["cluster_id"]] += 1
    if periods != in_force:
        found.append({"rule": "rows of reporting", "follow": in_force, "are": periods})
    expected = {f"cluster:{key}": count for key, count in in_force.items()} | {"network": sum(in_force.values())}
    published = {row["key"]: row["value"] for row in rows["figures"]}
    for scope in expected.keys() | published.keys():
        if expected.get(scope, 0) != published.get(scope, 0):
            found.append(
                {"rule": "figure", "scope": scope, "follows": expected.get(scope, 0), "is": published.get(scope, 0)}
            )
    return found


async def read(dsn: str) -> Rows:
    """What the rules compare, by name."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {name: [dict(row) for row in await connection.fetch(sql)] for name, sql in SQL.items()}
    finally:
        await connection.close()


async def judge(arguments: list[str]) -> list[Finding]:
    """Reads everything and judges it. Returns the findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.failure.whole")
    for name in ("postgres", "kafka", "prefix", "journal", "mails", "today"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args(arguments)
    journal, mails = ([json.loads(line) for line in Path(path).read_text().splitlines()]
                      for path in (given.journal, given.mails))  # fmt: skip
    copies = await topics(given.kafka, given.prefix)
    seen = await tables(given.postgres, ["membership", "reporting"])
    rows = await read(given.postgres)
    owner, reporting = seen["membership"], seen["reporting"]
    of = {name: [copy for copy in copies if copy.topic.startswith(f"{name}.")] for name in seen}
    return [
        *acknowledged(journal, owner, rows),
        *in_history(owner), *in_history(reporting),
        *in_topics(of["membership"], owner), *in_topics(of["reporting"], reporting),
        *same("organisations of events", rows["organizations"], rows["organization copies"]),
        *same("standings of events", rows["memberships"], rows["membership copies"]),
        *greeted(owner, rows, mails),
        *figures(owner, rows, date.fromisoformat(given.today)),
        *[{"rule": "parked", "what": row} for one in seen.values() for row in one.parked],
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """The command. Returns the exit code."""
    found = asyncio.run(judge(arguments))
    print(json.dumps(found[:100], default=str))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
