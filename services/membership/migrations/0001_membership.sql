-- Who exists and who belongs: networks, clusters, organisations, memberships, representatives.
-- What must never be (two memberships of a pair, overlapping bands, a tax number twice) is refused here.

CREATE TABLE network (
    id   uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL
);

CREATE TABLE cluster (
    id         uuid   PRIMARY KEY,
    network_id uuid   NOT NULL REFERENCES network,
    slug       text   NOT NULL CONSTRAINT cluster_slug_is_unique UNIQUE,
    name       text   NOT NULL,
    sort_key   text   COLLATE "C" NOT NULL,
    country    text   NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    state      text   NOT NULL CHECK (state ~ '^[A-Z0-9]{1,3}$'),
    zone       text   NOT NULL,
    language   text   NOT NULL CHECK (language IN ('es', 'en')),
    version    bigint NOT NULL CHECK (version > 0)
);

-- When a cluster belonged to the network; the last day is the day before the end of the period.
CREATE TABLE cluster_in_network (
    cluster_id uuid      NOT NULL REFERENCES cluster,
    network_id uuid      NOT NULL REFERENCES network,
    period     daterange NOT NULL CHECK (NOT lower_inf(period)),
    PRIMARY KEY (cluster_id, period WITHOUT OVERLAPS)
);

CREATE TABLE organization (
    id              uuid   PRIMARY KEY,
    slug            text   NOT NULL CONSTRAINT organization_slug_is_unique UNIQUE,
    legal_name      text   NOT NULL,
    trade_name      text   NOT NULL,
    normalised_name text   NOT NULL,
    sort_key        text   COLLATE "C" NOT NULL,
    type            text   NOT NULL
        CHECK (type IN ('company', 'university', 'research_centre', 'government', 'association')),
    country         text   NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    state           text   CHECK (state ~ '^[A-Z0-9]{1,3}$'),
    city            text,
    tax_number      text,
    version         bigint NOT NULL CHECK (version > 0),
    CONSTRAINT organization_tax_number_is_unique UNIQUE (country, tax_number)
);
CREATE INDEX organization_by_name ON organization (normalised_name);

CREATE TABLE organization_position (
    organization_id uuid      NOT NULL REFERENCES organization,
    position        text      NOT NULL
        CHECK (position IN ('oem', 'tier1', 'tier2', 'tier3', 'service', 'raw_material')),
    period          daterange NOT NULL CHECK (NOT lower_inf(period)),
    PRIMARY KEY (organization_id, position, period WITHOUT OVERLAPS)
);

-- One row per organisation and cluster, through all of its lives.
CREATE TABLE membership (
    id              uuid   PRIMARY KEY,
    organization_id uuid   NOT NULL REFERENCES organization,
    cluster_id      uuid   NOT NULL REFERENCES cluster,
    category        text   NOT NULL CHECK (category IN ('associate', 'affiliate', 'honorary')),
    standing        text   NOT NULL CHECK (standing IN
        ('applied', 'approved', 'active', 'grace', 'lapsed', 'resigned', 'expelled', 'refused')),
    applied_on      date,
    approved_on     date,
    since           date,
    until           date,
    version         bigint NOT NULL CHECK (version > 0),
    CONSTRAINT membership_is_one_per_organization_and_cluster UNIQUE (organization_id, cluster_id)
);
CREATE INDEX membership_by_cluster ON membership (cluster_id, id);

-- The days on which a membership was in force, and as what.
CREATE TABLE membership_band (
    membership_id uuid      NOT NULL REFERENCES membership,
    period        daterange NOT NULL CHECK (NOT lower_inf(period)),
    category      text      NOT NULL CHECK (category IN ('associate', 'affiliate', 'honorary')),
    CONSTRAINT membership_bands_do_not_overlap PRIMARY KEY (membership_id, period WITHOUT OVERLAPS)
);

-- Representatives. An erased one has no row.
CREATE TABLE person (
    id              uuid   PRIMARY KEY,
    organization_id uuid   NOT NULL REFERENCES organization,
    name            text   NOT NULL,
    mail            text   NOT NULL,
    mail_key        text   NOT NULL,
    language        text   NOT NULL CHECK (language IN ('es', 'en')),
    version         bigint NOT NULL CHECK (version > 0),
    CONSTRAINT person_mail_is_unique_in_organization UNIQUE (organization_id, mail_key)
);

-- What facts must not hold: why something was done, and what the texts were before.
CREATE TABLE change_log (
    aggregate text        NOT NULL,
    id        uuid        NOT NULL,
    version   bigint      NOT NULL,
    at        timestamptz NOT NULL,
    actor     text        NOT NULL,
    cause     text        NOT NULL,
    note      text,
    fields    jsonb,
    PRIMARY KEY (aggregate, id, version)
);
