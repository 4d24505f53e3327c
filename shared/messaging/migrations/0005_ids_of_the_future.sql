-- As before, but an id of a time that had not come when it was received says nothing about how far a consumer is: such
-- are those of records that have none of their own, and whatever a foreign hand writes.
CREATE OR REPLACE FUNCTION inbox_prune(before timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamptz := date_trunc('month', before AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    partition text;
    dropped int := 0;
BEGIN
    UPDATE consumer c SET horizon = reached.horizon
    FROM (
        SELECT name, uuid_at(date_trunc('month', least(before, newest - interval '1 month') AT TIME ZONE 'UTC')
                             AT TIME ZONE 'UTC') AS horizon
        FROM consumer, LATERAL (
            SELECT to_timestamp(('x' || left(replace(i.id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AS newest
            FROM inbox i
            WHERE i.consumer = consumer.name AND (i.at IS NULL OR i.id < uuid_at(i.at + interval '1 day'))
            ORDER BY i.id DESC LIMIT 1
        ) AS received
        WHERE since < before AND newest IS NOT NULL
    ) AS reached
    WHERE reached.name = c.name AND c.horizon < reached.horizon;

    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{6}$'
          AND c.relname < 'inbox_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM')
    LOOP
        EXECUTE format('ALTER TABLE inbox DETACH PARTITION %I', partition);
        EXECUTE format('INSERT INTO inbox SELECT p.consumer, p.id FROM %I p JOIN consumer c ON c.name = p.consumer'
                       ' WHERE p.id >= c.horizon OR c.since >= %L', partition, before);
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM inbox_default d WHERE id < uuid_at(month) AND NOT EXISTS (
        SELECT FROM consumer c WHERE c.name = d.consumer AND (d.id >= c.horizon OR c.since >= before)
    );
    RETURN dropped;
END $$;
