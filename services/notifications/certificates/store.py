"""Copies of certificates, from the states of profiles; written whole for each organisation, erased with it."""

FORGET = "DELETE FROM certificate WHERE organization_id = ANY ($1::uuid[])"
SAVE = """
INSERT INTO certificate (certificate_id, organization_id, standard, body, until)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[])
ON CONFLICT (certificate_id) DO UPDATE SET organization_id = excluded.organization_id, standard = excluded.standard,
    body = excluded.body, until = excluded.until
"""
ENDING = """
SELECT certificate_id, organization_id, until FROM certificate
WHERE until > $1 AND until <= $1 + 60 ORDER BY until, certificate_id
"""
