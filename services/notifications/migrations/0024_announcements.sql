-- What somebody writes to all organisations of a segment of the register: prepared by one, released by another. The
-- addressees are fixed when it is prepared, so that what goes out is what was looked at.
CREATE TABLE segment (
    segment_id       uuid        PRIMARY KEY,
    cluster_id       uuid,
    drawn_at         timestamptz NOT NULL,
    organization_ids uuid[]      NOT NULL,
    too_many         boolean     NOT NULL
);

CREATE TABLE announcement (
    id               uuid        PRIMARY KEY,
    cluster_id       uuid,
    segment_id       uuid        NOT NULL,
    status           text        NOT NULL CHECK (status IN ('draft', 'ready', 'released', 'stopped')),
    title_es         text        NOT NULL,
    body_es          text        NOT NULL,
    title_en         text        NOT NULL,
    body_en          text        NOT NULL,
    acknowledge      boolean     NOT NULL,
    send_at          timestamptz,
    organization_ids uuid[]      NOT NULL DEFAULT '{}',
    drawn_at         timestamptz,
    made_by          text        NOT NULL,
    made_at          timestamptz NOT NULL,
    prepared_by      text,
    prepared_at      timestamptz,
    released_by      text,
    released_at      timestamptz,
    stopped_by       text,
    stopped_at       timestamptz,
    revision         bigint      NOT NULL,
    version          bigint      NOT NULL,
    CHECK (status = 'draft' OR prepared_by IS NOT NULL),
    CHECK (status NOT IN ('released', 'stopped') OR (released_by IS NOT NULL AND released_by <> prepared_by))
);
CREATE INDEX announcement_by_time ON announcement (made_at DESC, id DESC);

ALTER TABLE notice ADD COLUMN announcement_id uuid;
CREATE UNIQUE INDEX notice_by_announcement ON notice (announcement_id) WHERE announcement_id IS NOT NULL;

-- For which of several organisations a message went to somebody, where its notice does not say; and how many facts were
-- told of it.
ALTER TABLE message ADD COLUMN organization_id uuid;
ALTER TABLE message ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE message DROP CONSTRAINT message_state_check;
ALTER TABLE message ADD CONSTRAINT message_state_check
    CHECK (state IN ('due', 'sent', 'failed', 'suppressed', 'muted', 'stopped', 'erased'));

-- The first thing that a reader did with a message.
CREATE TABLE answer (
    message_id uuid        PRIMARY KEY REFERENCES message,
    how        text        NOT NULL CHECK (how IN ('read', 'acknowledged')),
    at         timestamptz NOT NULL
);
