-- What somebody wrote to a company, for its delivery; and for what a notice waits besides names and people.
CREATE TABLE contact (
    contact_id          uuid PRIMARY KEY,
    organization_id     uuid NOT NULL,
    sender_name         text NOT NULL,
    sender_organization text NOT NULL,
    reply_to            text NOT NULL,
    message             text NOT NULL
);
CREATE INDEX contact_by_organization ON contact (organization_id);

ALTER TABLE notice ADD COLUMN about uuid;
