-- Whom a segment held when it was last drawn: what other services are told of it, so that what goes outward is written to
-- whom somebody saw. None of its name and filters leave this service.
ALTER TABLE segment ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE segment ADD COLUMN drawn_at timestamptz;
ALTER TABLE segment ADD COLUMN organization_ids uuid[] NOT NULL DEFAULT '{}';
