"""The whole beside a raw baseline: the import of a large register, and the memory of each process over a million facts.

Services run as processes of their own, as `cumulo serve` starts them.
"""

import asyncio
import csv
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import uuid_utils.compat as uuid_utils

from shared.contracts.membership import MembershipActivated, OrganizationRegistered
from shared.messaging.outbox import Record, record
from shared.postgres.pool import open_database
from shared.runtime.settings import SERVICES
from tests.load.ground import Ground, Say, median

ROWS = 100_000
FACTS = 1_000_000
HEADER = ["Razón social", "Nombre comercial", "Tipo", "Posición", "Categoría", "Estado", "Ciudad",
          "Fecha de ingreso", "Representante", "Correo"]  # fmt: skip
COMMAND = (sys.executable, "-m", "services.cli")


def environment(at: Ground, service: str, **more: str) -> dict[str, str]:
    """The environment of one service's process."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CUMULO_")}
    return plain | {
        "CUMULO_ENVIRONMENT": "test",
        "CUMULO_REPLICA": f"load-{service}",
        "CUMULO_POSTGRES_HOST": at.cluster.host,
        "CUMULO_POSTGRES_PORT": str(at.cluster.port),
        "CUMULO_POSTGRES_DATABASE": at.cluster.database,
        "CUMULO_POSTGRES_PASSWORD": at.password(service),
        "CUMULO_KAFKA": at.kafka,
        "CUMULO_TOPIC_PREFIX": at.prefix,
        "CUMULO_SERVICE_TOKEN": "token-of-the-load-tests",
        "CUMULO_LOG_LEVEL": "error",
        **more,
    }


async def _command(at: Ground, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=environment(at, "membership"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    return out.decode()


async def imports(at: Ground, say: Say, rounds: int = 3) -> None:
    """`cumulo import members` of 100,000 new rows as a command, against reading the file and copying its rows raw."""
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for n in range(rounds):
            sheet = Path(folder) / f"members{n}.csv"
            _write_sheet(sheet, n)
            await _command(at, "cluster", "add", f"Load {n}", "--slug", f"load-{n}", "--state", "JAL")
            raw = await _raw_copy(at, sheet, n)
            started = time.perf_counter()
            out = await _command(
                at, "import", "members", str(sheet), "--cluster", f"load-{n}", "--json", "--no-welcome"
            )
            rate = ROWS / (time.perf_counter() - started)
            counts = orjson.loads(out)["counts"]
            assert counts["new"] == ROWS, counts
            rates.append(rate)
            say(f"import: {rate:,.0f} rows/s as a command, raw read and copy: {raw:,.0f} rows/s")
    say(f"import of {ROWS:,} rows, median of {rounds}: {median(rates):,.0f} rows/s (goal: at least 5,000)")


def _write_sheet(sheet: Path, n: int) -> None:
    with sheet.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file)
        write.writerow(HEADER)
        for i in range(ROWS):
            write.writerow([f"Maquinados de prueba {n}-{i} SA de CV", f"Maquinados {n}-{i}", "empresa", "Tier 2",
                            "asociado", "Jalisco", "Guadalajara", "2026-01-15", f"Persona {i}",
                            f"persona{n}-{i}@firma{i}.example"])  # fmt: skip


async def _raw_copy(at: Ground, sheet: Path, n: int) -> float:
    async with at.cluster.connection() as connection:
        columns = [f"c{i}" for i in range(len(HEADER))]
        await connection.execute(f"CREATE TABLE load_raw{n} ({', '.join(f'{c} text' for c in columns)})")
        started = time.perf_counter()
        with sheet.open(encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        await connection.copy_records_to_table(f"load_raw{n}", records=rows, columns=columns)
        return ROWS / (time.perf_counter() - started)


@asynccontextmanager
async def _served(at: Ground, folder: Path) -> AsyncIterator[dict[str, int]]:
    """The four services as processes; gives their process ids."""
    processes = {}
    try:
        for service in SERVICES:
            env = environment(at, service, CUMULO_MAIL_FOLDER=str(folder / "mail"), CUMULO_LOG_LEVEL="info")
            log = (folder / f"{service}.log").open("wb")
            processes[service] = await asyncio.create_subprocess_exec(
                *COMMAND, "serve", service, "--port", "0", env=env, stdout=log, stderr=log
            )
        for service in SERVICES:
            async with asyncio.timeout(60):
                while b"service.listening" not in (folder / f"{service}.log").read_bytes():
                    await asyncio.sleep(0.1)
        yield {service: process.pid for service, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes.values()))


def _resident(pid: int) -> int:
    """Resident memory in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def _facts(count: int, cluster: object) -> Sequence[Record]:
    today = date(2026, 1, 1)
    made: list[Record] = []
    for _ in range(count // 2):
        organization, membership = uuid_utils.uuid7(), uuid_utils.uuid7()
        made.append(
            Record(str(organization), 1, OrganizationRegistered(
                organization_id=organization, type="company", country="MX", state="JAL", positions=[]), today)
        )  # fmt: skip
        made.append(
            Record(str(membership), 1, MembershipActivated(
                membership_id=membership, organization_id=organization, cluster_id=cluster,  # type: ignore[arg-type]
                category="associate", origin="import", announce=False), today)
        )  # fmt: skip
    return made


async def memory(at: Ground, say: Say, facts: int = FACTS) -> None:
    """Resident memory of each service's process while facts go from the outbox into every listener's tables."""
    tenth = facts // 10
    cluster = uuid_utils.uuid7()
    samples: dict[str, list[int]] = {service: [] for service in SERVICES}
    settings = at.settings("membership")
    with tempfile.TemporaryDirectory() as folder:
        async with (
            _served(at, Path(folder)) as pids,
            open_database(settings.postgres("membership"), schema="membership") as writer,
            at.cluster.connection() as admin,
        ):
            started = time.perf_counter()
            for n in range(1, 11):
                for _ in range(tenth // 1000):
                    async with writer.unit(actor="cli", cause="load", now=datetime.now(UTC)) as unit:
                        await record(unit, _facts(1000, cluster))
                    while await admin.fetchval("SELECT count(*) FROM membership.outbox") > 20_000:
                        await asyncio.sleep(0.05)
                while await admin.fetchval("SELECT count(*) FROM reporting.inbox") < n * tenth:
                    await asyncio.sleep(0.1)
                for service, pid in pids.items():
                    samples[service].append(_resident(pid))
            seconds = time.perf_counter() - started
    say(f"memory: {facts:,} facts through four services in {seconds:,.0f} s ({facts / seconds:,.0f}/s)")
    for service, values in samples.items():
        say(
            f"memory of {service}: second tenth {values[1] / 1024:.0f} MB, last tenth {values[-1] / 1024:.0f} MB,"
            f" ratio {values[-1] / values[1]:.2f} (goal: at most 1.10)"
        )
