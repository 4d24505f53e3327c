"""Copies of people and of the names that messages need, from membership's states; written whole, erased by key."""

from shared.runtime.privacy import Personal, by_text

PERSONAL = (
    Personal("person", ("name", "mail"), "person_id::text = ANY ($1)", "record"),
    Personal("contact", ("sender_name", "reply_to", "message"),
             by_text("concat_ws(' ', sender_name, reply_to, message)"), "record"),
)  # fmt: skip
"""What access and erasure of a person concern: messages hold an id only, and are given up with it."""

SAVE_PEOPLE = """
INSERT INTO person (person_id, organization_id, name, mail, language)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (person_id) DO UPDATE SET organization_id = excluded.organization_id, name = excluded.name,
    mail = excluded.mail, language = excluded.language
"""
FORGET_REPRESENTED = "DELETE FROM person_organization WHERE person_id = ANY ($1::uuid[])"
SAVE_REPRESENTED = """
INSERT INTO person_organization (person_id, organization_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT DO NOTHING
"""
SAVE_ORGANIZATIONS = """
INSERT INTO organization (organization_id, trade_name) SELECT * FROM unnest($1::uuid[], $2::text[])
ON CONFLICT (organization_id) DO UPDATE SET trade_name = excluded.trade_name
"""
SAVE_CLUSTERS = """
INSERT INTO cluster (cluster_id, name, slug, language, zone)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (cluster_id) DO UPDATE SET name = excluded.name, slug = excluded.slug, language = excluded.language,
    zone = excluded.zone
"""
KEEP_MERGED = """
INSERT INTO merged_organization (organization_id, into_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
ON CONFLICT (organization_id) DO UPDATE SET into_id = excluded.into_id
"""
READDRESS = """
UPDATE notice SET organization_id = present_organization(organization_id) WHERE organization_id = ANY ($1::uuid[])
"""
SAVE_CONTACTS = """
INSERT INTO contact (contact_id, organization_id, sender_name, sender_organization, reply_to, message)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
ON CONFLICT (contact_id) DO UPDATE SET organization_id = excluded.organization_id,
    sender_name = excluded.sender_name, sender_organization = excluded.sender_organization,
    reply_to = excluded.reply_to, message = excluded.message
"""
ERASE_CONTACTS = "DELETE FROM contact WHERE contact_id = ANY ($1::uuid[])"
FORGET_CHOICES = """
DELETE FROM preference WHERE address IN (SELECT address_key(mail) FROM person WHERE person_id = ANY ($1::uuid[]))
"""
ERASE_PEOPLE = "DELETE FROM person WHERE person_id = ANY ($1::uuid[])"
ERASE_ORGANIZATIONS = "DELETE FROM organization WHERE organization_id = ANY ($1::uuid[])"
ERASE_CLUSTERS = "DELETE FROM cluster WHERE cluster_id = ANY ($1::uuid[])"
