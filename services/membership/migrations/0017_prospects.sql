-- Companies that may join, before they apply: who speaks with whom, and what comes next.
CREATE TABLE prospect (
    id              uuid        PRIMARY KEY,
    cluster_id      uuid        NOT NULL REFERENCES cluster,
    name            text        NOT NULL,
    sort_key        text        COLLATE "C" NOT NULL,
    city            text,
    source          text        NOT NULL
        CHECK (source IN ('member', 'event', 'agency', 'own_search', 'asked_us', 'other')),
    contact_name    text,
    contact_mail    text,
    contact_phone   text,
    next_step       text,
    due             date,
    state           text        NOT NULL CHECK (state IN ('open', 'applied', 'lost')),
    reason          text,
    organization_id uuid        REFERENCES organization ON DELETE SET NULL,
    since           date        NOT NULL,
    version         bigint      NOT NULL CHECK (version > 0),
    CHECK ((state = 'lost') = (reason IS NOT NULL))
);
CREATE INDEX prospect_by_cluster ON prospect (cluster_id, state, due);
