"""`cumulo privacy`: what is held of a person in every service, its erasure, and a look for what is left.

First blocked (signed out everywhere, no role), then erased: the owner's rows and the records without a value that erase
the copies, what stands in logs and answers, what was set aside. Run again after a crash it ends the same.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.postgres.pool import Connection
    from shared.runtime.privacy import Held, Left
    from shared.runtime.service import Definition, Service

Definitions = Callable[[], Mapping[str, "Definition"]]
Json = Annotated[bool, typer.Option("--json", help="For a program.")]
Who = Annotated[str, typer.Argument(help="A mail address, or the id of a person or an account.")]

COPIES_SECONDS = 30.0
"""How long the records without a value may take to reach every service."""
WHO = """
SELECT 'account' AS kind, id, name, mail FROM membership.account
WHERE kind = 'person' AND (id::text = lower($1) OR mail_key = lower($1))
UNION ALL
SELECT 'person', id, name, mail FROM membership.person WHERE id::text = lower($1) OR mail_key = lower($1)
UNION ALL
SELECT 'visitor', id, name, mail FROM events.registration WHERE mail_key = lower($1)
UNION ALL
SELECT 'contact', id, contact_name, contact_mail FROM membership.prospect WHERE lower(contact_mail) = lower($1)
ORDER BY 1, 2
"""
SAME_MAIL = """
SELECT 'account' AS kind, id, name, mail FROM membership.account WHERE kind = 'person' AND mail_key = ANY ($1::text[])
UNION ALL SELECT 'person', id, name, mail FROM membership.person WHERE mail_key = ANY ($1::text[])
UNION ALL SELECT 'visitor', id, name, mail FROM events.registration WHERE mail_key = ANY ($1::text[])
UNION ALL SELECT 'contact', id, contact_name, contact_mail FROM membership.prospect
WHERE lower(contact_mail) = ANY ($1::text[])
ORDER BY 1, 2
"""


class Somebody(NamedTuple):
    """A person as this installation knows them: by account, by what they represent, by what they came to."""

    accounts: tuple[UUID, ...]
    people: tuple[UUID, ...]
    values: tuple[str, ...]
    """Their mail addresses and names."""

    @property
    def ids(self) -> list[str]:
        """Everything by which they are named."""
        return [str(one) for one in (*self.accounts, *self.people)]


def register(app: typer.Typer, definitions: Definitions) -> None:
    """Adds `cumulo privacy`."""
    privacy = typer.Typer(no_args_is_help=True, help="What is held of a person; its erasure.")

    @privacy.command("show")
    def show(who: Who, json: Json = False) -> None:
        """List what is held of a person, by service and table."""
        found = asyncio.run(_shown(who, definitions()))
        if json:
            _print([one._asdict() for one in found])
            return
        for one in found:
            typer.echo(f"{one.service:14} {one.table:18} {one.rows:4}  {', '.join(one.columns)}:")
            for value in one.values:
                typer.echo(f"{'':40}{value}")
        typer.echo(f"{sum(one.rows for one in found)} rows in {len(found)} tables")

    @privacy.command("erase")
    def erase(
        who: Who, reason: Annotated[str, typer.Option(help="Why; kept without the person.")], json: Json = False
    ) -> None:
        """Block a person, then erase them everywhere, then look for what is left."""
        from services.membership.cli import checked
        from shared.http.inputs import Line

        done = asyncio.run(_erased(who, checked("--reason", Line, reason), definitions()))
        if json:
            _print({**done, "left": [one._asdict() for one in done["left"]]})
        else:
            typer.echo(
                f"erased: {done['accounts']} account, {done['people']} as representative, {done['rows']} more rows"
            )
            _tell(done["left"], done["note"])
        if done["left"]:
            raise typer.Exit(1)

    @privacy.command("check")
    def check(
        values: Annotated[list[str], typer.Argument(help="What must stand nowhere: a name, an address.")],
        json: Json = False,
    ) -> None:
        """Look for values in every column of every schema and in every record on Kafka."""
        found, note = asyncio.run(_checked(values, definitions()))
        if json:
            _print({"left": [one._asdict() for one in found], "note": note})
        else:
            _tell(found, note)
        if found:
            raise typer.Exit(1)

    app.add_typer(privacy, name="privacy")


def _print(value: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(value, default=str).decode())


def _tell(found: "Sequence[Left]", note: str) -> None:
    for one in found:
        typer.echo(f"LEFT  {one.service} {one.table}.{one.column}: {one.value!r} in {one.rows}")
    typer.echo(note if found else f"Nothing is left. {note}")


async def _shown(who: str, definitions: Mapping[str, "Definition"]) -> "list[Held]":
    from shared.runtime.local import owner_connection
    from shared.runtime.privacy import held

    async with owner_connection() as owner:
        somebody = await _somebody(owner, definitions, who)
        return await held(owner, definitions, somebody.ids, somebody.values)


async def _somebody(owner: "Connection", definitions: Mapping[str, "Definition"], who: str) -> Somebody:
    """Whoever has this id or address, with all that has the same address; or an address that stands in some list."""
    from services.membership.people.domain import NoSuchPerson
    from shared.runtime.privacy import held

    rows = await owner.fetch(WHO, who.strip())
    if not rows and "@" in who and await held(owner, definitions, [], [who.strip()]):
        return Somebody((), (), (who.strip(),))
    if not rows:
        raise NoSuchPerson("nobody is known by {who}", who=who[:100], field="person")
    rows = await owner.fetch(SAME_MAIL, sorted({row["mail"].casefold() for row in rows if row["mail"]}))
    accounts = tuple(row["id"] for row in rows if row["kind"] == "account")
    people = tuple(row["id"] for row in rows if row["kind"] == "person")
    return Somebody(
        accounts, people, tuple(sorted({text for row in rows for text in (row["name"], row["mail"]) if text}))
    )


async def _erased(who: str, reason: str, definitions: Mapping[str, "Definition"]) -> dict[str, Any]:
    from shared.runtime import tasks
    from shared.runtime.local import owner_connection
    from shared.runtime.privacy import erase_by_list

    async with owner_connection() as owner, _membership() as service:
        somebody = await _somebody(owner, definitions, who)
        title = tasks.Words("Borrado de una persona", "Erasure of a person")
        async with tasks.begin(
            service.database, kind="erasure", title=title, actor="cli", total=4, clock=service.clock
        ) as task:
            await _blocked(service, somebody, reason)
            task.reach(1)
            # what no record erases goes first: while the owner's rows are there, this can be done again
            rows = await erase_by_list(owner, definitions, somebody.ids, somebody.values)
            task.reach(2)
            await _gone(service, somebody)
            await _gone_from_events(somebody)
            await _reached(owner, somebody, definitions)
            rows += await erase_by_list(owner, definitions, somebody.ids, somebody.values)
            task.reach(3)
            found, note = await _left(owner, somebody.values, definitions)
            task.result = {"rows": rows, "left": len(found)}
            task.reach(4)
    return {"accounts": len(somebody.accounts), "people": len(somebody.people), "rows": rows, "left": found,
            "note": note}  # fmt: skip


async def _reached(owner: "Connection", somebody: Somebody, definitions: Mapping[str, "Definition"]) -> None:
    """Waits until the records without a value have erased every copy, or as long as that may take."""
    from shared.runtime.privacy import held

    deadline = time.monotonic() + COPIES_SECONDS
    while time.monotonic() < deadline:  # other processes do it: there is nothing to be woken by
        copies = await held(owner, definitions, somebody.ids, somebody.values)
        if not any(one.erasing == "record" for one in copies):
            return
        await asyncio.sleep(0.2)


@asynccontextmanager
async def _membership() -> "AsyncIterator[Service]":
    from services.membership.cli import opened

    async with opened() as service:
        yield service


async def _blocked(service: "Service", somebody: Somebody, reason: str) -> None:
    """Nobody signs in as them any more and every sign-in ends, in every service."""
    from services.membership.access.commands import accounts

    for account in somebody.accounts:
        async with service.unit(actor="cli", cause=f"erasure:{reason}"[:200]) as unit:
            await accounts.sign_out_everywhere(unit, account)


async def _gone(service: "Service", somebody: Somebody) -> None:
    """The owner's rows, and the records without a value for everybody who has a copy."""
    from services.membership.access.commands import accounts
    from services.membership.contacts import commands as contacts
    from services.membership.people import commands

    async with service.unit(actor="cli", cause="erasure") as unit:
        await contacts.erase_of(unit, somebody.accounts, somebody.values)
        for account in somebody.accounts:
            await accounts.erase_account(unit, account)
        for person in somebody.people:
            await commands.erase_person(unit, person)


async def _gone_from_events(somebody: Somebody) -> None:
    """Registrations stay as numbers: who it was goes, here and in every copy."""
    from services.events.places import commands
    from shared.runtime.local import settings_for
    from shared.runtime.service import Definition, at_hand

    mails = [value for value in somebody.values if "@" in value]
    async with (
        at_hand(Definition("events"), settings_for("events")) as service,
        service.unit(actor="cli", cause="erasure") as unit,
    ):
        await commands.erase_of(unit, somebody.ids, mails)


async def _checked(values: Sequence[str], definitions: Mapping[str, "Definition"]) -> "tuple[list[Left], str]":
    from shared.runtime.local import owner_connection

    async with owner_connection() as owner:
        return await _left(owner, values, definitions)


async def _left(
    owner: "Connection", values: Sequence[str], definitions: Mapping[str, "Definition"]
) -> "tuple[list[Left], str]":
    from shared.runtime.local import settings_for
    from shared.runtime.privacy import left

    found = await left(owner, list(definitions), values)
    settings = settings_for("membership")
    if settings.kafka_embedded:
        return (
            found,
            "The embedded Kafka keeps records in memory until the next start, which brings none of these back.",
        )
    on_kafka, waiting = await _on_kafka(values)
    note = f"{waiting} older records on compacted topics go within hours, when Kafka compacts them." if waiting else ""
    return [*found, *on_kafka], note


async def _on_kafka(values: Sequence[str]) -> "tuple[list[Left], int]":
    """Records in which a value stands, of states the newest per key; and how many older ones wait for compaction."""
    from aiokafka import TopicPartition

    from shared.messaging import kafka
    from shared.messaging.topics import listed
    from shared.runtime.local import settings_for
    from shared.runtime.privacy import LEAST_CHARACTERS, Left

    settings = settings_for("membership")
    wanted = [(value, value.lower().encode()) for value in values if len(value) >= LEAST_CHARACTERS]
    found: list[Left] = []
    waiting = 0
    for topic in listed():
        name = settings.topic_prefix + topic.name
        last: dict[bytes, set[str]] = {}
        older = 0
        async with kafka.reader(settings, [name]) as reader:
            places = [TopicPartition(name, partition) for partition in reader.partitions_for_topic(name)]
            ends = await reader.end_offsets(places)
            while not all([await reader.position(place) >= ends[place] for place in places]):
                for records in (await reader.getmany(timeout_ms=500, max_records=5000)).values():
                    for record in records:
                        text = (record.value or b"").decode("utf-8", "replace").lower().encode()
                        hits = {value for value, sought in wanted if sought in text}
                        key = (
                            record.key or b"" if topic.kind == "state" else str(record.offset).encode() + name.encode()
                        )
                        older += bool(last.get(key)) and topic.kind == "state"
                        last[key] = hits
        waiting += older
        found += [
            Left("kafka", name, "value", value, sum(value in hits for hits in last.values()))
            for value in sorted({hit for hits in last.values() for hit in hits})
        ]
    return found, waiting
