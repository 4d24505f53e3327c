-- The tables of the bus, the same in every service's schema. Unqualified names: the migration sets search_path.

-- What a commit wants published. Rows are inserted and deleted, never updated.
CREATE TABLE outbox (
    position      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid        NOT NULL UNIQUE,
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    version       bigint      NOT NULL CHECK (version > 0),
    type          text        NOT NULL,
    dataschema    text        NOT NULL,
    source        text        NOT NULL,
    subject       text        NOT NULL,
    time          timestamptz NOT NULL,
    effective     date,
    actor         text        NOT NULL,
    cause         text        NOT NULL,
    traceparent   text,
    payload       jsonb
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- Two commands that decided on the same version of an aggregate cannot both be published.
CREATE UNIQUE INDEX outbox_one_fact_per_version ON outbox (aggregatetype, aggregateid, version)
    WHERE right(aggregatetype, 6) <> '.state';

-- Facts as published. The owner's function below is the only way in; no role but the owner updates or deletes.
CREATE TABLE history (
    sequence      bigint      NOT NULL PRIMARY KEY,
    id            uuid        NOT NULL,
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    version       bigint      NOT NULL,
    type          text        NOT NULL,
    dataschema    text        NOT NULL,
    source        text        NOT NULL,
    subject       text        NOT NULL,
    time          timestamptz NOT NULL,
    effective     date,
    actor         text        NOT NULL,
    cause         text        NOT NULL,
    traceparent   text,
    payload       jsonb       NOT NULL,
    published_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (sequence);
CREATE INDEX history_by_aggregate ON history (aggregatetype, aggregateid, version);

-- Makes the partitions that hold the sequences up to `upto`, and one ahead. A million facts each.
CREATE FUNCTION history_partitions(upto bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    n bigint;
    name text;
BEGIN
    FOR n IN (upto / 1000000) .. (upto / 1000000 + 1) LOOP
        name := format('history_%s', n);
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
            EXECUTE format('ALTER TABLE history ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           name, n * 1000000, (n + 1) * 1000000);
            -- the schema's default rights would let the service write into the partition itself
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I FROM %I', name, 'cumulo_' || current_schema());
        END IF;
    END LOOP;
END $$;
SELECT history_partitions(0);

CREATE FUNCTION relay_lock() RETURNS bigint
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT hashtextextended(current_schema() || '.relay', 0)
$$;

-- The relay's last step: acknowledged rows leave the outbox, facts among them enter history in the order
-- of their positions with a gapless sequence. Refuses while another session holds the relay's lock.
CREATE FUNCTION outbox_published(positions bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last bigint;
    gone bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(relay_lock()) THEN
        RAISE EXCEPTION 'only the relay that holds the lock moves rows into history';
    END IF;
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

-- Who publishes. `released` tells an orderly hand-over; a successor of another name waits otherwise.
CREATE TABLE relay_lease (
    one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
    holder   uuid        NOT NULL,
    replica  text        NOT NULL,
    since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    released boolean     NOT NULL DEFAULT false
);

-- Who listens: the types a consumer has taken on, and the horizon below which every id counts as known.
CREATE TABLE consumer (
    name    text   PRIMARY KEY,
    types   text[] NOT NULL,
    horizon uuid   NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
);

-- What was received and had its effect. Ids are UUIDv7, so that a range of ids is a range of time.
CREATE TABLE inbox (
    consumer text NOT NULL,
    id       uuid NOT NULL,
    PRIMARY KEY (consumer, id)
) PARTITION BY RANGE (id);
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;

CREATE FUNCTION uuid_at(instant timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM instant) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes the monthly partitions of the inbox from the month of `today` to two months ahead. A month for
-- which rows already lie in the default partition stays there.
CREATE FUNCTION inbox_partitions(today timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamptz;
    following timestamptz;
    name text;
    taken boolean;
BEGIN
    FOR n IN 0 .. 2 LOOP
        month := date_trunc('month', today AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => n);
        following := date_trunc('month', today AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => n + 1);
        name := 'inbox_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        SELECT EXISTS (SELECT FROM inbox_default WHERE id >= uuid_at(month) AND id < uuid_at(following)) INTO taken;
        CONTINUE WHEN taken;
        EXECUTE format('CREATE TABLE %I PARTITION OF inbox FOR VALUES FROM (%L) TO (%L)',
                       name, uuid_at(month), uuid_at(following));
    END LOOP;
END $$;
SELECT inbox_partitions(now());

-- Forgets ids older than `before`, whole partitions at a time. From then on they count as known.
CREATE FUNCTION inbox_prune(before timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamptz := date_trunc('month', before AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    partition text;
    dropped int := 0;
BEGIN
    UPDATE consumer SET horizon = uuid_at(month) WHERE horizon < uuid_at(month);
    FOR partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{6}$'
          AND c.relname < 'inbox_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM')
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM inbox_default WHERE id < uuid_at(month);
    RETURN dropped;
END $$;

-- The newest version of each state that a consumer has applied. An erased key stays erased.
CREATE TABLE state_seen (
    consumer text    NOT NULL,
    topic    text    NOT NULL,
    key      text    NOT NULL,
    version  bigint  NOT NULL,
    erased   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (consumer, topic, key)
);

-- Keys whose events are set aside. The row is the lock that consumer loop and operator share.
CREATE TABLE parked_key (
    consumer text        NOT NULL,
    topic    text        NOT NULL,
    key      text        NOT NULL,
    since    timestamptz NOT NULL,
    PRIMARY KEY (consumer, topic, key)
);

-- Events set aside, the first of each key with its reason, the later ones waiting behind it.
CREATE TABLE parked (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer  text        NOT NULL,
    topic     text        NOT NULL,
    key       text        NOT NULL,
    id        uuid        NOT NULL,
    type      text        NOT NULL,
    partition int         NOT NULL,
    "offset"  bigint      NOT NULL,
    parked_at timestamptz NOT NULL,
    reason    text,
    attempts  int         NOT NULL DEFAULT 1,
    headers   jsonb       NOT NULL,
    value     bytea,
    UNIQUE (consumer, id),
    FOREIGN KEY (consumer, topic, key) REFERENCES parked_key ON DELETE CASCADE
);
CREATE INDEX parked_in_order ON parked (consumer, topic, key, number);

-- The service signs in with its own role: DML on all of the schema, but history and partitions are read only.
DO $$
DECLARE
    role text := 'cumulo_' || current_schema();
BEGIN
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON history FROM %I', role);
    EXECUTE format('REVOKE UPDATE ON outbox FROM %I', role);
END $$;
