-- A relay publishes a batch while it commits the one before, in two transactions that both hold its lock, shared.
-- The lease changes hands only under the same lock held alone, so that still one process publishes at a time; the
-- feed's barrier and refill hold it alone, too, and so wait for every batch in flight.

-- As before, and one at a time: the next sequence is read behind the commit of the last one.
CREATE OR REPLACE FUNCTION outbox_published(positions bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last bigint;
    gone bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(relay_lock()) THEN
        RAISE EXCEPTION 'only the relay that holds the lock moves rows into history';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '.history', 0));
    SELECT coalesce(max(sequence), 0) INTO last FROM history;
    IF last / 1000000 < (last + cardinality(positions)) / 1000000 THEN
        PERFORM history_partitions(last + cardinality(positions));
    END IF;
    WITH moved AS (DELETE FROM outbox WHERE position = ANY (positions) RETURNING *),
    kept AS (
        INSERT INTO history (sequence, id, aggregatetype, aggregateid, version, type, dataschema, source, subject,
                             time, effective, actor, cause, traceparent, payload)
        SELECT last + row_number() OVER (ORDER BY position), id, aggregatetype, aggregateid, version, type,
               dataschema, source, subject, time, effective, actor, cause, traceparent, payload
        FROM moved WHERE right(aggregatetype, 6) <> '.state'
    )
    SELECT count(*) INTO gone FROM moved;
    RETURN gone;
END $$;
