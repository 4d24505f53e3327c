-- What the numbers are made of: facts as received, and the dated rows that they fold to.
-- Every table of the read model has a generation, so that a new one is built beside the one in use.

-- Which generation is read, which one is being built, and the highest number ever given. Its writers hold the advisory lock of apply_lock().
CREATE TABLE generation (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    current  int     NOT NULL,
    building int     CHECK (building <> current),
    last     int     NOT NULL
);
INSERT INTO generation (current, last) VALUES (1, 1);

CREATE FUNCTION apply_lock() RETURNS bigint
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT hashtextextended(current_schema() || '.apply', 0)
$$;

-- Facts as received. The primary key makes a fact that comes a second time harmless.
CREATE TABLE membership_fact (
    generation      int         NOT NULL,
    membership_id   uuid        NOT NULL,
    version         bigint      NOT NULL,
    id              uuid        NOT NULL,
    type            text        NOT NULL,
    effective       date,
    recorded        timestamptz NOT NULL,
    organization_id uuid        NOT NULL,
    cluster_id      uuid        NOT NULL,
    category        text        NOT NULL,
    PRIMARY KEY (generation, membership_id, version)
);

CREATE TABLE organization_fact (
    generation      int         NOT NULL,
    organization_id uuid        NOT NULL,
    version         bigint      NOT NULL,
    id              uuid        NOT NULL,
    type            text        NOT NULL,
    effective       date,
    recorded        timestamptz NOT NULL,
    kind            text        NOT NULL,
    state           text,
    positions       jsonb       NOT NULL,
    PRIMARY KEY (generation, organization_id, version)
);

CREATE TABLE cluster_fact (
    generation int         NOT NULL,
    cluster_id uuid        NOT NULL,
    version    bigint      NOT NULL,
    id         uuid        NOT NULL,
    type       text        NOT NULL,
    effective  date,
    recorded   timestamptz NOT NULL,
    PRIMARY KEY (generation, cluster_id, version)
);

-- What holds on which days (`valid`), as it was believed at which instants (`known`).
CREATE TABLE membership_period (
    generation      int       NOT NULL,
    membership_id   uuid      NOT NULL,
    organization_id uuid      NOT NULL,
    cluster_id      uuid      NOT NULL,
    category        text      NOT NULL,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX membership_period_of ON membership_period (generation, membership_id);

CREATE TABLE organization_period (
    generation      int       NOT NULL,
    organization_id uuid      NOT NULL,
    kind            text      NOT NULL,
    state           text,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX organization_period_of ON organization_period (generation, organization_id);

CREATE TABLE position_period (
    generation      int       NOT NULL,
    organization_id uuid      NOT NULL,
    position        text      NOT NULL,
    valid           daterange NOT NULL CHECK (NOT isempty(valid)),
    known           tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX position_period_of ON position_period (generation, organization_id);

-- The days on which a cluster belongs to the network.
CREATE TABLE cluster_period (
    generation int       NOT NULL,
    cluster_id uuid      NOT NULL,
    valid      daterange NOT NULL CHECK (NOT isempty(valid)),
    known      tstzrange NOT NULL CHECK (NOT isempty(known))
);
CREATE INDEX cluster_period_of ON cluster_period (generation, cluster_id);

-- Names of clusters as they are now: from states, which have no history and belong to no generation.
CREATE TABLE label (
    cluster_id uuid   PRIMARY KEY,
    slug       text   NOT NULL,
    name       text   NOT NULL,
    version    bigint NOT NULL
);

-- Scopes whose figures may have moved: 'network', 'cluster:<id>', or 'all'. Rows are only inserted and deleted,
-- so that a batch never waits for a computation under way.
CREATE TABLE dirty (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope  text NOT NULL
);

-- The figures as last published. `changed_at` spaces publications of one figure.
CREATE TABLE figure (
    indicator  text        NOT NULL,
    scope      text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    value      bigint      NOT NULL,
    as_of      date        NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (indicator, scope)
);

-- The day of which the figures speak; another day in the network's zone makes all of them dirty.
CREATE TABLE figures_day (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    day date NOT NULL
);
