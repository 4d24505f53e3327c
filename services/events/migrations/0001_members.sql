-- This service's own copy of who is a member: filled from the state topics of membership, in any order.
-- No foreign keys: nothing is promised between keys, so a standing may come before its organisation.

CREATE TABLE organization (
    organization_id uuid PRIMARY KEY,
    slug            text NOT NULL,
    legal_name      text NOT NULL,
    trade_name      text NOT NULL,
    type            text NOT NULL,
    country         text NOT NULL,
    state           text,
    city            text
);

CREATE TABLE cluster (
    cluster_id uuid PRIMARY KEY,
    slug       text NOT NULL,
    name       text NOT NULL,
    zone       text NOT NULL,
    language   text NOT NULL
);

CREATE TABLE standing (
    membership_id   uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    cluster_id      uuid NOT NULL,
    category        text NOT NULL,
    standing        text NOT NULL,
    since           date,
    until           date
);
CREATE INDEX standing_by_cluster ON standing (cluster_id, membership_id);
CREATE INDEX standing_by_organization ON standing (organization_id);
