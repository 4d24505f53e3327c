-- What one company wrote to another by way of the directory: kept a week, so that it can be delivered, then erased.
CREATE TABLE contact (
    id                  uuid        PRIMARY KEY,
    organization_id     uuid        NOT NULL,
    cluster_id          uuid        NOT NULL,
    account_id          uuid        NOT NULL,
    sender_name         text        NOT NULL,
    sender_organization text        NOT NULL,
    reply_to            text        NOT NULL,
    message             text        NOT NULL,
    at                  timestamptz NOT NULL,
    version             bigint      NOT NULL CHECK (version > 0)
);
CREATE INDEX contact_by_age ON contact (at);
CREATE INDEX contact_by_account ON contact (account_id);
