-- Who must hear of what. Copies of names and addresses from the state topics, in any order, without foreign keys
-- between them; what a fact asks for (notice); one message for each person it concerns; the attempts to deliver it.
-- Names and addresses stand in the copies only, and are read when a message is sent: erasing a person there is enough.

CREATE TABLE person (
    person_id       uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    name            text NOT NULL,
    mail            text NOT NULL,
    language        text NOT NULL CHECK (language IN ('es', 'en'))
);
CREATE INDEX person_by_organization ON person (organization_id);

CREATE TABLE organization (
    organization_id uuid PRIMARY KEY,
    trade_name      text NOT NULL
);

CREATE TABLE cluster (
    cluster_id uuid PRIMARY KEY,
    name       text NOT NULL,
    slug       text NOT NULL,
    language   text NOT NULL,
    zone       text NOT NULL
);

-- `id` is the fact's own; `open_until` is when a person who turns up is no longer written to.
CREATE TABLE notice (
    id              uuid        PRIMARY KEY,
    subject         text        NOT NULL,
    organization_id uuid        NOT NULL,
    cluster_id      uuid        NOT NULL,
    category        text        NOT NULL,
    effective       date        NOT NULL,
    noticed_at      timestamptz NOT NULL,
    open_until      timestamptz NOT NULL,
    cause           text        NOT NULL,
    traceparent     text
);
CREATE INDEX notice_by_organization ON notice (organization_id, open_until);
CREATE INDEX notice_by_cluster ON notice (cluster_id, open_until);

CREATE TABLE message (
    id            uuid        PRIMARY KEY,
    notice_id     uuid        NOT NULL REFERENCES notice,
    person_id     uuid        NOT NULL,
    subject       text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('due', 'sent', 'failed', 'suppressed', 'erased')),
    created_at    timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    claimed_until timestamptz,
    attempts      int         NOT NULL DEFAULT 0,
    settled_at    timestamptz,
    UNIQUE (notice_id, person_id)
);
CREATE INDEX message_due ON message (due_at, id) WHERE state = 'due';
CREATE INDEX message_by_person ON message (person_id);

CREATE TABLE delivery (
    message_id uuid        NOT NULL REFERENCES message,
    attempt    int         NOT NULL,
    at         timestamptz NOT NULL,
    outcome    text        NOT NULL CHECK (outcome IN ('sent', 'retry', 'failed', 'suppressed')),
    code       int,
    PRIMARY KEY (message_id, attempt)
);

-- Addresses that refused for good, as a hash: nothing personal is kept for it.
CREATE TABLE suppressed_address (
    hash  bytea       PRIMARY KEY,
    since timestamptz NOT NULL,
    code  int         NOT NULL
);
