-- What people attend: gatherings with their sessions and prices. A draft is nobody's business yet.
-- `version` counts facts, `revision` every saving: by it a caller says what was read, and states are told apart.

ALTER TABLE cluster ADD COLUMN network_id uuid;

CREATE TABLE gathering (
    id           uuid        PRIMARY KEY,
    slug         text        NOT NULL CONSTRAINT gathering_slug_is_unique UNIQUE,
    network_id   uuid,
    cluster_id   uuid,
    status       text        NOT NULL CHECK (status IN ('draft', 'published', 'postponed', 'cancelled', 'held')),
    kind         text        NOT NULL,
    title        text        NOT NULL,
    summary      text        NOT NULL,
    description  text        NOT NULL,
    speakers     text        NOT NULL,
    language     text        NOT NULL CHECK (language IN ('es', 'en')),
    mode         text        NOT NULL CHECK (mode IN ('online', 'in_place', 'both')),
    starts       timestamptz NOT NULL,
    ends         timestamptz NOT NULL,
    zone         text        NOT NULL,
    place        text,
    country      text,
    state        text,
    join_url     text,
    capacity     integer     CHECK (capacity > 0),
    waiting_list boolean     NOT NULL,
    accept_hours integer     NOT NULL CHECK (accept_hours BETWEEN 1 AND 336),
    closes       timestamptz,
    currency     text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    sequence     integer     NOT NULL CHECK (sequence >= 0),
    published_on date,
    changed_at   timestamptz NOT NULL,
    version      bigint      NOT NULL CHECK (version >= 0),
    revision     bigint      NOT NULL CHECK (revision > 0),
    CONSTRAINT gathering_ends_after_it_starts CHECK (starts < ends),
    CONSTRAINT gathering_that_is_told_has_a_network
        CHECK (status = 'draft' OR (network_id IS NOT NULL AND published_on IS NOT NULL AND version > 0))
);
CREATE INDEX gathering_by_time ON gathering (starts, id);
CREATE INDEX gathering_by_cluster ON gathering (cluster_id, starts);

CREATE TABLE gathering_session (
    gathering_id uuid        NOT NULL REFERENCES gathering ON DELETE CASCADE,
    number       integer     NOT NULL CHECK (number > 0),
    title        text        NOT NULL,
    starts       timestamptz NOT NULL,
    ends         timestamptz NOT NULL,
    place        text,
    speaker      text,
    PRIMARY KEY (gathering_id, number),
    CHECK (starts < ends)
);

-- What somebody pays from a day on, by group and category; without a row for affiliates they pay as the public does.
CREATE TABLE gathering_price (
    gathering_id uuid           NOT NULL REFERENCES gathering ON DELETE CASCADE,
    price_group  text           NOT NULL CHECK (price_group IN ('own', 'network', 'public')),
    category     text           CHECK (category IN ('associate', 'affiliate', 'honorary')),
    since        date,
    amount       numeric(14, 2) NOT NULL CHECK (amount >= 0),
    benefit      text,
    CHECK (price_group <> 'public' OR category IS NULL),
    CONSTRAINT gathering_has_one_price_for_each
        UNIQUE NULLS NOT DISTINCT (gathering_id, price_group, category, since)
);

-- What facts must not hold: why something was done, and what the texts were before.
CREATE TABLE change_log (
    aggregate text        NOT NULL,
    id        uuid        NOT NULL,
    version   bigint      NOT NULL,
    at        timestamptz NOT NULL,
    actor     text        NOT NULL,
    cause     text        NOT NULL,
    note      text,
    fields    jsonb,
    PRIMARY KEY (aggregate, id, version)
);
