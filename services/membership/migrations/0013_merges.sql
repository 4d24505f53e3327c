-- Organisations that turned out to be one: the old id and address lead to the one that stays; histories of both are kept.

CREATE TABLE merged_organization (
    id         uuid        PRIMARY KEY,
    into_id    uuid        NOT NULL REFERENCES organization,
    slug       text        NOT NULL UNIQUE,
    legal_name text        NOT NULL,
    trade_name text        NOT NULL,
    country    text        NOT NULL,
    tax_number text,
    merged_at  timestamptz NOT NULL,
    merged_by  text        NOT NULL,
    CHECK (id <> into_id)
);
CREATE INDEX merged_organization_by_successor ON merged_organization (into_id);

-- A membership that goes on as another one of the same organisation and cluster, with the days on which it was in force.
CREATE TABLE merged_membership (
    id              uuid PRIMARY KEY,
    into_id         uuid NOT NULL REFERENCES membership,
    organization_id uuid NOT NULL, -- whose it was
    category        text NOT NULL,
    bands           jsonb NOT NULL,
    version         bigint NOT NULL CHECK (version > 0)
);
CREATE INDEX merged_membership_by_successor ON merged_membership (into_id);

-- Pairs that somebody looked at and found to be two.
CREATE TABLE not_duplicate (
    one   uuid        NOT NULL REFERENCES organization ON DELETE CASCADE,
    other uuid        NOT NULL REFERENCES organization ON DELETE CASCADE,
    by    text        NOT NULL,
    at    timestamptz NOT NULL,
    PRIMARY KEY (one, other),
    CHECK (one < other)
);
