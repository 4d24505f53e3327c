-- The address under which one person's calendar is read by their program: whoever knows it reads it, so it can be renewed.
CREATE TABLE calendar_feed (
    person_id uuid        PRIMARY KEY,
    token     text        NOT NULL CONSTRAINT calendar_feed_token_is_unique UNIQUE,
    since     timestamptz NOT NULL
);
