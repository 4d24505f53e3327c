-- Organisations of membership that were merged: the old id means the other one, which may itself have been merged on.
CREATE TABLE merged_organization (
    organization_id uuid PRIMARY KEY,
    into_id         uuid NOT NULL
);

CREATE FUNCTION present_organization(id uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE way AS (
        SELECT id AS at, 0 AS step
        UNION ALL
        SELECT m.into_id, way.step + 1 FROM way JOIN merged_organization m ON m.organization_id = way.at
        WHERE way.step < 100
    )
    SELECT at FROM way ORDER BY step DESC LIMIT 1
$$;
