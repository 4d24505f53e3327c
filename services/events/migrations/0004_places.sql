-- Who has a place and who waits for one. Capacity is guarded here, whatever the program does: `taken` and `waiting` are
-- counted by a trigger, more than the capacity is refused, and so is a commit that leaves a place empty while somebody
-- waits and registration is open.

CREATE TABLE seating (
    gathering_id uuid    PRIMARY KEY,
    capacity     integer CHECK (capacity > 0),
    taken        integer NOT NULL DEFAULT 0 CHECK (taken >= 0),
    waiting      integer NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    next_number  bigint  NOT NULL DEFAULT 1 CHECK (next_number > 0),
    is_open      boolean NOT NULL,
    waiting_list boolean NOT NULL,
    accept_hours integer NOT NULL,
    closes       timestamptz NOT NULL,
    zone         text    NOT NULL,
    join_url     text,
    called_off   boolean NOT NULL DEFAULT false,
    CONSTRAINT nobody_gets_a_place_that_is_not_there CHECK (capacity IS NULL OR taken <= capacity)
);

CREATE TABLE registration (
    id              uuid        PRIMARY KEY,
    gathering_id    uuid        NOT NULL REFERENCES seating,
    number          bigint      NOT NULL,
    organization_id uuid,
    status          text        NOT NULL CHECK (status IN ('waiting', 'offered', 'confirmed', 'cancelled', 'lapsed')),
    name            text,
    mail            text,
    mail_key        text,
    language        text        NOT NULL CHECK (language IN ('es', 'en')),
    person_id       uuid,
    price_group     text        NOT NULL CHECK (price_group IN ('own', 'network', 'public')),
    amount          numeric(14, 2) NOT NULL CHECK (amount >= 0),
    currency        text        NOT NULL,
    waited          boolean     NOT NULL,
    offer_until     timestamptz,
    check_in_code   text        NOT NULL CONSTRAINT registration_code_is_unique UNIQUE,
    registered_at   timestamptz NOT NULL,
    registered_by   text        NOT NULL,
    erased          boolean     NOT NULL DEFAULT false,
    version         bigint      NOT NULL CHECK (version > 0),
    revision        bigint      NOT NULL CHECK (revision > 0),
    CONSTRAINT registration_has_its_own_number UNIQUE (gathering_id, number),
    CONSTRAINT registration_is_of_somebody CHECK (erased = (name IS NULL) AND erased = (mail IS NULL)
                                                  AND erased = (mail_key IS NULL)),
    CONSTRAINT registration_offer_has_an_end CHECK (status <> 'offered' OR offer_until IS NOT NULL)
);
CREATE UNIQUE INDEX registration_is_one_for_each_person ON registration (gathering_id, mail_key)
    WHERE status IN ('waiting', 'offered', 'confirmed');
CREATE INDEX registration_in_order ON registration (gathering_id, status, number);
CREATE INDEX registration_by_person ON registration (person_id);
CREATE INDEX registration_by_mail ON registration (mail_key);
CREATE INDEX registration_offers ON registration (offer_until) WHERE status = 'offered';

CREATE TABLE attendance (
    registration_id uuid        PRIMARY KEY REFERENCES registration,
    at              timestamptz NOT NULL,
    method          text        NOT NULL CHECK (method IN ('qr', 'hand', 'report')),
    recorded_by     text        NOT NULL,
    recorded_at     timestamptz NOT NULL
);

CREATE FUNCTION count_places() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.status END;
    after  text := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE NEW.status END;
    seats  integer := coalesce(after IN ('offered', 'confirmed'), false)::integer
                      - coalesce(before IN ('offered', 'confirmed'), false)::integer;
    queue  integer := coalesce(after = 'waiting', false)::integer - coalesce(before = 'waiting', false)::integer;
BEGIN
    IF seats <> 0 OR queue <> 0 THEN
        UPDATE seating SET taken = taken + seats, waiting = waiting + queue
        WHERE gathering_id = CASE WHEN TG_OP = 'DELETE' THEN OLD.gathering_id ELSE NEW.gathering_id END;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_places AFTER INSERT OR DELETE OR UPDATE OF status ON registration
    FOR EACH ROW EXECUTE FUNCTION count_places();

CREATE FUNCTION no_place_stays_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM seating WHERE gathering_id = NEW.gathering_id AND is_open AND waiting > 0
                                     AND (capacity IS NULL OR taken < capacity)) THEN
        RAISE EXCEPTION 'a place of gathering % is empty while somebody waits', NEW.gathering_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'no_place_stays_empty';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER no_place_stays_empty AFTER INSERT OR UPDATE ON seating
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_place_stays_empty();
