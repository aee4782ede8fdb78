-- +goose Up
-- MTA-STS policies (RFC 8461 §3.3) that were read, for as long as each is good for: one that was forgotten
-- when a node stopped would protect nobody from who can shut its web server off.
CREATE TABLE sts_policy (
    domain text COLLATE "C" PRIMARY KEY,
    id     text NOT NULL, -- of the record that announced it
    mode   text NOT NULL CHECK (mode IN ('testing', 'enforce')),
    mx     text[] NOT NULL,
    life   interval NOT NULL, -- as it said
    until  timestamptz NOT NULL
);

CREATE INDEX sts_policy_until ON sts_policy (until);
