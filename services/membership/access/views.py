"""Reads of access for its pages: people by role, scope and name with counts, and names for what ids stand for.

A reach limits every read: what belongs to another cluster is neither listed nor counted.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import orjson

from services.membership.access.domain import Account
from services.membership.clusters import store as clusters
from services.membership.organizations import store as organizations
from shared.http.identity import in_force
from shared.http.policy import Span
from shared.postgres.pool import Connection
from shared.postgres.values import sort_key

_MARKED, _PLAIN = "ÁÀÉÈÍÓÚÜÑáàéèíóúüñ", "aaeeiouunaaeeiouun"
# names compare without accents, alike in a database of any collation
FOLDED = f"translate(lower(a.name), '{_MARKED}', '{_PLAIN}')"


def _reached() -> str:
    """How every statement about people begins: who is within reach, what they hold, who of them was asked for."""
    return f"""
reached AS (
    SELECT a.id, {FOLDED} AS key FROM account a
    WHERE a.kind = 'person' AND ($2 OR EXISTS (
        SELECT FROM role_grant r WHERE r.account_id = a.id AND (
            r.scope = 'cluster' AND r.scope_id = ANY ($3::uuid[])
            OR r.scope = 'organization' AND (r.scope_id = ANY ($4::uuid[]) OR EXISTS (
                SELECT FROM membership m WHERE m.organization_id = r.scope_id AND m.cluster_id = ANY ($3::uuid[]))))))
      AND ($5::text IS NULL OR position($5 IN {FOLDED}) > 0 OR position($5 IN a.mail_key) > 0)
), held AS (
    SELECT DISTINCT r.account_id, r.role,
           CASE WHEN r.scope = 'cluster' THEN r.scope_id::text ELSE r.scope END AS held_over
    FROM role_grant r JOIN reached ON reached.id = r.account_id
    WHERE upper_inf(r.period) OR upper(r.period) > $1
), found AS (
    SELECT id, key FROM reached f
    WHERE cardinality($6::text[]) = 0 AND cardinality($7::text[]) = 0 OR EXISTS (
        SELECT FROM held h WHERE h.account_id = f.id AND (cardinality($6) = 0 OR h.role = ANY ($6))
                             AND (cardinality($7) = 0 OR h.held_over = ANY ($7)))
)
"""


PAGE = (
    "WITH "
    + _reached()
    + """
SELECT id FROM found
WHERE $8::uuid IS NULL OR (key COLLATE "C", id) > (SELECT key COLLATE "C", id FROM reached WHERE id = $8)
ORDER BY key COLLATE "C", id LIMIT $9
"""
)
COUNTS = (
    "WITH "
    + _reached()
    + """
SELECT 'role' AS what, role AS value, count(DISTINCT account_id) AS count FROM held
WHERE cardinality($7) = 0 OR held_over = ANY ($7) GROUP BY role
UNION ALL
SELECT 'over', held_over, count(DISTINCT account_id) FROM held
WHERE cardinality($6) = 0 OR role = ANY ($6) GROUP BY held_over
UNION ALL
SELECT 'all', '', count(*) FROM found
"""
)
PERSON = "WITH " + _reached() + "SELECT id FROM found WHERE id = $8"
SEEN = "SELECT account_id, max(seen_at) AS at FROM session WHERE account_id = ANY ($1::uuid[]) GROUP BY account_id"
COMPANIES = """
SELECT o.id, o.trade_name, o.legal_name, o.sort_key FROM organization o
WHERE ($1 OR o.id = ANY ($3::uuid[]) OR EXISTS (
    SELECT FROM membership m WHERE m.organization_id = o.id AND m.cluster_id = ANY ($2::uuid[])))
  AND (position($4 IN o.sort_key) > 0 OR o.tax_number = $5)
ORDER BY o.sort_key <> $4, o.sort_key, o.id LIMIT $6
"""
NAMES = "SELECT id, name FROM account WHERE id = ANY ($1::uuid[])"


class Asked(NamedTuple):
    """What of the list is asked for. `overs` are "network", "organization" or ids of clusters."""

    roles: Sequence[str] = ()
    overs: Sequence[str] = ()
    text: str | None = None


class Counts(NamedTuple):
    """How many people each filter value would leave, and how many there are with these filters."""

    roles: dict[str, int]
    overs: dict[str, int]
    total: int


class Company(NamedTuple):
    """An organisation that a name may mean. `exact`: it is called just so."""

    id: UUID
    trade_name: str
    legal_name: str
    exact: bool


def _given(asked: Asked, span: Span, today: date) -> list[object]:
    text = (asked.text or "").strip().lower().translate(str.maketrans(_MARKED, _PLAIN))
    return [today, *span, text or None, list(asked.roles), list(asked.overs)]


async def people(
    connection: Connection, asked: Asked, span: Span, today: date, after: UUID | None, limit: int
) -> list[UUID]:
    """The ids of at most `limit` people within reach behind one of them, by name."""
    return [row["id"] for row in await connection.fetch(PAGE, *_given(asked, span, today), after, limit)]


async def counts(connection: Connection, asked: Asked, span: Span, today: date) -> Counts:
    """The counts beside the filters."""
    made = Counts({}, {}, 0)
    for row in await connection.fetch(COUNTS, *_given(asked, span, today)):
        if row["what"] == "all":
            made = made._replace(total=row["count"])
        else:
            (made.roles if row["what"] == "role" else made.overs)[row["value"]] = row["count"]
    return made


async def reached(connection: Connection, id_: UUID, span: Span, today: date) -> bool:
    """Whether this is somebody within reach."""
    return await connection.fetchval(PERSON, *_given(Asked(), span, today), id_) is not None


async def seen(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, object]:
    """When each of these was last signed in; who never was is left out."""
    return {row["account_id"]: row["at"] for row in await connection.fetch(SEEN, ids)}


async def scopes(connection: Connection, accounts: Iterable[Account]) -> dict[UUID, str]:
    """The names of the clusters and organisations over which these hold roles."""
    grants = [grant for account in accounts for grant in account.grants if grant.scope_id is not None]
    return await named(
        connection,
        clusters_={g.scope_id for g in grants if g.scope == "cluster" and g.scope_id},
        organizations_={g.scope_id for g in grants if g.scope == "organization" and g.scope_id},
    )


async def named(
    connection: Connection, *, clusters_: Iterable[UUID], organizations_: Iterable[UUID]
) -> dict[UUID, str]:
    """The names of clusters and organisations by id."""
    found = {one.id: one.name for one in await clusters.load(connection, list(clusters_))}
    return found | {one.id: one.trade_name for one in await organizations.load(connection, list(organizations_))}


async def actors(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """What those who acted are called: accounts by id, programs as "program:<id>"; others are not in it."""
    ids: dict[UUID, str] = {}
    for name in names:
        try:
            ids[UUID(name.removeprefix("program:"))] = name
        except ValueError:
            continue
    return {ids[row["id"]]: row["name"] for row in await connection.fetch(NAMES, list(ids))}


async def companies(connection: Connection, text: str, span: Span, limit: int) -> list[Company]:
    """Organisations within reach whose name contains a text, or that have it as tax number; exact ones first."""
    key = sort_key(text)
    rows = await connection.fetch(COMPANIES, *span, key or "\x7f", text.strip().upper(), limit)
    return [Company(row["id"], row["trade_name"], row["legal_name"], row["sort_key"] == key) for row in rows]


async def all_clusters(connection: Connection, span: Span) -> list[tuple[UUID, str]]:
    """The clusters within reach with their names, by name."""
    everything, ids, _ = span
    found = await clusters.page(connection, None, 500) if everything else await clusters.load(connection, ids)
    return sorted(((one.id, one.name) for one in found), key=lambda pair: sort_key(pair[1]))


GRANTS = "SELECT grants::text FROM access_copy WHERE subject_id = $1"


async def reaches_network(connection: Connection, actor: str, roles: Sequence[str], today: date) -> bool:
    """Whether whoever acts holds one of these roles over the whole network today, or is the installation itself."""
    try:
        subject = UUID(actor.removeprefix("program:"))
    except ValueError:
        return True
    grants = await connection.fetchval(GRANTS, subject)
    return any(one.role in roles and one.scope == "network" for one in in_force(orjson.loads(grants or "[]"), today))
