-- What became of the messages that notifications sent: facts as received and the dated rows they fold to, by generation.
CREATE TABLE message_fact (
    generation      int         NOT NULL,
    message_id      uuid        NOT NULL,
    version         bigint      NOT NULL,
    id              uuid        NOT NULL,
    type            text        NOT NULL,
    effective       date,
    recorded        timestamptz NOT NULL,
    organization_id uuid,
    cluster_id      uuid,
    subject         text        NOT NULL,
    PRIMARY KEY (generation, message_id, version)
);

-- `day` is that on which it was sent, null while it was not.
CREATE TABLE message_period (
    generation      int       NOT NULL,
    message_id      uuid      NOT NULL,
    organization_id uuid,
    cluster_id      uuid,
    subject         text      NOT NULL,
    day             date,
    answered        boolean   NOT NULL,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX message_period_of ON message_period (generation, message_id);
CREATE INDEX message_period_by_day ON message_period (generation, day);

ALTER TABLE dirty DROP CONSTRAINT dirty_family_check;
ALTER TABLE dirty ADD CONSTRAINT dirty_family_check CHECK (family IN ('members', 'gatherings', 'profiles', 'notices'));
