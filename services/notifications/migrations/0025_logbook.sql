-- Bitácora: a line for every fact, whom it concerned by which rule; what was sent for it stands in notice and message.
-- `subject` is what was written about, `reason` why nothing was; a line without a fact is of what time brought about.
CREATE TABLE heard (
    id              uuid        PRIMARY KEY,
    fact            text,
    subject         text,
    reason          text,
    organization_id uuid,
    cluster_id      uuid,
    at              timestamptz NOT NULL,
    CHECK ((subject IS NULL) <> (reason IS NULL))
);
CREATE INDEX heard_by_time ON heard (at DESC, id DESC);
CREATE INDEX heard_written ON heard (at DESC, id DESC) WHERE subject IS NOT NULL;
INSERT INTO heard (id, subject, organization_id, cluster_id, at)
SELECT id, subject, organization_id, cluster_id, noticed_at FROM notice WHERE cause IN ('reminders', 'certificates');
