-- This service's copy of who may sign in with which roles, and of the keys that verify their tokens.
-- Written from the state topics of membership (by membership itself in the transaction of the change).

CREATE TABLE access_copy (
    subject_id uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('person', 'program')),
    name       text        NOT NULL,
    language   text        NOT NULL,
    grants     jsonb       NOT NULL,
    services   text[],
    not_before timestamptz NOT NULL,
    ended      uuid[]      NOT NULL,
    until      timestamptz
);

CREATE TABLE key_copy (
    key_id uuid        PRIMARY KEY,
    x      text        NOT NULL,
    since  timestamptz NOT NULL,
    until  timestamptz NOT NULL
);
