-- Editions of the same thing, of one host, carry the same name of a series, so that they can be compared.
ALTER TABLE gathering ADD COLUMN series text CHECK (length(series) BETWEEN 1 AND 300);
CREATE INDEX gathering_by_series ON gathering (lower(series)) WHERE series IS NOT NULL;

-- What an organisation takes part in is asked for on its page.
CREATE INDEX registration_by_organization ON registration (organization_id);
