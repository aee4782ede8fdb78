-- +goose Up
-- What a member gets, further: modes that bring no single posts, and a vacation between two dates.

ALTER TABLE member DROP CONSTRAINT member_mode_check;
ALTER TABLE member ADD CONSTRAINT member_mode_check CHECK (mode IN ('each', 'digest', 'summary', 'none')) NOT VALID;

-- The first and the last day of a vacation, in UTC. A post that was accepted on one of them is not sent.
ALTER TABLE member
    ADD COLUMN away_from  date,
    ADD COLUMN away_until date,
    ADD CONSTRAINT member_away CHECK (CASE WHEN away_from IS NULL THEN away_until IS NULL
        ELSE away_until IS NOT NULL AND away_from <= away_until END) NOT VALID;
