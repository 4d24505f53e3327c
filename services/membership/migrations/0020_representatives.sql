-- Who speaks for which organisation, as what and when; what they agreed to; how many a membership may have.
-- A person is known by mail: those who were kept once for each organisation become one, with the oldest id.

CREATE TABLE person_organization (
    person_id       uuid      NOT NULL REFERENCES person ON DELETE CASCADE,
    organization_id uuid      NOT NULL REFERENCES organization,
    role            text      NOT NULL CHECK (role IN ('general_manager', 'human_resources', 'purchasing', 'quality',
        'sales', 'plant', 'legal_representative', 'main_contact', 'other')),
    main            boolean   NOT NULL,
    phone           text,
    period          daterange NOT NULL CHECK (NOT lower_inf(period) AND NOT isempty(period)),
    CONSTRAINT person_speaks_once_at_a_time PRIMARY KEY (person_id, organization_id, period WITHOUT OVERLAPS),
    CONSTRAINT main_contact_is_one EXCLUDE USING gist (organization_id WITH =, period WITH &&) WHERE (main)
);
CREATE INDEX person_organization_by_organization ON person_organization (organization_id);

-- The day is not known from which they spoke: the day of this migration is what can be said.
INSERT INTO person_organization (person_id, organization_id, role, main, period)
SELECT first_value(id) OVER (PARTITION BY mail_key ORDER BY id), organization_id, 'other',
       row_number() OVER (PARTITION BY organization_id ORDER BY id) = 1, daterange(current_date, NULL)
FROM person;
-- records without a value for these are published by the next look at the topics against the tables
DELETE FROM person p WHERE EXISTS (SELECT FROM person q WHERE q.mail_key = p.mail_key AND q.id < p.id);
UPDATE person SET version = version + 1;
ALTER TABLE person DROP CONSTRAINT person_mail_is_unique_in_organization;
ALTER TABLE person ADD CONSTRAINT person_mail_is_unique UNIQUE (mail_key);

-- What somebody agreed to or withdrew: lines are added, never changed; they go with the person.
CREATE TABLE consent (
    id        uuid        PRIMARY KEY,
    person_id uuid        NOT NULL REFERENCES person ON DELETE CASCADE,
    purpose   text        NOT NULL CHECK (purpose IN ('directory', 'events', 'announcements')),
    given     boolean     NOT NULL,
    at        timestamptz NOT NULL,
    note      text        NOT NULL,
    actor     text        NOT NULL
);
CREATE INDEX consent_by_person ON consent (person_id, id);

-- From which day on at most so many speak for a member of a cluster.
CREATE TABLE representative_cap (
    cluster_id uuid      NOT NULL REFERENCES cluster,
    period     daterange NOT NULL CHECK (NOT lower_inf(period) AND NOT isempty(period)),
    most       integer   NOT NULL CHECK (most BETWEEN 1 AND 500),
    CONSTRAINT representative_caps_do_not_overlap PRIMARY KEY (cluster_id, period WITHOUT OVERLAPS)
);
