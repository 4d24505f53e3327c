-- A person may speak for several organisations: for which, apart from who they are.

CREATE TABLE person_organization (
    person_id       uuid NOT NULL,
    organization_id uuid NOT NULL,
    PRIMARY KEY (person_id, organization_id)
);
CREATE INDEX person_organization_by_organization ON person_organization (organization_id);
INSERT INTO person_organization (person_id, organization_id) SELECT person_id, organization_id FROM person;
DROP INDEX person_by_organization;
