-- Copies of gatherings and of who is registered; what a notice is about may be one of them, and then needs neither
-- an organisation nor a cluster: the network itself holds some, and people come for themselves.

ALTER TABLE notice ALTER COLUMN organization_id DROP NOT NULL;
ALTER TABLE notice ALTER COLUMN cluster_id DROP NOT NULL;
ALTER TABLE notice ADD COLUMN gathering_id uuid;
CREATE INDEX notice_by_gathering ON notice (gathering_id, open_until) WHERE gathering_id IS NOT NULL;

CREATE TABLE gathering (
    gathering_id uuid PRIMARY KEY,
    cluster_id   uuid,
    slug         text NOT NULL,
    status       text NOT NULL,
    kind         text NOT NULL,
    title        text NOT NULL,
    summary      text NOT NULL,
    mode         text NOT NULL,
    starts       timestamptz,
    ends         timestamptz,
    zone         text NOT NULL,
    place        text,
    sequence     int  NOT NULL
);
CREATE INDEX gathering_by_start ON gathering (starts) WHERE status IN ('published', 'postponed');

CREATE TABLE registration (
    registration_id uuid PRIMARY KEY,
    gathering_id    uuid NOT NULL,
    organization_id uuid,
    status          text NOT NULL,
    name            text NOT NULL,
    mail            text NOT NULL,
    language        text NOT NULL CHECK (language IN ('es', 'en')),
    amount          text NOT NULL,
    currency        text NOT NULL,
    price_group     text NOT NULL,
    offer_until     timestamptz,
    join_url        text,
    check_in_code   text
);
CREATE INDEX registration_by_gathering ON registration (gathering_id);
