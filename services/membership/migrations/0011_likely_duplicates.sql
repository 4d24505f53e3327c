-- Names that are nearly the same are found by their trigrams.
CREATE INDEX organization_by_similar_name ON organization USING gin (normalised_name gin_trgm_ops);
CREATE INDEX person_by_mail_domain ON person ((split_part(mail_key, '@', 2)));
