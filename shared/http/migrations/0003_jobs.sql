-- What time brings about: for each job and zone the turn that comes next, how far it is, and how the last one went.
-- Written by the replica that holds the job's lock, in the transaction of the work where the work has one.

CREATE TABLE job (
    name       text        NOT NULL,
    zone       text        NOT NULL,
    due        timestamptz NOT NULL,
    day        date        NOT NULL,
    resume     jsonb,
    counts     jsonb       NOT NULL DEFAULT '{}',
    begun_at   timestamptz,
    failures   int         NOT NULL DEFAULT 0,
    retry_at   timestamptz,
    error      text,
    error_at   timestamptz,
    ran_at     timestamptz,
    ran_day    date,
    ran_counts jsonb,
    PRIMARY KEY (name, zone)
);
COMMENT ON COLUMN job.due IS 'when the next turn may begin';
COMMENT ON COLUMN job.day IS 'the day of the zone that the next turn is about, or the one under way';
COMMENT ON COLUMN job.resume IS 'where the turn under way goes on';
COMMENT ON COLUMN job.failures IS 'in a row, since something went well';
COMMENT ON COLUMN job.error IS 'the last one: its kind and place, never its words, which may name people';
