"""The directory search beside a raw baseline: words and facets over 5,000 and 50,000 organisations with profiles.

The baseline is one `LIKE` over the same words, without facets, counts, memberships and who may see what.
"""

import random
import time
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat as uuid_utils

from services.membership.directory import views
from services.membership.directory.domain import Asked
from services.membership.places import STATES
from services.membership.profiles.domain import Profile, codes
from shared.postgres.pool import Connection, open_database
from shared.postgres.values import sort_key
from tests.load.ground import Ground, Say, median, quantile

QUERIES = (
    Asked(),
    Asked("troquelado"),
    Asked("presses steel nuevo leon"),
    Asked("iatf inyeccion", state=("JAL",)),
    Asked(process=("stamping", "welding"), standard=("iatf_16949",)),
    Asked("8708.29"),
    Asked("arneses 4711"),
)
RAW = "SELECT count(*) FROM profile WHERE words LIKE '%' || $1 || '%'"


async def directory(at: Ground, say: Say, rounds: int = 5) -> None:
    """One page with its facets, p50 and the slowest of all queries, at two sizes."""
    settings = at.settings("membership").postgres("membership")
    async with open_database(settings, schema="membership", application="load", size=2) as database:
        known = 0
        for size in (5_000, 50_000):
            async with database.connection() as connection:
                await _fill(connection, known, size)
                known = size
                today = datetime.now(UTC).date()
                times: list[float] = []
                raw: list[float] = []
                for _ in range(rounds):
                    for asked in QUERIES:
                        begun = time.perf_counter()
                        await views.counts(connection, asked, today, "network")
                        await views.rows(connection, asked, today, "network", limit=49)
                        times.append(time.perf_counter() - begun)
                        begun = time.perf_counter()
                        await connection.fetchval(RAW, "troquelado")
                        raw.append(time.perf_counter() - begun)
            say(
                f"directory, {size:,} organisations: page with facets p50 {median(times) * 1000:,.0f} ms,"
                f" p99 {quantile(times, 0.99) * 1000:,.0f} ms; raw LIKE {median(raw) * 1000:,.0f} ms"
                f" (goal at 5,000: within 200 ms)"
            )


async def _fill(connection: Connection, known: int, size: int) -> None:
    chance = random.Random(7)
    network, cluster = uuid_utils.uuid7(), uuid_utils.uuid7()
    await connection.execute("INSERT INTO network VALUES ($1, $2, 'Load')", network, f"load-{known}")
    await connection.execute(
        "INSERT INTO cluster (id, network_id, slug, name, sort_key, country, state, zone, language, version)"
        " VALUES ($1, $2, $3, 'Load', 'load', 'MX', 'JAL', 'America/Mexico_City', 'es', 1)",
        cluster, network, f"load-{known}",
    )  # fmt: skip
    ids: list[UUID] = [uuid_utils.uuid7() for _ in range(known, size)]
    states, processes, sectors = list(STATES), list(codes.known("processes")), list(codes.known("sectors"))
    products = [code for code in codes.known("products") if code.startswith(("39", "73", "85", "87")) and len(code) > 4]
    names = [f"{chance.choice(('Troquelados', 'Arneses', 'Moldes', 'Maquinados'))} {n}" for n in range(known, size)]
    await connection.copy_records_to_table(
        "organization",
        records=[(id_, f"load-{n}", name, name, sort_key(name).replace("\x7f", ""), sort_key(name), "company", "MX",
                  chance.choice(states), "Ciudad", None, 1)
                 for n, (id_, name) in enumerate(zip(ids, names, strict=True), known)],
        columns=("id", "slug", "legal_name", "trade_name", "normalised_name", "sort_key", "type", "country", "state",
                 "city", "tax_number", "version"),
    )  # fmt: skip
    await connection.copy_records_to_table(
        "membership",
        records=[(uuid_utils.uuid7(), id_, cluster, "associate", "active", 1) for id_ in ids],
        columns=("id", "organization_id", "cluster_id", "category", "standing", "version"),
    )
    profiles = [
        Profile(id_, size="medium", processes=tuple(chance.sample(processes, 3)),
                sectors=tuple(chance.sample(sectors, 2)), products=tuple(chance.sample(products, 3)))
        for id_ in ids
    ]  # fmt: skip
    await connection.copy_records_to_table(
        "profile",
        records=[(p.organization_id, p.size, list(p.processes), list(p.sectors), list(p.products), [], "{}",
                  p.words("network"), "", 1) for p in profiles],
        columns=("organization_id", "size", "processes", "sectors", "products", "activities", "visibility", "words",
                 "public_words", "version"),
    )  # fmt: skip
    today = datetime.now(UTC).date()
    await connection.copy_records_to_table(
        "certificate",
        records=[(uuid_utils.uuid7(), id_, chance.choice(("iatf_16949", "iso_9001", "iso_14001")), "Body",
                  today.replace(year=today.year - 1), today.replace(year=today.year + 1)) for id_ in ids],
        columns=("id", "organization_id", "standard", "body", "since", "until"),
    )  # fmt: skip
