"""Copies of gatherings and of who is registered, from the states of events; written whole, erased by key."""

from shared.runtime.privacy import Personal

PERSONAL = (Personal("registration", ("name", "mail", "check_in_code", "join_url"),
                     "registration_id::text = ANY ($1)", "record"),)  # fmt: skip
"""What access and erasure of a person concern: a registration goes with the record without a value."""

SAVE_GATHERINGS = """
INSERT INTO gathering (gathering_id, cluster_id, slug, status, kind, title, summary, mode, starts, ends, zone, place,
                       sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::int[])
ON CONFLICT (gathering_id) DO UPDATE SET cluster_id = excluded.cluster_id, slug = excluded.slug,
    status = excluded.status, kind = excluded.kind, title = excluded.title, summary = excluded.summary,
    mode = excluded.mode, starts = excluded.starts, ends = excluded.ends, zone = excluded.zone,
    place = excluded.place, sequence = excluded.sequence
"""
SAVE_REGISTRATIONS = """
INSERT INTO registration (registration_id, gathering_id, organization_id, status, name, mail, language, amount,
                          currency, price_group, offer_until, join_url, check_in_code)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::timestamptz[], $12::text[], $13::text[])
ON CONFLICT (registration_id) DO UPDATE SET gathering_id = excluded.gathering_id,
    organization_id = excluded.organization_id, status = excluded.status, name = excluded.name, mail = excluded.mail,
    language = excluded.language, amount = excluded.amount, currency = excluded.currency,
    price_group = excluded.price_group, offer_until = excluded.offer_until, join_url = excluded.join_url,
    check_in_code = excluded.check_in_code
"""
ERASE_GATHERINGS = "DELETE FROM gathering WHERE gathering_id = ANY ($1::uuid[])"
ERASE_REGISTRATIONS = "DELETE FROM registration WHERE registration_id = ANY ($1::uuid[])"
NEAR = """
SELECT gathering_id, cluster_id, starts, zone FROM gathering
WHERE status IN ('published', 'postponed') AND starts > $1 AND starts < $2 ORDER BY starts, gathering_id
"""
