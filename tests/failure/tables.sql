-- The tables of the small services that the failure tests run: who owns the rows, and who listens to them.

CREATE TABLE membership.failure_membership (
    id              uuid   PRIMARY KEY,
    version         bigint NOT NULL,
    organization_id uuid   NOT NULL,
    cluster_id      uuid   NOT NULL,
    category        text   NOT NULL,
    standing        text   NOT NULL
);
CREATE TABLE membership.failure_person (
    id      uuid   PRIMARY KEY,
    version bigint NOT NULL,
    name    text   NOT NULL
);

-- One row per effect, and no constraint that would hide a second one.
CREATE TABLE reporting.failure_effect (
    n          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation text   NOT NULL,
    id         uuid   NOT NULL,
    key        text   NOT NULL,
    version    bigint NOT NULL,
    type       text   NOT NULL
);
CREATE TABLE reporting.failure_fold (
    generation text    NOT NULL,
    key        text    NOT NULL,
    version    bigint  NOT NULL,
    category   text    NOT NULL,
    in_force   boolean NOT NULL,
    PRIMARY KEY (generation, key)
);
CREATE TABLE reporting.failure_tally (
    generation text   NOT NULL,
    category   text   NOT NULL,
    members    bigint NOT NULL,
    PRIMARY KEY (generation, category)
);
CREATE TABLE reporting.failure_copy (
    generation text   NOT NULL,
    topic      text   NOT NULL,
    key        text   NOT NULL,
    version    bigint NOT NULL,
    text       text   NOT NULL,
    PRIMARY KEY (generation, topic, key)
);
