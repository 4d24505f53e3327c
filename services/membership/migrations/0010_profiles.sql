-- What organisations can do: codes, certificates, sites, size, branches; and who may see which part of it.

CREATE TABLE profile (
    organization_id uuid   PRIMARY KEY REFERENCES organization,
    size            text   CHECK (size IN ('micro', 'small', 'medium', 'large')),
    parent_id       uuid   REFERENCES organization CHECK (parent_id <> organization_id),
    processes       text[] NOT NULL,
    sectors         text[] NOT NULL,
    products        text[] NOT NULL,
    activities      text[] NOT NULL,
    visibility      jsonb  NOT NULL,
    -- what its codes are called in both languages, without accents and case, for the directory
    words           text   NOT NULL,
    public_words    text   NOT NULL,
    version         bigint NOT NULL CHECK (version > 0)
);
CREATE INDEX profile_words ON profile USING gin (words gin_trgm_ops);
CREATE INDEX profile_branches ON profile (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE certificate (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES profile,
    standard        text NOT NULL,
    body            text NOT NULL,
    number          text,
    scope           text,
    since           date NOT NULL,
    until           date NOT NULL CHECK (since < until)
);
CREATE INDEX certificate_by_organization ON certificate (organization_id);
CREATE INDEX certificate_by_end ON certificate (until);

CREATE TABLE site (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES profile,
    name            text NOT NULL,
    address         text,
    postcode        text,
    city            text,
    state           text CHECK (state ~ '^[A-Z0-9]{1,3}$'),
    country         text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    zone            text
);
CREATE INDEX site_by_organization ON site (organization_id);
