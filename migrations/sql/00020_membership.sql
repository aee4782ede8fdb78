-- +goose Up
-- What a member gets, further: modes that bring no single posts, a vacation between two dates, and no copy of what comes anyway.

ALTER TABLE member DROP CONSTRAINT member_mode_check;
ALTER TABLE member ADD CONSTRAINT member_mode_check CHECK (mode IN ('each', 'digest', 'summary', 'none')) NOT VALID;

-- The first and the last day of a vacation, in UTC. A post that was accepted on one of them is not sent.
ALTER TABLE member
    ADD COLUMN away_from  date,
    ADD COLUMN away_until date,
    ADD CONSTRAINT member_away CHECK (CASE WHEN away_from IS NULL THEN away_until IS NULL
        ELSE away_until IS NOT NULL AND away_from <= away_until END) NOT VALID;

-- Gets a copy of posts that name them in To or Cc, which reach them without the list too.
ALTER TABLE member ADD COLUMN addressed_posts boolean NOT NULL DEFAULT true;
-- Only where there is such a member is the header of a post read when it is planned.
CREATE INDEX member_unaddressed ON member (list) WHERE left_at IS NULL AND NOT addressed_posts;

-- Whom a post names in To and Cc, as keys, where somebody wants no copy for that.
ALTER TABLE fanout ADD COLUMN addressed text[] NOT NULL DEFAULT '{}';

-- Without knowing that hardly anybody has it so, PostgreSQL would look for one by walking the table.
ANALYZE member (addressed_posts);
