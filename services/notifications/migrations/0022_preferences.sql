-- What somebody wants to hear of, and where; what they have read. An address is known by its hash: nothing personal is
-- kept for it, and a person, somebody registered and an account with the same address are one reader.

CREATE FUNCTION address_key(mail text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT encode(sha256(convert_to(lower(btrim(mail)), 'UTF8')), 'hex')
$$;
CREATE INDEX person_by_address ON person (address_key(mail));
CREATE INDEX registration_by_address ON registration (address_key(mail));

CREATE TABLE preference (
    address    text        NOT NULL,
    topic      text        NOT NULL,
    mail       boolean     NOT NULL,
    inbox      boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (address, topic)
);

-- Who reads is the account: what was read stays read under another address.
CREATE TABLE reading (
    message_id uuid        NOT NULL REFERENCES message,
    reader     uuid        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (message_id, reader)
);

-- A message that its reader did not want as a mail; the key by which a mail's link leaves a topic.
ALTER TABLE message ADD COLUMN leave_key uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX message_by_leave_key ON message (leave_key);
ALTER TABLE message DROP CONSTRAINT message_state_check;
ALTER TABLE message ADD CONSTRAINT message_state_check
    CHECK (state IN ('due', 'sent', 'failed', 'suppressed', 'muted', 'erased'));
ALTER TABLE delivery DROP CONSTRAINT delivery_outcome_check;
ALTER TABLE delivery ADD CONSTRAINT delivery_outcome_check
    CHECK (outcome IN ('sent', 'retry', 'failed', 'suppressed', 'muted'));
