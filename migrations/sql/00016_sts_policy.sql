-- +goose Up
-- MTA-STS policies (RFC 8461) that ask for something, as they were read: one holds for as long as it says,
-- whatever is started anew meanwhile, and for all nodes.
CREATE TABLE sts_policy (
    domain text COLLATE "C" PRIMARY KEY,
    id     text NOT NULL, -- of the record that announced it
    mode   text NOT NULL CHECK (mode IN ('testing', 'enforce')),
    mx     text[] NOT NULL,
    life   interval NOT NULL, -- its max_age
    until  timestamptz NOT NULL
);
CREATE INDEX sts_policy_until ON sts_policy (until);
