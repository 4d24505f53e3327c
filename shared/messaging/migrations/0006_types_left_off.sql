-- Types that a consumer handled once and no longer does: what is published of them passes by unseen, so that they are
-- new to it when it takes them on again. What it had applied of them before, it knows by the inbox and its horizon.
ALTER TABLE consumer ADD COLUMN left_off text[] NOT NULL DEFAULT '{}';
