-- What a cluster asks for with an application, from which day on; and what has come of it.

CREATE TABLE application_requirements (
    cluster_id uuid      NOT NULL REFERENCES cluster,
    period     daterange NOT NULL CHECK (NOT lower_inf(period)),
    documents  jsonb     NOT NULL, -- [{"code", "es", "en"}, …], in the order in which they are asked for
    vouchers   integer   NOT NULL CHECK (vouchers BETWEEN 0 AND 10),
    resolution boolean   NOT NULL,
    CONSTRAINT application_requirements_do_not_overlap PRIMARY KEY (cluster_id, period WITHOUT OVERLAPS)
);

CREATE TABLE application (
    membership_id uuid   NOT NULL REFERENCES membership ON DELETE CASCADE,
    applied_on    date   NOT NULL,
    resolution    text,
    resolved_on   date,
    version       bigint NOT NULL CHECK (version >= 0),
    PRIMARY KEY (membership_id, applied_on)
);

CREATE TABLE application_document (
    membership_id uuid        NOT NULL,
    applied_on    date        NOT NULL,
    code          text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('present', 'refused')),
    file_id       uuid        NOT NULL,
    reason        text,
    by            text        NOT NULL,
    at            timestamptz NOT NULL,
    PRIMARY KEY (membership_id, applied_on, code),
    FOREIGN KEY (membership_id, applied_on) REFERENCES application ON DELETE CASCADE,
    CHECK ((state = 'refused') = (reason IS NOT NULL))
);

CREATE TABLE application_voucher (
    membership_id   uuid        NOT NULL,
    applied_on      date        NOT NULL,
    organization_id uuid        NOT NULL REFERENCES organization ON DELETE CASCADE,
    by              text        NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (membership_id, applied_on, organization_id),
    FOREIGN KEY (membership_id, applied_on) REFERENCES application ON DELETE CASCADE
);
