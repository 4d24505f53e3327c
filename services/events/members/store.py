"""The tables of the copy: rows written whole, many at once, and erased by key."""

SAVE_ORGANIZATIONS = """
INSERT INTO organization (organization_id, slug, legal_name, trade_name, type, country, state, city)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
ON CONFLICT (organization_id) DO UPDATE SET slug = excluded.slug, legal_name = excluded.legal_name,
    trade_name = excluded.trade_name, type = excluded.type, country = excluded.country, state = excluded.state,
    city = excluded.city
"""
SAVE_CLUSTERS = """
INSERT INTO cluster (cluster_id, slug, name, zone, language)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (cluster_id) DO UPDATE SET slug = excluded.slug, name = excluded.name, zone = excluded.zone,
    language = excluded.language
"""
SAVE_STANDINGS = """
INSERT INTO standing (membership_id, organization_id, cluster_id, category, standing, since, until)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::date[])
ON CONFLICT (membership_id) DO UPDATE SET organization_id = excluded.organization_id,
    cluster_id = excluded.cluster_id, category = excluded.category, standing = excluded.standing,
    since = excluded.since, until = excluded.until
"""
SAVE_BRANCHES = """
INSERT INTO branch (organization_id, parent_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT (organization_id) DO UPDATE SET parent_id = excluded.parent_id
"""
KEEP_MERGED = """
INSERT INTO merged_organization (organization_id, into_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT (organization_id) DO UPDATE SET into_id = excluded.into_id
"""
SAVE_NETWORKS = """
INSERT INTO cluster_network (cluster_id, network_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT (cluster_id) DO UPDATE SET network_id = excluded.network_id
"""
ERASE_NETWORKS = "DELETE FROM cluster_network WHERE cluster_id = ANY ($1::uuid[])"
ERASE_ORGANIZATIONS = "DELETE FROM organization WHERE organization_id = ANY ($1::uuid[])"
ERASE_BRANCHES = "DELETE FROM branch WHERE organization_id = ANY ($1::uuid[])"
ERASE_CLUSTERS = "DELETE FROM cluster WHERE cluster_id = ANY ($1::uuid[])"
ERASE_STANDINGS = "DELETE FROM standing WHERE membership_id = ANY ($1::uuid[])"
