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

-- What nodes tell each other of destinations in trouble by the name of their lane: one that only shards of many
-- are for has no row among destinations.
CREATE TABLE trouble (
    lane     text COLLATE "C" PRIMARY KEY,
    dests    bigint[] NOT NULL, -- rows of destination whose shards go there, too
    failures integer NOT NULL,  -- in a row
    said     timestamptz NOT NULL DEFAULT now(),
    until    timestamptz NOT NULL, -- nobody connects before
    reply    text NOT NULL
);
CREATE INDEX trouble_until ON trouble (until);
