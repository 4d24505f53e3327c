-- Registers that somebody uploaded: their rows, which column is which, what would and what did become of each row.

CREATE TABLE upload (
    id         uuid        PRIMARY KEY,
    cluster_id uuid        NOT NULL REFERENCES cluster,
    name       text        NOT NULL,
    rows       integer     NOT NULL CHECK (rows >= 0),
    step       text        NOT NULL
        CHECK (step IN ('columns', 'reviewing', 'reviewed', 'applying', 'applied', 'undoing', 'undone')),
    header_row integer     NOT NULL,
    places     jsonb       NOT NULL,
    announce   boolean     NOT NULL,
    task_id    uuid,
    counts     jsonb       NOT NULL,
    by         text        NOT NULL,
    at         timestamptz NOT NULL,
    moved      timestamptz NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0)
);
CREATE INDEX upload_by_cluster ON upload (cluster_id, id);
CREATE INDEX upload_by_age ON upload (moved);

-- The rows as they came, some hundred to a line of JSON: [[number, [cell, …]], …].
CREATE TABLE upload_part (
    upload_id uuid    NOT NULL REFERENCES upload ON DELETE CASCADE,
    first     integer NOT NULL,
    rows      text    NOT NULL,
    PRIMARY KEY (upload_id, first)
);

-- What becomes of each row; `effect` is what it did and what was there before, for who undoes it.
CREATE TABLE upload_result (
    upload_id       uuid    NOT NULL REFERENCES upload ON DELETE CASCADE,
    number          integer NOT NULL,
    outcome         text    NOT NULL CHECK (outcome IN ('new', 'changed', 'same', 'refused')),
    name            text    NOT NULL,
    organization_id uuid,
    reasons         jsonb   NOT NULL,
    warnings        jsonb   NOT NULL,
    changes         jsonb,
    effect          jsonb,
    undone          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (upload_id, number)
);
CREATE INDEX upload_result_by_outcome ON upload_result (upload_id, outcome, number);

-- Members whom the file does not name.
CREATE TABLE upload_absent (
    upload_id       uuid NOT NULL REFERENCES upload ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    name            text NOT NULL,
    tax_number      text,
    PRIMARY KEY (upload_id, organization_id)
);

-- What the headers of a cluster's own sheets mean; without a field the column is left out.
CREATE TABLE import_column (
    cluster_id uuid NOT NULL REFERENCES cluster,
    header     text NOT NULL,
    field      text,
    PRIMARY KEY (cluster_id, header)
);
