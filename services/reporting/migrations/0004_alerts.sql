-- What somebody watches for: a figure below or above a threshold. It is told once until it is over.
CREATE TABLE alert (
    id         uuid        PRIMARY KEY,
    label      text        NOT NULL CHECK (length(label) BETWEEN 1 AND 300),
    indicator  text        NOT NULL,
    cluster_id uuid,
    side       text        NOT NULL CHECK (side IN ('below', 'above')),
    threshold  numeric(15, 1) NOT NULL,
    made_by    text        NOT NULL,
    made_at    timestamptz NOT NULL,
    raised_at  timestamptz,
    value      numeric(15, 1),
    seen_at    timestamptz,
    version    bigint      NOT NULL DEFAULT 0,
    removed_at timestamptz,
    CONSTRAINT alert_is_seen_after_it_was_raised CHECK (seen_at IS NULL OR raised_at IS NOT NULL)
);
