-- Where and when each received event had its effect, beside the id that says that it had: what Operación shows.
-- Rows from before this have no place.
ALTER TABLE inbox ADD COLUMN at timestamptz, ADD COLUMN partition int, ADD COLUMN "offset" bigint;

-- What people did about what was set aside: tried again, given up, mended. Ids and reasons only, never the record.
CREATE TABLE parked_log (
    number   bigint      NOT NULL,
    consumer text        NOT NULL,
    topic    text        NOT NULL,
    id       uuid        NOT NULL,
    type     text        NOT NULL,
    what     text        NOT NULL CHECK (what IN ('retried', 'dropped', 'mended')),
    actor    text        NOT NULL,
    at       timestamptz NOT NULL,
    reason   text
);
CREATE INDEX parked_log_by_time ON parked_log (at);
CREATE INDEX parked_log_by_event ON parked_log (id, consumer);
