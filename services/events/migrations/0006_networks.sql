-- Which network a cluster belongs to: kept by a listener of its own, which begins with the oldest record, so that an
-- installation from before learns it too.
CREATE TABLE cluster_network (
    cluster_id uuid PRIMARY KEY,
    network_id uuid NOT NULL
);
INSERT INTO cluster_network (cluster_id, network_id)
SELECT cluster_id, network_id FROM cluster WHERE network_id IS NOT NULL;
ALTER TABLE cluster DROP COLUMN network_id;
