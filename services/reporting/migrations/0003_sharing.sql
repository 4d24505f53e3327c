-- Figures that somebody outside may read by a link, until a day. The link's key is kept as its hash only.
CREATE TABLE shared_link (
    id         uuid        PRIMARY KEY,
    key_hash   bytea       NOT NULL UNIQUE,
    label      text        NOT NULL CHECK (length(label) BETWEEN 1 AND 300),
    indicator  text        NOT NULL,
    dimension  text        NOT NULL,
    as_of      date,
    since      date,
    made_by    text        NOT NULL,
    made_at    timestamptz NOT NULL,
    until      date        NOT NULL,
    revoked_at timestamptz,
    opened     bigint      NOT NULL DEFAULT 0
);
CREATE INDEX shared_link_by_maker ON shared_link (made_by, made_at);
