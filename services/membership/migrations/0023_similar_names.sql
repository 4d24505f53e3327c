-- Pairs of organisations with nearly the same name, or with one tax number in two countries: found when a name or number is
-- new, and kept, so that the list of likely duplicates does not compare everybody with everybody each time.
CREATE TABLE similar_pair (
    one      uuid   NOT NULL REFERENCES organization ON DELETE CASCADE,
    other    uuid   NOT NULL REFERENCES organization ON DELETE CASCADE CHECK (other > one),
    likeness float8 NOT NULL,
    by_name  boolean NOT NULL,
    by_tax   boolean NOT NULL,
    PRIMARY KEY (one, other)
);
CREATE INDEX similar_pair_by_other ON similar_pair (other);

-- As which name and number an organisation was compared last.
CREATE TABLE compared (
    organization_id uuid PRIMARY KEY REFERENCES organization ON DELETE CASCADE,
    normalised_name text NOT NULL,
    tax_number      text
);
CREATE INDEX organization_by_tax_number_alone ON organization (tax_number) WHERE tax_number IS NOT NULL;
