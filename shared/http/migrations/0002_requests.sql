-- How often somebody tried something (sign-in, tokens), and the answers kept for an Idempotency-Key.

CREATE TABLE attempt (
    bucket text        NOT NULL,
    at     timestamptz NOT NULL
);
CREATE INDEX attempt_by_bucket ON attempt (bucket, at);
CREATE INDEX attempt_by_time ON attempt (at);

CREATE TABLE idempotency (
    actor    text        NOT NULL,
    route    text        NOT NULL,
    key      text        NOT NULL,
    hash     bytea       NOT NULL,
    at       timestamptz NOT NULL,
    status   int,
    headers  jsonb,
    body     bytea,
    PRIMARY KEY (actor, route, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);
