-- Filters of the register under a name, to come back to, and for whom it concerns: the network, or one cluster.
CREATE TABLE segment (
    id         uuid        PRIMARY KEY,
    cluster_id uuid        REFERENCES cluster,
    name       text        NOT NULL,
    filters    jsonb       NOT NULL,
    by         text        NOT NULL,
    at         timestamptz NOT NULL
);
CREATE UNIQUE INDEX segment_name_is_unique ON segment (coalesce(cluster_id, '00000000-0000-0000-0000-000000000000'),
                                                       lower(name));
