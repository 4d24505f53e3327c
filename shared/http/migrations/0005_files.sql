-- Files of this service: what lies in the store by content, and what names it. The content's row is locked by
-- whoever takes it in, keeps it or deletes it, so that no file ever names content that is gone.

CREATE TABLE file_content (
    hash       text        PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
    size       bigint      NOT NULL CHECK (size > 0),
    kept_until timestamptz NOT NULL
);
COMMENT ON COLUMN file_content.kept_until IS 'until then it stays in the store although no file names it';

CREATE TABLE file (
    id           uuid        PRIMARY KEY,
    hash         text        NOT NULL REFERENCES file_content (hash),
    size         bigint      NOT NULL,
    media_type   text        NOT NULL,
    name         text        NOT NULL CHECK (name <> '' AND length(name) <= 200),
    aggregate    text        NOT NULL,
    aggregate_id uuid        NOT NULL,
    uploaded_by  text        NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX file_by_hash ON file (hash);
CREATE INDEX file_by_owner ON file (aggregate, aggregate_id, id);
