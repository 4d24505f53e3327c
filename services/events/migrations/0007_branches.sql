-- Which organisation is a branch of which: where its company belongs, it belongs too.
CREATE TABLE branch (
    organization_id uuid PRIMARY KEY,
    parent_id       uuid NOT NULL
);
