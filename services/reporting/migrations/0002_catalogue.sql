-- What the other indicators are made of: profiles, gatherings, who came. Facts as received, and the dated rows they
-- fold to, by generation as those of members are; names of what is counted, from states, in no generation.

CREATE TABLE profile_fact (
    generation      int         NOT NULL,
    organization_id uuid        NOT NULL,
    version         bigint      NOT NULL,
    id              uuid        NOT NULL,
    type            text        NOT NULL,
    effective       date,
    recorded        timestamptz NOT NULL,
    data            jsonb       NOT NULL,
    PRIMARY KEY (generation, organization_id, version)
);

CREATE TABLE gathering_fact (
    generation   int         NOT NULL,
    gathering_id uuid        NOT NULL,
    version      bigint      NOT NULL,
    id           uuid        NOT NULL,
    type         text        NOT NULL,
    effective    date,
    recorded     timestamptz NOT NULL,
    data         jsonb       NOT NULL,
    PRIMARY KEY (generation, gathering_id, version)
);

CREATE TABLE registration_fact (
    generation      int         NOT NULL,
    registration_id uuid        NOT NULL,
    version         bigint      NOT NULL,
    id              uuid        NOT NULL,
    type            text        NOT NULL,
    effective       date,
    recorded        timestamptz NOT NULL,
    gathering_id    uuid        NOT NULL,
    organization_id uuid,
    price_group     text,
    PRIMARY KEY (generation, registration_id, version)
);

CREATE TABLE sector_period (
    generation      int       NOT NULL,
    organization_id uuid      NOT NULL,
    sector          text      NOT NULL,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX sector_period_of ON sector_period (generation, organization_id);

CREATE TABLE certificate_period (
    generation      int       NOT NULL,
    organization_id uuid      NOT NULL,
    certificate_id  uuid      NOT NULL,
    standard        text      NOT NULL,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX certificate_period_of ON certificate_period (generation, organization_id);
CREATE INDEX certificate_period_ends ON certificate_period (generation, upper(valid));

-- `day` is that on which it begins where it is held; `cluster_id` is the host, null for the network itself.
CREATE TABLE gathering_period (
    generation   int       NOT NULL,
    gathering_id uuid      NOT NULL,
    cluster_id   uuid,
    kind         text      NOT NULL,
    mode         text      NOT NULL,
    state        text,
    status       text      NOT NULL,
    day          date,
    valid        daterange NOT NULL CHECK (NOT isempty(valid)),
    known        tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX gathering_period_of ON gathering_period (generation, gathering_id);
CREATE INDEX gathering_period_by_day ON gathering_period (generation, day);

CREATE TABLE registration_period (
    generation      int       NOT NULL,
    registration_id uuid      NOT NULL,
    gathering_id    uuid      NOT NULL,
    organization_id uuid,
    price_group     text,
    status          text      NOT NULL,
    attended        boolean   NOT NULL,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX registration_period_of ON registration_period (generation, registration_id);
CREATE INDEX registration_period_by_gathering ON registration_period (generation, gathering_id);

-- What joined, left and changed is found from the days of a pair of organisation and cluster.
CREATE INDEX membership_period_of_pair ON membership_period (generation, organization_id, cluster_id);
CREATE INDEX membership_fact_by_day ON membership_fact (generation, type, effective);

-- Names of organisations and gatherings as they are now, so that a list of what is counted can be read and opened.
CREATE TABLE name (
    id      uuid   PRIMARY KEY,
    kind    text   NOT NULL CHECK (kind IN ('organization', 'gathering')),
    slug    text   NOT NULL,
    title   text   NOT NULL,
    version bigint NOT NULL
);

-- An indicator that compares two counts (a share, days) has no whole number; the figures that are published have.
ALTER TABLE dirty ADD COLUMN family text NOT NULL DEFAULT 'members' CHECK (family IN ('members', 'gatherings', 'profiles'));
