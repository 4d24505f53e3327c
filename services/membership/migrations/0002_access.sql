-- Who may sign in, as what, since when and by whose word; one-time links, sessions, signing keys.
-- Secrets are kept as hashes, but for the private keys, which only this service's role can read.

CREATE TABLE account (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('person', 'program')),
    name       text        NOT NULL,
    mail       text,
    mail_key   text        CONSTRAINT account_mail_is_unique UNIQUE,
    language   text        NOT NULL CHECK (language IN ('es', 'en')),
    services   text[],
    not_before timestamptz NOT NULL,
    ended      uuid[]      NOT NULL DEFAULT '{}',
    until      timestamptz,
    demo       text,
    made_by    text        NOT NULL,
    made_at    timestamptz NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    CHECK ((kind = 'person') = (mail IS NOT NULL) AND (mail IS NULL) = (mail_key IS NULL))
);

-- One role over one scope. The network as a scope has the nil id, so that periods cannot overlap there either.
CREATE TABLE role_grant (
    id           uuid        PRIMARY KEY,
    account_id   uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    role         text        NOT NULL,
    scope        text        NOT NULL CHECK (scope IN ('network', 'cluster', 'organization')),
    scope_id     uuid        NOT NULL,
    period       daterange   NOT NULL CHECK (NOT lower_inf(period)),
    granted_by   text        NOT NULL,
    granted_at   timestamptz NOT NULL,
    withdrawn_by text,
    withdrawn_at timestamptz,
    CHECK ((scope = 'network') = (scope_id = '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT role_grants_do_not_overlap UNIQUE (account_id, role, scope, scope_id, period WITHOUT OVERLAPS)
);

-- A one-time link: only the hash of its secret is kept.
CREATE TABLE sign_in_link (
    hash       bytea       PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    goes_to    text        NOT NULL,
    made_at    timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX sign_in_link_by_account ON sign_in_link (account_id);

CREATE TABLE session (
    id         uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    how        text        NOT NULL CHECK (how IN ('link', 'provider', 'demo')),
    agent      text        NOT NULL,
    began_at   timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX session_by_account ON session (account_id, until);

CREATE TABLE signing_key (
    id      uuid        PRIMARY KEY,
    x       text        NOT NULL,
    d       text,
    made_at timestamptz NOT NULL,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL,
    version bigint      NOT NULL CHECK (version > 0)
);

-- Who a person is at an OpenID Connect provider, bound at the first sign-in by a verified mail.
CREATE TABLE provider_identity (
    issuer     text        NOT NULL,
    subject    text        NOT NULL,
    account_id uuid        NOT NULL REFERENCES account ON DELETE CASCADE,
    bound_at   timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);

CREATE TABLE provider_visit (
    hash     bytea       PRIMARY KEY,
    nonce    text        NOT NULL,
    verifier text        NOT NULL,
    goes_to  text        NOT NULL,
    until    timestamptz NOT NULL
);

-- What somebody prepared and another must release before it goes outward.
CREATE TABLE prepared (
    id          uuid        PRIMARY KEY,
    kind        text        NOT NULL,
    payload     jsonb       NOT NULL,
    cluster_id  uuid,
    prepared_by text        NOT NULL,
    prepared_at timestamptz NOT NULL,
    settled_by  text,
    settled_at  timestamptz,
    outcome     text        CHECK (outcome IN ('released', 'dropped')),
    CHECK (outcome IS DISTINCT FROM 'released' OR settled_by <> prepared_by)
);
CREATE INDEX prepared_waiting ON prepared (id) WHERE outcome IS NULL;
