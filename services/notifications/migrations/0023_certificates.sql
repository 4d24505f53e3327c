-- Certificates of members, from their profiles: their representatives are reminded before one ends. Such a notice is about
-- a company and no cluster.
CREATE TABLE certificate (
    certificate_id  uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    standard        text NOT NULL,
    body            text NOT NULL,
    until           date NOT NULL
);
CREATE INDEX certificate_by_organization ON certificate (organization_id);
CREATE INDEX certificate_by_end ON certificate (until);
ALTER TABLE notice ADD COLUMN certificate_id uuid;
